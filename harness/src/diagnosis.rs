//! [`Diagnosis`]: which call stacks allocated what a scenario holds.
//!
//! When a scenario fails it is run again, with a call stack for each block. `watch.rs`
//! writes down what it does, `frames.rs` finds the names, `text.rs` prints them.

mod text;
mod types;
mod watch;

use crate::alloc::{Live, Total};
use crate::holders::Holder;
use crate::symbols::Frame;
use crate::verdict::Verdict;
use std::cmp::Reverse;
pub(crate) use watch::Watch;

/// Where the memory of a scenario comes from: its allocation sites, those that grew
/// most first.
///
/// Its `Display` form holds no address and no path outside of the project.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnosis {
    pub(crate) sites: Vec<Site>,
    pub(crate) steps: (u64, u64),
    /// None if the moment of the peak was not met.
    pub(crate) peak_step: Option<u64>,
    pub(crate) growth_bytes: i64,
    /// If it is the peak that failed, and nothing else.
    pub(crate) peak_bytes: Option<u64>,
    pub(crate) lost_blocks: u64,
    pub(crate) has_lines: bool,
    /// Why nobody knows who holds what.
    pub(crate) holders_obstacle: Option<String>,
    pub(crate) unsearched_threads: usize,
    pub(crate) trap: Option<Trap>,
}

/// The allocation that passed the limit of [`Scenario::stop_at`](crate::Scenario::stop_at).
#[derive(Clone, Debug, PartialEq)]
pub struct Trap {
    pub(crate) frames: Vec<Frame>,
    pub(crate) type_name: Option<String>,
    pub(crate) size_bytes: u64,
    pub(crate) live_bytes: u64,
}

impl Trap {
    /// Its call stack, as [`Site::frames`].
    pub fn frames(&self) -> &[Frame] {
        &self.frames
    }

    /// What it allocated, if the program's symbols tell.
    pub fn type_name(&self) -> Option<&str> {
        self.type_name.as_deref()
    }

    /// How many bytes the block has.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Live bytes with it.
    pub fn live_bytes(&self) -> u64 {
        self.live_bytes
    }
}

/// One allocation site: a call stack, and what is live of what it allocated.
#[derive(Clone, Debug, PartialEq)]
pub struct Site {
    pub(crate) frames: Vec<Frame>,
    pub(crate) type_name: Option<String>,
    pub(crate) growth: Live,
    pub(crate) live: Live,
    /// None if the moment of the peak was not met.
    pub(crate) at_peak: Option<Live>,
    /// From set-up to the end of the requested steps.
    pub(crate) total: Total,
    pub(crate) verdict: Verdict,
    pub(crate) holders: Option<Vec<Holder>>,
}

impl Diagnosis {
    /// It is about the peak, not about growth: the most at that moment comes first. If
    /// that moment was not met again, as with several threads, nothing changes.
    pub(crate) fn about_the_peak(mut self, peak_bytes: u64) -> Self {
        if self.sites.iter().all(|site| site.at_peak.is_some()) {
            self.peak_bytes = Some(peak_bytes);
            self.sites
                .sort_by_key(|site| Reverse(site.at_peak.map(|live| live.bytes)));
        }
        self
    }

    /// The sites, by growth, the most first; those that are judged growing go before
    /// the others. If nothing but a ceiling on the peak was passed: by what they held
    /// then.
    pub fn sites(&self) -> &[Site] {
        &self.sites
    }

    /// The growth of live bytes over the requested steps of the run that this is of.
    pub fn growth_bytes(&self) -> i64 {
        self.growth_bytes
    }

    /// How much of the growth its sites tell, in bytes.
    pub fn explained_bytes(&self) -> i64 {
        let told = self.sites.iter().filter(|site| !site.frames.is_empty());
        told.map(|site| site.growth.bytes).sum()
    }

    /// The allocation that passed the limit to stop at, if there was one.
    pub fn trap(&self) -> Option<&Trap> {
        self.trap.as_ref()
    }

    pub(crate) fn stopped_with(&self) -> Option<u64> {
        self.trap.as_ref().map(Trap::live_bytes)
    }

    /// Why nobody knows who holds what; none if that is known.
    pub fn holders_obstacle(&self) -> Option<&str> {
        self.holders_obstacle.as_deref()
    }

    /// Blocks that could not be followed to their site.
    pub fn lost_blocks(&self) -> u64 {
        self.lost_blocks
    }
}

impl Site {
    /// The call stack, the innermost first, without the frames of the allocator, of
    /// std and of this library. Empty if the stack could not be told.
    pub fn frames(&self) -> &[Frame] {
        &self.frames
    }

    /// What was allocated, such as `Vec<Candle>`, if the program's symbols tell.
    pub fn type_name(&self) -> Option<&str> {
        self.type_name.as_deref()
    }

    /// By how many bytes it grew over the requested steps.
    pub fn growth_bytes(&self) -> i64 {
        self.growth.bytes
    }

    /// By how many blocks it grew over the requested steps.
    pub fn growth_blocks(&self) -> i64 {
        self.growth.blocks
    }

    /// Bytes live at the end of the requested steps.
    pub fn live_bytes(&self) -> i64 {
        self.live.bytes
    }

    /// Blocks live at the end of the requested steps.
    pub fn live_blocks(&self) -> i64 {
        self.live.blocks
    }

    /// Bytes live when the scenario was at its peak; none if that moment was not met
    /// again, as with several threads.
    pub fn peak_bytes(&self) -> Option<i64> {
        self.at_peak.map(|live| live.bytes)
    }

    /// Who holds its blocks at the end of the requested steps, those with most blocks
    /// first; none if that is not known.
    pub fn holders(&self) -> Option<&[Holder]> {
        self.holders.as_deref()
    }

    /// Whether what is live of it is bounded, by the rule for the whole.
    pub fn verdict(&self) -> &Verdict {
        &self.verdict
    }
}
