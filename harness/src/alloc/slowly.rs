//! Counting by the calling thread's ledger where more may be to do than a few additions: it
//! has none yet, has to flush it, or its blocks are followed to their call stacks.

use super::{footer, ledger, refuse};

/// Counts a new block and writes its footer.
///
/// # Safety
/// `block` was just allocated with room for `size` bytes and the footer.
pub(super) unsafe fn allocated(block: *mut u8, size: usize) {
    let ledger = ledger::current();
    // SAFETY: the caller promises the room.
    unsafe { footer::write(block, size, ledger.footer()) };
    ledger.allocated(size);
}

/// Counts a block that was resized, writes its footer and returns that.
///
/// # Safety
/// `block` is live with room for `new_size` bytes and the footer.
#[cfg_attr(not(debug_assertions), inline)]
pub(super) unsafe fn resized(block: *mut u8, owner: u32, old_size: usize, new_size: usize) -> u32 {
    let owner = ledger::current().resized(owner, old_size, new_size);
    // SAFETY: the caller promises the room.
    unsafe { footer::write(block, new_size, owner) };
    owner
}

/// Whether an allocation of this thread is to fail, though there is memory.
#[inline(always)]
pub(super) fn refuses(size: usize, is_resized: bool) -> bool {
    ledger::own().is_sentinel() && refuses_noted(size, is_resized)
}

#[cold]
#[inline(never)]
fn refuses_noted(size: usize, is_resized: bool) -> bool {
    let is_noted = ledger::is_traced() && ledger::current().scope().is_noted();
    is_noted && refuse::refuses(size, is_resized)
}

/// Notes an allocation of this thread in the scopes around it that keep notes.
#[cold]
#[inline(never)]
pub(super) fn note(size: usize, is_resized: bool) {
    let scope = ledger::current().scope();
    if scope.is_noted() {
        for notes in scope.chain().filter_map(|record| record.notes()) {
            notes.add(size, is_resized);
        }
    }
}
