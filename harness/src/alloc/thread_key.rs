//! [`ThreadKey`]: a value for each thread, and what is called with it when the thread ends.
//!
//! A pthread key's destructor runs after the destructors of thread-locals, which may still
//! allocate and free.

use libc::{c_void, pthread_key_t};
use std::sync::atomic::{
    AtomicUsize,
    Ordering::{AcqRel, Acquire},
};

pub(super) struct ThreadKey {
    /// The key plus one; zero while there is none.
    key: AtomicUsize,
    at_end: unsafe extern "C" fn(*mut c_void),
}

impl ThreadKey {
    pub(super) const fn new(at_end: unsafe extern "C" fn(*mut c_void)) -> Self {
        let key = AtomicUsize::new(0);
        Self { key, at_end }
    }

    /// Has it called with `value` when this thread ends; false if that can't be had. It may
    /// allocate in C.
    pub(super) fn set<T>(&self, value: &'static T) -> bool {
        let set = |key| {
            // SAFETY: the key was created and is never deleted.
            unsafe { libc::pthread_setspecific(key, std::ptr::from_ref(value).cast()) == 0 }
        };
        self.key().is_some_and(set)
    }

    fn key(&self) -> Option<pthread_key_t> {
        let known = self.key.load(Acquire);
        if known != 0 {
            return pthread_key_t::try_from(known - 1).ok();
        }
        let mut fresh: pthread_key_t = 0;
        // SAFETY: `fresh` is ours to write, and the destructor is a plain function.
        if unsafe { libc::pthread_key_create(&raw mut fresh, Some(self.at_end)) } != 0 {
            return None;
        }
        let ours = (self.key).compare_exchange(0, fresh as usize + 1, AcqRel, Acquire);
        let Err(first) = ours else {
            return Some(fresh);
        };
        // SAFETY: this thread has just made the key and nobody else has it.
        unsafe { libc::pthread_key_delete(fresh) };
        pthread_key_t::try_from(first - 1).ok()
    }
}
