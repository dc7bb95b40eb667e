//! The figures that are kept for a scope, and for a thread between two flushes.
//!
//! One shape serves both: a thread adds to its own with plain loads and stores,
//! since nobody else writes there; a scope's are added to by many threads and
//! use atomic additions. Everything else is derived, so that two figures can
//! never contradict each other: freed bytes are total minus live.

use super::sync::atomic::{
    AtomicI64, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

/// The net change at which a thread tells its scope.
pub(crate) const FLUSH_BYTES: i64 = 4096;

/// Monotonic totals, and the live bytes that they leave.
pub(super) struct Counters {
    pub(super) live_bytes: AtomicI64,
    total_bytes: AtomicU64,
    total_blocks: AtomicU64,
    freed_blocks: AtomicU64,
    reallocations: AtomicU64,
    reallocated_bytes: AtomicU64,
    regrown_bytes: AtomicU64,
}

/// A copy of [`Counters`], or the sum of several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Bytes allocated and not freed. Negative in a thread that frees what
    /// others allocated in the same scope.
    pub(crate) live_bytes: i64,
    pub(crate) total_bytes: u64,
    pub(crate) total_blocks: u64,
    pub(crate) freed_blocks: u64,
    pub(crate) reallocations: u64,
    pub(crate) reallocated_bytes: u64,
    pub(crate) regrown_bytes: u64,
}

/// Adds without a locked instruction: right where one thread writes.
#[inline(always)]
fn add(counter: &AtomicU64, by: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(by), Relaxed);
}

impl Counters {
    pub(super) const fn new() -> Self {
        Self::with_live_bytes(0)
    }

    pub(super) const fn with_live_bytes(live_bytes: i64) -> Self {
        Self {
            live_bytes: AtomicI64::new(live_bytes),
            total_bytes: AtomicU64::new(0),
            total_blocks: AtomicU64::new(0),
            freed_blocks: AtomicU64::new(0),
            reallocations: AtomicU64::new(0),
            reallocated_bytes: AtomicU64::new(0),
            regrown_bytes: AtomicU64::new(0),
        }
    }

    /// Own thread only: what the live bytes will be after a change.
    #[inline(always)]
    pub(super) fn live_after(&self, change: i64) -> i64 {
        self.live_bytes.load(Relaxed).wrapping_add(change)
    }

    /// Own thread only: a block of `size` bytes was allocated, which makes `live`
    /// bytes.
    #[inline(always)]
    pub(super) fn allocated(&self, size: usize, live: i64) {
        self.live_bytes.store(live, Relaxed);
        add(&self.total_blocks, 1);
        add(&self.total_bytes, size as u64);
    }

    /// Own thread only: a block was freed, which leaves `live` bytes.
    #[inline(always)]
    pub(super) fn freed(&self, live: i64) {
        self.live_bytes.store(live, Relaxed);
        add(&self.freed_blocks, 1);
    }

    /// Own thread only: a block of this scope was resized. Only the net
    /// change counts towards live and total bytes. Returns the live bytes.
    #[inline(always)]
    pub(super) fn resized(&self, old_size: usize, new_size: usize) -> i64 {
        if let Some(growth) = new_size.checked_sub(old_size) {
            add(&self.total_bytes, growth as u64);
            add(&self.regrown_bytes, growth as u64);
        }
        self.note_reallocation(new_size);
        let live = self.live_after(new_size as i64 - old_size as i64);
        self.live_bytes.store(live, Relaxed);
        live
    }

    /// Own thread only: `realloc` was called for a block that ends up with
    /// `new_size` bytes.
    #[inline(always)]
    pub(super) fn note_reallocation(&self, new_size: usize) {
        add(&self.reallocations, 1);
        add(&self.reallocated_bytes, new_size as u64);
    }

    /// Any thread: a block of `size` bytes was freed by a thread that stands in
    /// another scope. The block is counted last, since a scope without live
    /// blocks may be ended for good, and its counters serve another.
    pub(super) fn freed_elsewhere(&self, size: usize) {
        self.live_bytes.fetch_sub(size as i64, Relaxed);
        self.freed_blocks.fetch_add(1, Release);
    }

    /// Any thread: a block was resized by a thread that stands in another scope, and
    /// stays with this one. Returns the live bytes after that.
    pub(super) fn resized_elsewhere(&self, old_size: usize, new_size: usize) -> i64 {
        if let Some(growth) = new_size.checked_sub(old_size) {
            self.total_bytes.fetch_add(growth as u64, Relaxed);
            self.regrown_bytes.fetch_add(growth as u64, Relaxed);
        }
        self.reallocated_elsewhere(new_size);
        let change = new_size as i64 - old_size as i64;
        self.live_bytes.fetch_add(change, Relaxed) + change
    }

    /// Any thread: `realloc` was called for a block that ends up with `new_size` bytes.
    pub(super) fn reallocated_elsewhere(&self, new_size: usize) {
        self.reallocations.fetch_add(1, Relaxed);
        self.reallocated_bytes.fetch_add(new_size as u64, Relaxed);
    }

    /// Any thread: a block of `size` bytes is now this scope's, though no ledger of its
    /// threads counts it. Returns the live bytes after that.
    pub(super) fn allocated_elsewhere(&self, size: usize) -> i64 {
        self.total_blocks.fetch_add(1, Relaxed);
        self.total_bytes.fetch_add(size as u64, Relaxed);
        self.live_bytes.fetch_add(size as i64, Relaxed) + size as i64
    }

    /// Any thread: adds `totals`. Returns the live bytes before.
    pub(super) fn absorb(&self, totals: &Totals) -> i64 {
        self.total_bytes.fetch_add(totals.total_bytes, Relaxed);
        self.total_blocks.fetch_add(totals.total_blocks, Relaxed);
        self.freed_blocks.fetch_add(totals.freed_blocks, Relaxed);
        if totals.reallocations > 0 {
            self.reallocations.fetch_add(totals.reallocations, Relaxed);
            self.reallocated_bytes
                .fetch_add(totals.reallocated_bytes, Relaxed);
            self.regrown_bytes.fetch_add(totals.regrown_bytes, Relaxed);
        }
        self.live_bytes.fetch_add(totals.live_bytes, Relaxed)
    }

    /// The figures now; coherent when no other thread is writing.
    pub(super) fn totals(&self) -> Totals {
        Totals {
            live_bytes: self.live_bytes.load(Relaxed),
            total_bytes: self.total_bytes.load(Relaxed),
            total_blocks: self.total_blocks.load(Relaxed),
            freed_blocks: self.freed_blocks.load(Acquire),
            reallocations: self.reallocations.load(Relaxed),
            reallocated_bytes: self.reallocated_bytes.load(Relaxed),
            regrown_bytes: self.regrown_bytes.load(Relaxed),
        }
    }

    /// Back to nothing.
    pub(super) fn reset(&self) {
        self.live_bytes.store(0, Relaxed);
        for counter in [
            &self.total_bytes,
            &self.total_blocks,
            &self.freed_blocks,
            &self.reallocations,
            &self.reallocated_bytes,
            &self.regrown_bytes,
        ] {
            counter.store(0, Relaxed);
        }
    }
}

impl Totals {
    /// Blocks allocated and not freed; negative where `live_bytes` may be.
    pub(crate) fn live_blocks(&self) -> i64 {
        self.total_blocks.wrapping_sub(self.freed_blocks) as i64
    }

    pub(super) fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// What came since `before`, of the same counters.
    pub(crate) fn since(&self, before: &Self) -> Self {
        Self {
            live_bytes: self.live_bytes - before.live_bytes,
            total_bytes: self.total_bytes.wrapping_sub(before.total_bytes),
            total_blocks: self.total_blocks.wrapping_sub(before.total_blocks),
            freed_blocks: self.freed_blocks.wrapping_sub(before.freed_blocks),
            reallocations: self.reallocations.wrapping_sub(before.reallocations),
            reallocated_bytes: self
                .reallocated_bytes
                .wrapping_sub(before.reallocated_bytes),
            regrown_bytes: self.regrown_bytes.wrapping_sub(before.regrown_bytes),
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.live_bytes += other.live_bytes;
        self.total_bytes += other.total_bytes;
        self.total_blocks += other.total_blocks;
        self.freed_blocks += other.freed_blocks;
        self.reallocations += other.reallocations;
        self.reallocated_bytes += other.reallocated_bytes;
        self.regrown_bytes += other.regrown_bytes;
    }
}
