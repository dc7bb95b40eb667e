//! [`Diagnosis`]: which call stacks allocated what a scenario holds.
//!
//! When a scenario fails it is run again in call-stack mode. `watch.rs` records the levels of
//! each call stack, `symbols` finds the names, `text.rs` prints them.

mod recording;
mod series;
mod text;
mod types;
mod watch;

use crate::alloc::{Live, Total};
use crate::holders::Holder;
use crate::symbols::Frame;
use crate::text::signature::signature;
use crate::verdict::Verdict;
pub use recording::{Level, Levels, RecordError, Recording};
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
    pub(crate) series_steps: Vec<u64>,
    pub(crate) series_bytes: Vec<u64>,
    /// None if the moment of the peak was not met.
    pub(crate) peak_step: Option<u64>,
    pub(crate) growth_bytes: i64,
    pub(crate) subject: Subject,
    pub(crate) lost_blocks: u64,
    pub(crate) has_lines: bool,
    /// Why the holders are not known.
    pub(crate) holders_obstacle: Option<String>,
    pub(crate) unsearched_threads: usize,
    pub(crate) trap: Option<Trap>,
    /// How long names took, in seconds, if that was long and need not have been.
    pub(crate) slow_seconds: Option<u64>,
}

/// What the sites are shown for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Growth,
    /// The peak of so many bytes failed, and nothing else.
    Peak(u64),
    /// What the steps allocate failed, and nothing else: in blocks, or else in bytes.
    StepBlocks,
    StepBytes,
    /// Live blocks of some types.
    Types,
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

/// One call site: a call stack, and what is live of what it allocated.
///
/// Its `Display` form has its figures, its frames and its holders.
///
/// ```
/// # #[global_allocator]
/// # static ALLOC: highwater::Alloc = highwater::Alloc::system();
/// # fn main() {
/// let report = highwater::Scenario::new("boxes")
///     .steps(100)
///     .diagnose(true)
///     .run(Vec::new, |boxes, i| boxes.push(Box::new(i)));
/// // None where call stacks can't be taken.
/// if let Some(diagnosis) = report.diagnosis() {
///     let first = &diagnosis.sites()[0];
///     assert!(first.growth_blocks() >= 100);
///     assert!(first.growth_bytes() >= 800);
///     assert!(first.verdict().is_growing());
/// }
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Site {
    pub(crate) frames: Vec<Frame>,
    pub(crate) type_name: Option<String>,
    pub(crate) growth: Live,
    pub(crate) live: Live,
    pub(crate) series_bytes: Vec<i64>,
    /// Whether it is of the types that the diagnosis is about.
    pub(crate) is_shown: bool,
    /// None if the moment of the peak was not met.
    pub(crate) at_peak: Option<Live>,
    /// From set-up to the end of the requested steps.
    pub(crate) total: Total,
    /// The part of it that the requested steps allocated.
    pub(crate) of_steps: Total,
    pub(crate) verdict: Verdict,
    pub(crate) holders: Option<Vec<Holder>>,
}

impl Diagnosis {
    /// Whether it is known what each site held at the peak.
    pub(crate) fn has_peak(&self) -> bool {
        self.sites.iter().all(|site| site.at_peak.is_some())
    }

    /// It is about the peak, not about growth: the most at that moment comes first. If
    /// that moment was not met again, as with several threads, nothing changes.
    pub(crate) fn about_the_peak(mut self, peak_bytes: u64) -> Self {
        if self.has_peak() {
            self.subject = Subject::Peak(peak_bytes);
            self.sites
                .sort_by_key(|site| Reverse(site.at_peak.map(|live| live.bytes)));
        }
        self
    }

    /// It is about what the steps allocate: the most comes first.
    pub(crate) fn about_the_steps(mut self, subject: Subject) -> Self {
        self.subject = subject;
        self.sites.sort_by_key(|site| {
            let Total { bytes, blocks } = site.of_steps;
            let is_of_bytes = subject == Subject::StepBytes;
            Reverse(if is_of_bytes { bytes } else { blocks })
        });
        self
    }

    /// It is about live blocks of some types: those sites alone, the most first.
    pub(crate) fn about_types(mut self, is_shown: impl Fn(&str) -> bool) -> Self {
        self.subject = Subject::Types;
        for site in &mut self.sites {
            site.is_shown = site.type_name.as_deref().is_some_and(&is_shown);
        }
        self.sites
            .sort_by_key(|site| (!site.is_shown, Reverse(site.live.blocks)));
        self
    }

    /// The sites, by growth, the most first; those that are judged growing go before
    /// the others. If nothing but a ceiling on the peak was passed: by what they held
    /// then. If nothing but a ceiling on what a step allocates was: by that.
    pub fn sites(&self) -> &[Site] {
        &self.sites
    }

    /// The growth of live bytes over these [`steps`](Self::steps).
    pub fn growth_bytes(&self) -> i64 {
        self.growth_bytes
    }

    /// The steps that it is of: the number of the first one, and the number behind the last
    /// one. The first is not 0 if the same steps would not have grown again, so that they
    /// went on where those of the report ended.
    pub fn steps(&self) -> (u64, u64) {
        self.steps
    }

    /// The steps after which it is known what each site held; the first is 0, for after set-up
    /// and warm-up. The requested steps are in 16 equal parts, each doubling of the run after them
    /// in 8, up to the last of these steps that the run with call stacks reached.
    pub fn series_steps(&self) -> &[u64] {
        &self.series_steps
    }

    /// Live bytes of the run with call stacks after each of the
    /// [`series_steps`](Self::series_steps), at sites or not.
    pub fn series_bytes(&self) -> &[u64] {
        &self.series_bytes
    }

    /// The step in which the scenario's peak was met, 0 for set-up and warm-up; none if that
    /// moment was not met again, as with several threads.
    pub fn peak_step(&self) -> Option<u64> {
        self.peak_step
    }

    /// How much of the growth is at sites with a known call stack, in bytes.
    pub fn explained_bytes(&self) -> i64 {
        let told = self.sites.iter().filter(|site| !site.frames.is_empty());
        told.map(|site| site.growth.bytes).sum()
    }

    /// Whether the sites account for all that grew, with those whose frames are not known.
    pub(crate) fn is_complete(&self) -> bool {
        let sites = self.sites.iter().map(|site| site.growth.bytes);
        self.lost_blocks == 0 && sites.sum::<i64>() >= self.growth_bytes
    }

    /// The allocation that passed the limit to stop at, if there was one.
    pub fn trap(&self) -> Option<&Trap> {
        self.trap.as_ref()
    }

    pub(crate) fn stopped_with(&self) -> Option<u64> {
        self.trap.as_ref().map(Trap::live_bytes)
    }

    /// Why the holders are not known; none if they are.
    pub fn holders_obstacle(&self) -> Option<&str> {
        self.holders_obstacle.as_deref()
    }

    /// How many blocks could not be tracked to their site.
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

    /// By what it is known again; none if its call stack is not known.
    pub(crate) fn signature(&self) -> Option<String> {
        let functions = self.frames.iter().map(|frame| frame.function.as_str());
        let holders = self.holders.iter().flatten();
        let holders = holders.map(|of| (of.bytes, of.hold.word(), of.path.as_slice()));
        signature(self.type_name(), functions, holders)
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

    /// Bytes live after each of the [`Diagnosis::series_steps`].
    pub fn series_bytes(&self) -> &[i64] {
        &self.series_bytes
    }

    /// Bytes live when the scenario was at its peak; none if that moment was not met
    /// again, as with several threads.
    pub fn peak_bytes(&self) -> Option<i64> {
        self.at_peak.map(|live| live.bytes)
    }

    /// Blocks live when the scenario was at its peak, likewise.
    pub fn peak_blocks(&self) -> Option<i64> {
        self.at_peak.map(|live| live.blocks)
    }

    /// All bytes that it allocated from set-up to the end of the requested steps. A block that
    /// is resized counts again, with its new size, for the site that resized it.
    pub fn total_bytes(&self) -> u64 {
        self.total.bytes
    }

    /// All blocks that it allocated, likewise.
    pub fn total_blocks(&self) -> u64 {
        self.total.blocks
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
