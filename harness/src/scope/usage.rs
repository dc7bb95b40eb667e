//! [`Usage`]: what a scope has used, as plain figures.

use crate::alloc::{Overruns, Reading};

/// What a scope has used up to the moment of asking.
///
/// Bytes are what the program asked for, never what the allocator rounded them
/// up to. Blocks are allocations: a block that was resized is still one block.
/// Frees of blocks from outside the scope are not in here; they belong to the
/// scope that allocated them. A block from outside that is resized inside counts
/// as a new one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// Bytes allocated and not freed.
    pub live_bytes: u64,
    /// Blocks allocated and not freed.
    pub live_blocks: u64,
    /// The maximum of the live bytes so far. A reallocation counts its net
    /// change, so this is what the program held, without copies in flight.
    pub peak_bytes: u64,
    /// How far the true maximum may lie above `peak_bytes`: 0 if one thread at a
    /// time allocated in the scope, else 4,096 bytes for each of them.
    pub peak_error_bytes: u64,
    /// All bytes allocated, with the growth of resized blocks.
    pub total_bytes: u64,
    /// All blocks allocated.
    pub total_blocks: u64,
    /// All bytes freed, with the shrinkage of resized blocks:
    /// `total_bytes - live_bytes`.
    pub freed_bytes: u64,
    /// All blocks freed: `total_blocks - live_blocks`.
    pub freed_blocks: u64,
    /// How many times a block was resized.
    pub reallocations: u64,
    /// The sum of the new sizes of resized blocks: the most that was copied.
    pub reallocated_bytes: u64,
    /// The part of `total_bytes` by which resized blocks grew.
    pub regrown_bytes: u64,
    /// Blocks freed in the scope that the program had damaged by writing past
    /// their end, or that it freed with another size than it had asked for.
    pub overruns: u64,
}

impl Usage {
    pub(crate) fn new(reading: &Reading, overruns: Option<&Overruns>) -> Self {
        let totals = &reading.totals;
        let live_bytes = u64::try_from(totals.live_bytes).unwrap_or(0);
        Self {
            live_bytes,
            live_blocks: u64::try_from(totals.live_blocks()).unwrap_or(0),
            peak_bytes: reading.peak_bytes,
            peak_error_bytes: reading.peak_error_bytes,
            total_bytes: totals.total_bytes,
            total_blocks: totals.total_blocks,
            freed_bytes: totals.total_bytes.saturating_sub(live_bytes),
            freed_blocks: totals.freed_blocks,
            reallocations: totals.reallocations,
            reallocated_bytes: totals.reallocated_bytes,
            regrown_bytes: totals.regrown_bytes,
            overruns: overruns.map_or(0, |overruns| overruns.count),
        }
    }
}
