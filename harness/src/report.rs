//! [`Report`]: everything that a run of a scenario found out.
//!
//! A report is data. How it reads is in `text`, its JSON form in `json`, and
//! where it is written in `file`.

mod file;
mod json;
mod text;

use crate::alloc::Overruns;
use crate::byte_size::ByteSize;
use crate::verdict::Verdict;
use std::fmt;

/// What a run of a [`Scenario`](crate::Scenario) measured, and how it was judged.
///
/// Its `Display` form is the same on every run of a deterministic scenario: no
/// times, no addresses, no paths. Snapshot it.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    pub(crate) name: String,
    pub(crate) variant: Option<String>,
    pub(crate) requested_steps: u64,
    pub(crate) steps: u64,
    pub(crate) warm_up_steps: u64,
    pub(crate) extended_steps: u64,
    pub(crate) growth_bytes: i64,
    pub(crate) peak_bytes: u64,
    pub(crate) peak_error_bytes: u64,
    pub(crate) residue_bytes: u64,
    pub(crate) live_bytes: u64,
    pub(crate) live_blocks: u64,
    pub(crate) total_bytes: u64,
    pub(crate) total_blocks: u64,
    pub(crate) step_blocks: u64,
    pub(crate) reallocations: u64,
    pub(crate) ceilings: Vec<(Ceiling, ByteSize)>,
    pub(crate) breaches: Vec<Breach>,
    pub(crate) verdict: Verdict,
    pub(crate) ending: Option<String>,
    pub(crate) overruns: Option<Overruns>,
    pub(crate) curve: Vec<Checkpoint>,
}

/// What a limit is set on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Ceiling {
    /// The rise of live bytes over the requested steps.
    Growth,
    /// The maximum of live bytes.
    Peak,
    /// Live bytes after the state was dropped.
    Residue,
    /// Live bytes at the end of any step: passing it ends the run.
    MemoryBudget,
}

impl Ceiling {
    /// `"growth"`, `"peak"`, `"residue"` or `"memory budget"`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Growth => "growth",
            Self::Peak => "peak",
            Self::Residue => "residue",
            Self::MemoryBudget => "memory budget",
        }
    }
}

impl fmt::Display for Ceiling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A ceiling that was passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Breach {
    /// Which one.
    pub ceiling: Ceiling,
    /// What was allowed.
    pub limit: ByteSize,
    /// What it came to. For a peak over several threads this is the upper end of
    /// its error bound.
    pub actual_bytes: u64,
}

/// A point on the curve of live memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checkpoint {
    /// How many steps had been run, warm-up not counted.
    pub step: u64,
    /// Live bytes then, from set-up on.
    pub live_bytes: u64,
    /// Live blocks then, from set-up on.
    pub live_blocks: u64,
}

impl Report {
    /// The scenario's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The scenario's variant, if it has one.
    pub fn variant(&self) -> Option<&str> {
        self.variant.as_deref()
    }

    /// The steps that the figures are for: the requested ones, or fewer if the
    /// memory budget ended the run.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The steps that the verdict is for: with the extension, without warm-up.
    pub fn extended_steps(&self) -> u64 {
        self.extended_steps
    }

    /// Live bytes at the end of the requested steps, less those after set-up and
    /// warm-up. Negative if memory shrank.
    pub fn growth_bytes(&self) -> i64 {
        self.growth_bytes
    }

    /// The maximum of live bytes from set-up to the end of the requested steps.
    pub fn peak_bytes(&self) -> u64 {
        self.peak_bytes
    }

    /// How far the true peak may lie above: 0 if one thread at a time allocated.
    pub fn peak_error_bytes(&self) -> u64 {
        self.peak_error_bytes
    }

    /// Live bytes after the state was dropped, at the end of the extension: what
    /// the scenario never frees.
    pub fn residue_bytes(&self) -> u64 {
        self.residue_bytes
    }

    /// Live blocks at the end of the requested steps.
    pub fn live_blocks(&self) -> u64 {
        self.live_blocks
    }

    /// Live bytes at the end of the requested steps.
    pub fn live_bytes(&self) -> u64 {
        self.live_bytes
    }

    /// All bytes allocated from set-up to the end of the requested steps.
    pub fn total_bytes(&self) -> u64 {
        self.total_bytes
    }

    /// All blocks allocated from set-up to the end of the requested steps.
    pub fn total_blocks(&self) -> u64 {
        self.total_blocks
    }

    /// How many times a block was resized, likewise.
    pub fn reallocations(&self) -> u64 {
        self.reallocations
    }

    /// Blocks allocated in a step, on average; none if there were no steps.
    pub fn blocks_per_step(&self) -> Option<f64> {
        (self.steps > 0).then(|| self.step_blocks as f64 / self.steps as f64)
    }

    /// The ceilings that were set.
    pub fn ceilings(&self) -> &[(Ceiling, ByteSize)] {
        &self.ceilings
    }

    /// The ceilings that were passed.
    pub fn breaches(&self) -> &[Breach] {
        &self.breaches
    }

    /// Whether memory is bounded.
    pub fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// What the program did to blocks behind the allocator's back, in words, if
    /// any of them came back damaged.
    pub fn damage(&self) -> Option<String> {
        self.overruns.as_ref().map(ToString::to_string)
    }

    /// Live memory after set-up and at even steps, the extension included.
    pub fn curve(&self) -> &[Checkpoint] {
        &self.curve
    }

    /// Whether a ceiling was breached, memory grows without end, or the program
    /// damaged its own heap. An inconclusive verdict alone is no failure.
    pub fn is_failure(&self) -> bool {
        !self.breaches.is_empty() || self.verdict.is_growing() || self.overruns.is_some()
    }

    /// Fails the test if this [is a failure](Self::is_failure).
    ///
    /// # Panics
    /// With [`explanation`](Self::explanation), if it is.
    #[track_caller]
    pub fn assert(&self) {
        assert!(!self.is_failure(), "{}", self.explanation());
    }

    /// What a ceiling is compared with.
    fn actual_bytes(&self, ceiling: Ceiling) -> u64 {
        match ceiling {
            Ceiling::Growth => u64::try_from(self.growth_bytes).unwrap_or(0),
            Ceiling::Peak => self.peak_bytes + self.peak_error_bytes,
            Ceiling::Residue => self.residue_bytes,
            Ceiling::MemoryBudget => self.live_bytes,
        }
    }

    /// The set ceilings that the figures pass.
    pub(crate) fn judge_ceilings(&self) -> Vec<Breach> {
        self.ceilings
            .iter()
            .map(|(ceiling, limit)| Breach {
                ceiling: *ceiling,
                limit: *limit,
                actual_bytes: self.actual_bytes(*ceiling),
            })
            .filter(|breach| breach.actual_bytes > breach.limit.bytes())
            .collect()
    }
}
