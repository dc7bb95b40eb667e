//! Hearing that a thread ends, so that its ledger can serve another thread.
//!
//! A pthread key's destructor runs after the destructors of thread-locals, which
//! may still allocate and free. Where there are no pthreads, a thread-local with
//! a destructor does it: it is registered before most others and so runs late,
//! and what is allocated later still is counted as outside every scope.

use super::{Ledger, detach};

/// Calls [`detach`] with `ledger` when the current thread ends.
#[cfg(highwater_unix)]
pub(super) fn notify(ledger: &'static Ledger) {
    if let Some(key) = key() {
        // SAFETY: the key was created and is never deleted. On failure the
        // thread keeps its ledger for ever, which costs memory, not exactness.
        unsafe { libc::pthread_setspecific(key, std::ptr::from_ref(ledger).cast()) };
    }
}

#[cfg(highwater_unix)]
fn key() -> Option<libc::pthread_key_t> {
    use std::sync::atomic::{AtomicUsize, Ordering::AcqRel, Ordering::Acquire};

    /// The key plus one; zero while there is none.
    static KEY: AtomicUsize = AtomicUsize::new(0);

    unsafe extern "C" fn thread_ended(ledger: *mut libc::c_void) {
        // SAFETY: `notify` stored a reference to a ledger, which lives for ever.
        detach(unsafe { &*ledger.cast::<Ledger>() });
    }

    let known = KEY.load(Acquire);
    if known != 0 {
        return libc::pthread_key_t::try_from(known - 1).ok();
    }
    let mut fresh: libc::pthread_key_t = 0;
    // SAFETY: `fresh` is ours to write, and the destructor is a plain function.
    if unsafe { libc::pthread_key_create(&raw mut fresh, Some(thread_ended)) } != 0 {
        return None;
    }
    match KEY.compare_exchange(0, fresh as usize + 1, AcqRel, Acquire) {
        Ok(_) => Some(fresh),
        Err(first) => {
            // SAFETY: this thread has just made the key and nobody else has it.
            unsafe { libc::pthread_key_delete(fresh) };
            libc::pthread_key_t::try_from(first - 1).ok()
        }
    }
}

/// Calls [`detach`] with `ledger` when the current thread ends.
#[cfg(not(highwater_unix))]
pub(super) fn notify(ledger: &'static Ledger) {
    use crate::alloc::sync::thread_local;
    use std::cell::Cell;

    struct AtEnd(Cell<Option<&'static Ledger>>);

    impl Drop for AtEnd {
        fn drop(&mut self) {
            if let Some(ledger) = self.0.get() {
                detach(ledger);
            }
        }
    }

    thread_local! {
        static AT_END: AtEnd = const { AtEnd(Cell::new(None)) };
    }
    // On failure the thread keeps its ledger for ever, which costs memory, not
    // exactness.
    let _ = AT_END.try_with(|at_end| at_end.0.set(Some(ledger)));
}
