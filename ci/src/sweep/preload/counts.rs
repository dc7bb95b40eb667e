//! The figures: what is live, what was at most, and all that there was.

use crate::system::pthread_self;
use crate::{limit, stacks};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

// Of all threads that count.
pub(crate) static LIVE_BYTES: AtomicUsize = AtomicUsize::new(0);
pub(crate) static LIVE_BLOCKS: AtomicUsize = AtomicUsize::new(0);
pub(crate) static PEAK_BYTES: AtomicUsize = AtomicUsize::new(0);
pub(crate) static TOTAL_BYTES: AtomicUsize = AtomicUsize::new(0);
pub(crate) static TOTAL_BLOCKS: AtomicUsize = AtomicUsize::new(0);
/// The blocks of a main thread that does not count, by which the tool sees whether the program
/// can be seen.
pub(crate) static MAIN_BLOCKS: AtomicUsize = AtomicUsize::new(0);
/// The main thread, or [`NOBODY`] if it counts too; 0 before the start.
pub(crate) static MAIN: AtomicUsize = AtomicUsize::new(0);
/// No thread's number, which is an address.
pub(crate) const NOBODY: usize = 1;

/// Whether anything counts yet.
pub(crate) fn is_started() -> bool {
    MAIN.load(Relaxed) != 0
}

/// Whether this thread's allocations count.
pub(crate) fn is_counted() -> bool {
    let main = MAIN.load(Relaxed);
    // SAFETY: it takes nothing and always answers.
    main != 0 && main != unsafe { pthread_self() }
}

/// Adds to what is live, and raises the peak. Ends the process if that is above the limit.
pub(crate) fn rise(bytes: usize) {
    let live = LIVE_BYTES.fetch_add(bytes, Relaxed).wrapping_add(bytes);
    PEAK_BYTES.fetch_max(live, Relaxed);
    TOTAL_BYTES.fetch_add(bytes, Relaxed);
    stacks::rose(live);
    let limit = limit::LIMIT.load(Relaxed);
    // Of several threads that pass it, the first one says so, and the others go on until then.
    let is_first = || {
        let limited = &limit::LIMIT;
        limited
            .compare_exchange(limit, usize::MAX, Relaxed, Relaxed)
            .is_ok()
    };
    if live > limit && is_first() {
        limit::pass(bytes, live, limit);
    }
}
