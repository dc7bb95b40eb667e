//! All that may be to do for a block that is followed, in the order in which it is done:
//! what `fast` does not do.

use super::shadow::{self, Entry};
use super::stack::{self, Frame, Registers, Stack};
use super::{LIMIT, MODE, PEAK, State, TABLES, number_of_trace, state};
use crate::alloc::ledger::{self, Counts, Follower};
use crate::alloc::scopes::{self, Record};
use crate::alloc::{footer, slowly};
use std::ptr;
use std::sync::atomic::Ordering::{Relaxed, Release};

/// Counts a new block, writes its footer, follows it, if it is to be followed, and returns
/// it: all that may be to do. Null if the allocation is to fail: then the block is lost, for the
/// process is there for that failure alone.
///
/// # Safety
/// `block` was just allocated with room for `size` bytes and the footer; `frame` is of a
/// function that is still running.
#[cold]
#[inline(never)]
pub(super) unsafe fn allocated(block: *mut u8, size: usize, frame: Frame) -> *mut u8 {
    #[cfg(test)]
    super::tests::note_slow_path();
    if slowly::refuses(size, false) {
        return ptr::null_mut();
    }
    // SAFETY: the caller's promises are passed on.
    unsafe { slowly::allocated(block, size) };
    if ledger::is_traced() {
        slowly::note(size, false);
        follow_new(block, size, frame);
    }
    // Or the caller would keep it in a register that it had to save before.
    stack::opaque(block as usize) as *mut u8
}

/// Follows a block of a thread that stands in a scope that is traced.
#[inline(never)]
fn follow_new(block: *mut u8, size: usize, frame: Frame) {
    let Some(state) = state() else { return };
    // Of an earlier trace, a thread may be left over.
    if !state.follows(ledger::current().scope()) {
        return ledger::leave_trace();
    }
    let own = ledger::own_follower();
    if let Some(own) = own {
        own.count_in(number_of_trace(), state.sites.most());
    }
    let registers = Registers::now();
    let mut stack = Stack::new();
    let number = if !state.walker.walk(registers, frame, &mut stack) {
        0
    } else if let Some(number) = state.sites.find(stack.hash()) {
        number
    } else if state.walker.check(registers, frame, &mut stack) {
        state.sites.find_or_add(&stack)
    } else {
        0
    };
    if !state.walker.has_frame_pointers() {
        MODE.fetch_or(TABLES, Relaxed);
    }
    follow(state, block, Entry { site: number, size });
    note_level(state, number, size);
    if let (Some(own), Some(near)) = (own, shadow::near(block as usize)) {
        let stays = state.follows_for_good(own.ledger().scope());
        own.follow_with(state.sites.slots(), near, stays);
    }
}

fn follow(state: &State, block: *mut u8, entry: Entry) {
    // A number of 0 and a size of 0 would look like no entry at all.
    if !shadow::put(block as usize, entry) {
        state.lost.fetch_add(1, Relaxed);
        return;
    }
    match counts(state, entry.site) {
        Ok(own) => own.allocated(entry.size),
        Err(of_site) => of_site.allocated_by_any(entry.size),
    }
}

/// Where the calling thread counts for a site: what is its own, or, if it has none for this
/// trace, what is the site's.
fn counts(state: &State, site: u32) -> Result<&'static Counts, &Counts> {
    let is_of_trace = |own: &&Follower| own.trace() == number_of_trace();
    match ledger::own_follower().filter(is_of_trace) {
        Some(own) => Ok(own.counts(site)),
        None => Err(state.sites.counts(site)),
    }
}

/// Notes the sites' shares if this is the peak, and the allocation if it passes the limit.
#[inline(always)]
fn note_level(state: &State, number: u32, size: usize) {
    let peak_at = state.peak_at.load(Relaxed);
    let stop_above = state.stop_above.load(Relaxed);
    if peak_at.min(stop_above) == i64::MAX {
        return;
    }
    let Some(scope) = state.scope() else {
        return;
    };
    let live = scope.counters.live_after(0) + ledger::current().unflushed_bytes();
    if live >= peak_at {
        state.peak_at.store(i64::MAX, Relaxed);
        MODE.fetch_and(!PEAK, Relaxed);
        state.sites.note_peak(number_of_trace());
        state.has_peak.store(true, Relaxed);
    }
    if live > stop_above {
        state.stop_above.store(i64::MAX, Relaxed);
        MODE.fetch_and(!LIMIT, Relaxed);
        state.stopped_size.store(size, Relaxed);
        state.stopped_live.store(live, Relaxed);
        state.stopped_by.store(number + 1, Release);
    }
}

fn is_traced(owner: u32) -> bool {
    let scope = footer::open(owner).and_then(scopes::lookup);
    scope.is_some_and(Record::is_traced)
}

/// Stops following a block with this footer that is about to be freed, if it was followed.
pub(in crate::alloc) fn freed(block: *mut u8, owner: u32) {
    #[cfg(test)]
    super::tests::note_slow_path();
    if is_traced(owner) {
        count_freed(shadow::unpacked(
            block as usize,
            shadow::take(block as usize),
        ));
    }
}

fn count_freed(taken: Option<Entry>) {
    let (Some(state), Some(Entry { site, size })) = (state(), taken) else {
        return;
    };
    match counts(state, site) {
        Ok(own) => own.freed(size),
        Err(of_site) => of_site.freed_by_any(size),
    }
}

/// A block that is about to be resized, and may move.
pub(in crate::alloc) struct Resize {
    pub(super) old: usize,
    pub(super) old_size: usize,
    pub(super) new_size: usize,
    /// Its footer.
    pub(super) owner: u32,
    /// How it was followed; 0 if it was not. It is not any more: another thread may have
    /// its place when it has moved.
    pub(super) taken: u64,
}

impl Resize {
    #[inline(always)]
    pub(in crate::alloc) fn of(
        block: *mut u8,
        old_size: usize,
        new_size: usize,
        owner: u32,
    ) -> Self {
        let old = block as usize;
        let is_followed = ledger::own().follower_with(owner).is_some() || is_traced(owner);
        Self {
            old,
            old_size,
            new_size,
            owner,
            taken: if is_followed { shadow::take(old) } else { 0 },
        }
    }
}

/// Counts a block that is now at `block`, writes its footer and follows it, or, if that is
/// null, leaves everything as it was. Where the thread that resized it is not traced, it
/// stays with the site that it had. Returns `block`.
///
/// # Safety
/// `block` is null, or live with room for the new size and the footer; `frame` is of a
/// function that is still running.
#[cold]
#[inline(never)]
pub(super) unsafe fn resized(block: *mut u8, resize: &Resize, frame: Frame) -> *mut u8 {
    #[cfg(test)]
    super::tests::note_slow_path();
    let Resize {
        old_size, new_size, ..
    } = *resize;
    if block.is_null() {
        shadow::put_back(resize.old, resize.taken);
        return block;
    }
    // SAFETY: the caller's promises are passed on.
    let owner = unsafe { slowly::resized(block, resize.owner, old_size, new_size) };
    let taken = shadow::unpacked(resize.old, resize.taken);
    count_freed(taken);
    if ledger::is_traced() {
        slowly::note(new_size, true);
    }
    if is_traced(owner) {
        if ledger::is_traced() {
            follow_new(block, new_size, frame);
        } else if let (Some(state), Some(Entry { site, .. })) = (state(), taken) {
            let size = new_size;
            follow(state, block, Entry { site, size });
        }
    }
    block
}
