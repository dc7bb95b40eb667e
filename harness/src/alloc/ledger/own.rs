//! The paths on which a block costs a few additions: what is in the place of this thread's
//! ledger, and what can be done with it at once.

#[cfg(highwater_stacks)]
use super::Follower;
use super::{LEDGER, Ledger, NONE};
use crate::alloc::counters::FLUSH_BYTES;
use crate::alloc::sync::atomic::Ordering::Relaxed;
use std::cell::Cell;
use std::ptr;

/// What this thread counts in: its ledger, or what is in its place.
#[derive(Clone, Copy)]
pub(in crate::alloc) struct Own(*const Ledger);

/// That of the calling thread.
#[inline(always)]
pub(in crate::alloc) fn own() -> Own {
    Own(LEDGER.with(Cell::get))
}

impl Own {
    #[inline(always)]
    pub(super) fn ledger(self) -> &'static Ledger {
        // SAFETY: nothing else is ever put into `LEDGER`.
        unsafe { &*self.0 }
    }

    /// Whether no fast path is open for any block: the thread has no ledger yet, or notes are
    /// made of what it allocates.
    #[inline(always)]
    pub(in crate::alloc) fn is_sentinel(self) -> bool {
        ptr::eq(self.0, &raw const NONE)
    }

    /// Whether no fast path is open for a block with this footer: it belongs to another
    /// scope than this thread's, or this thread's is traced.
    #[inline(always)]
    pub(in crate::alloc) fn is_slow(self, footer: u32) -> bool {
        !self.ledger().has(footer)
    }

    /// Counts a new block and returns the footer to write behind it. Does nothing
    /// and returns none where more is to be done than a few additions: the thread
    /// has no ledger yet, or must flush it. Then [`Ledger::allocated`] is for it.
    #[inline(always)]
    pub(in crate::alloc) fn try_allocated(self, size: usize) -> Option<u32> {
        let ledger = self.ledger();
        ledger.try_allocated(size)?;
        Some(ledger.footer())
    }

    /// Counts a free by the rule of [`try_allocated`](Self::try_allocated): false, and
    /// nothing is done, also where the block belongs to another scope. Then
    /// [`Ledger::freed`] is for it.
    #[inline(always)]
    pub(in crate::alloc) fn try_freed(self, footer: u32, size: usize) -> bool {
        let ledger = self.ledger();
        ledger.has(footer) && ledger.try_freed(size).is_some()
    }

    /// What there is beside the ledger of this thread, if that is known to be followed.
    #[cfg(highwater_stacks)]
    #[inline(always)]
    pub(in crate::alloc) fn follower(self) -> Option<&'static Follower> {
        // SAFETY: a ledger that lives for ever, or the start of a follower.
        unsafe { Follower::of(self.0) }
    }

    /// The same, if also blocks with this footer are of the scope that it stands in.
    #[cfg(highwater_stacks)]
    #[inline(always)]
    pub(in crate::alloc) fn follower_with(self, footer: u32) -> Option<&'static Follower> {
        // SAFETY: as above.
        unsafe { Follower::with(self.0, footer) }
    }
}

impl Ledger {
    /// Counts a new block; none, and nothing is done, if the ledger had to be flushed.
    #[inline(always)]
    pub(in crate::alloc) fn try_allocated(&self, size: usize) -> Option<()> {
        let live = self.counters.live_after(size as i64);
        if live > self.highest.load(Relaxed) {
            if live >= FLUSH_BYTES {
                return None;
            }
            self.highest.store(live, Relaxed);
        }
        self.counters.allocated(size, live);
        Some(())
    }

    /// Counts the free of a block; none, and nothing is done, if the ledger had to be
    /// flushed.
    #[inline(always)]
    pub(in crate::alloc) fn try_freed(&self, size: usize) -> Option<()> {
        let live = self.counters.live_after(-(size as i64));
        if live <= -FLUSH_BYTES {
            return None;
        }
        self.counters.freed(live);
        Some(())
    }

    /// Counts a block of this scope that was resized; none, and nothing is done, if the
    /// ledger had to be flushed.
    #[cfg(highwater_stacks)]
    #[inline(always)]
    pub(in crate::alloc) fn try_resized(&self, old_size: usize, new_size: usize) -> Option<()> {
        let change = (new_size as i64).wrapping_sub(old_size as i64);
        let live = self.counters.live_after(change);
        if live.abs() >= FLUSH_BYTES {
            return None;
        }
        self.counters.resized(old_size, new_size);
        if live > self.highest.load(Relaxed) {
            self.highest.store(live, Relaxed);
        }
        Some(())
    }
}
