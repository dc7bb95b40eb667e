//! Hearing that a thread ends, so that its ledger can serve another thread.
//!
//! A [pthread key](crate::alloc::thread_key) does it. Where there are no pthreads, a thread-local
//! with a destructor does: it is registered before most others and so runs late,
//! and what is allocated later still is counted as outside every scope.

use super::{Ledger, detach};

/// Calls [`detach`] with `ledger` when the current thread ends.
#[cfg(highwater_unix)]
pub(super) fn notify(ledger: &'static Ledger) {
    use crate::alloc::thread_key::ThreadKey;

    static KEY: ThreadKey = ThreadKey::new(thread_ended);

    unsafe extern "C" fn thread_ended(ledger: *mut libc::c_void) {
        // SAFETY: the key is set to a ledger below, which lives for ever.
        detach(unsafe { &*ledger.cast::<Ledger>() });
    }

    // On failure the thread keeps its ledger for ever, which costs memory, not exactness.
    KEY.set(ledger);
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
