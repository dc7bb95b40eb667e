//! How one thread has all others choose their path again.
//!
//! Which path a thread takes is in a thread-local, which nobody else can write to. But its
//! ledger can be marked: beside a mark, the footer is no block's. So the next free or resize
//! of the thread leaves the fast path, and so does the flush that comes after 4 KiB of
//! allocations. There the mark is found and taken off, and the thread chooses. The fast path
//! itself knows nothing of it.

use super::Ledger;
use super::pools::ledgers;
use crate::alloc::sync::atomic::Ordering::Relaxed;

/// Above every footer, and another bit than [`NO_FOOTER`](super::NO_FOOTER).
const CALLED: u64 = 1 << 33;

/// Marks all ledgers. A thread that changes scope at this very moment may take its mark off
/// unseen; it chooses its path right after that.
// Not needed where call stacks can't be taken.
#[allow(dead_code)]
pub(in crate::alloc) fn call_all() {
    for ledger in ledgers() {
        ledger.footer.fetch_or(CALLED, Relaxed);
    }
}

/// Takes off all marks that are left.
// Not needed where call stacks can't be taken.
#[allow(dead_code)]
pub(in crate::alloc) fn call_off() {
    for ledger in ledgers() {
        ledger.footer.fetch_and(!CALLED, Relaxed);
    }
}

impl Ledger {
    pub(super) fn is_called(&self) -> bool {
        self.footer.load(Relaxed) & CALLED != 0
    }

    /// The calling thread, whose ledger it is, chooses its path.
    pub(super) fn answer(&'static self) {
        self.footer.fetch_and(!CALLED, Relaxed);
        self.choose_path();
    }
}
