//! [`Usage`]: what a scope has used, as plain figures.

use crate::alloc::{Overruns, Reading};
use crate::text::{Blocks, Thousands};
use std::fmt;

/// What a scope has used up to the moment of asking.
///
/// Bytes are what the program asked for, never what the allocator rounded them
/// up to. Blocks are allocations: a block that was resized is still one block.
/// Frees of blocks from outside the scope are not in here; they belong to the
/// scope that allocated them. A block from outside that is resized inside counts
/// as a new one.
///
/// Its `Display` form is one line, with units.
///
/// ```
/// # #[global_allocator]
/// # static ALLOC: highwater::Alloc = highwater::Alloc::system();
/// let (kept, usage) = highwater::measure(|| {
///     drop(vec![0_u8; 10_000]);
///     vec![0_u8; 3_000]
/// });
/// assert_eq!(usage.live_bytes, 3_000);
/// assert_eq!(usage.peak_bytes, 10_000);
/// assert_eq!(
///     usage.to_string(),
///     "3,000 B live in 1 block, peak 10,000 B, 13,000 B in 2 blocks allocated, 0 reallocations"
/// );
/// # drop(kept);
/// ```
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

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} B live in {}, peak {} B",
            Thousands(self.live_bytes),
            Blocks(self.live_blocks),
            Thousands(self.peak_bytes)
        )?;
        if self.peak_error_bytes > 0 {
            write!(f, " + at most {} B", Thousands(self.peak_error_bytes))?;
        }
        write!(
            f,
            ", {} B in {} allocated, {} reallocation{}",
            Thousands(self.total_bytes),
            Blocks(self.total_blocks),
            Thousands(self.reallocations),
            if self.reallocations == 1 { "" } else { "s" }
        )?;
        if self.overruns > 0 {
            write!(f, ", {} damaged", Blocks(self.overruns))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Usage;

    #[test]
    fn it_prints_units_and_thousands() {
        let usage = Usage {
            live_bytes: 1_234_567,
            live_blocks: 1,
            peak_bytes: 2_000_000,
            peak_error_bytes: 8_192,
            total_bytes: 3_000_000,
            total_blocks: 4_321,
            reallocations: 1,
            overruns: 2,
            ..Usage::default()
        };
        assert_eq!(
            usage.to_string(),
            "1,234,567 B live in 1 block, peak 2,000,000 B + at most 8,192 B, \
             3,000,000 B in 4,321 blocks allocated, 1 reallocation, 2 blocks damaged"
        );
    }
}
