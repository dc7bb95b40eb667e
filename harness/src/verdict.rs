//! [`Verdict`]: is the memory of a run bounded, or does it grow without end?
//!
//! `rule` judges one figure by its [floors](crate::verdict::floors), never by single samples,
//! with the shapes of `line` and `stairs`. `detectability` computes what it could have missed.
//! `judge` joins bytes, blocks and call stacks, and decides when a run may end. `text` words the
//! reason; `over_time` applies the rule to a service. `docs/verdict.md` gives the rule, the
//! reasons, the parameters, and the cases in which it is wrong.

mod detectability;
pub(crate) mod floors;
mod judge;
mod line;
pub(crate) mod over_time;
mod rule;
mod series;
mod stairs;
mod text;
mod traffic;

use crate::text::Thousands;
use crate::verdict::floors::Swing;
pub(crate) use detectability::block_shows;
pub(crate) use judge::{Ending, Limits, Seen, ending, is_coarse, judge, judge_alone, of_memory};
use rule::Slope;
use std::fmt;
pub(crate) use traffic::Traffic;

/// The judgement of a run, with its reasons.
///
/// Printed, it is one sentence. Neither bounded nor growing is inconclusive: the run did not
/// show which.
///
/// ```
/// # #[global_allocator]
/// # static ALLOC: highwater::Alloc = highwater::Alloc::system();
/// use highwater::{Law, Scenario};
///
/// # fn main() {
/// let report = Scenario::new("boxes")
///     .steps(1_000)
///     .run(Vec::new, |boxes, i| boxes.push(Box::new(i)));
/// let verdict = report.verdict();
/// assert!(verdict.is_growing());
/// assert_eq!(verdict.law(), Some(Law::Linear));
/// assert!((verdict.blocks_per_step() - 1.0).abs() < 0.01);
/// assert!(verdict.to_string().starts_with("growing: "));
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    outcome: Outcome,
    law: Option<Law>,
    bytes: Slope,
    blocks: Slope,
    detectable_bytes: Option<f64>,
    detectable_blocks: Option<f64>,
    /// Of how many bytes and blocks that the steps allocate one would have shown.
    detectable_shares: [Option<f64>; 2],
    /// Whether the limits are those of call stacks.
    is_by_site: bool,
    /// Whether memory as a whole grows, and no call stack does.
    is_overruled: bool,
    settled_by: Option<u64>,
    swing: Option<Swing>,
    reason: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Bounded,
    Growing,
    Inconclusive,
}

/// How the floor of live memory depends on the number of steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Law {
    /// It does not rise any more.
    Constant,
    /// Each doubling of the steps adds less than the one before.
    Saturating,
    /// Each doubling of the steps adds the same.
    Logarithmic,
    /// Faster than a logarithm, slower than in proportion, such as a square root.
    Sublinear,
    /// In proportion to the steps.
    Linear,
    /// Faster than in proportion.
    Superlinear,
}

impl Law {
    fn name(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Saturating => "saturating",
            Self::Logarithmic => "logarithmic",
            Self::Sublinear => "sublinear",
            Self::Linear => "linear",
            Self::Superlinear => "superlinear",
        }
    }

    /// Whether it rises without end: as a square root or faster.
    pub fn is_growing(self) -> bool {
        self >= Self::Sublinear
    }
}

impl fmt::Display for Law {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Verdict {
    /// Whether live memory rises without end: as a square root or faster.
    pub fn is_growing(&self) -> bool {
        self.outcome == Outcome::Growing
    }

    /// Whether live memory stays within bounds: level, saturating, or no faster than
    /// a logarithm.
    pub fn is_bounded(&self) -> bool {
        self.outcome == Outcome::Bounded
    }

    /// `"bounded"`, `"growing"` or `"inconclusive"`.
    pub fn word(&self) -> &'static str {
        match self.outcome {
            Outcome::Bounded => "bounded",
            Outcome::Growing => "growing",
            Outcome::Inconclusive => "inconclusive",
        }
    }

    /// How the floor depends on the steps; none if inconclusive.
    pub fn law(&self) -> Option<Law> {
        self.law
    }

    /// By how many bytes the floor rises with each step, over the last three
    /// quarters of the run. Zero if it does not.
    pub fn bytes_per_step(&self) -> f64 {
        self.bytes.per_step
    }

    /// How far [`bytes_per_step`](Self::bytes_per_step) may be off, either way.
    pub fn bytes_per_step_error(&self) -> f64 {
        self.bytes.error
    }

    /// By how many blocks the floor rises with each step, likewise.
    pub fn blocks_per_step(&self) -> f64 {
        self.blocks.per_step
    }

    /// How far [`blocks_per_step`](Self::blocks_per_step) may be off, either way.
    pub fn blocks_per_step_error(&self) -> f64 {
        self.blocks.error
    }

    /// Whether it jumps beside its rate, as a table does that doubles.
    pub(crate) fn jumps(&self) -> bool {
        self.bytes.jump >= 1.0 || self.blocks.jump >= 1.0
    }

    /// The smallest steady leak, in bytes a step, that this run would have called
    /// growing, had it come on top of what was seen, a few bytes at a time in blocks that
    /// grow. None if the run was too short for any, or grows already.
    pub fn detectable_bytes_per_step(&self) -> Option<f64> {
        self.detectable_bytes
    }

    /// The same in blocks a step, of any size.
    pub fn detectable_blocks_per_step(&self) -> Option<f64> {
        self.detectable_blocks
    }

    /// A step by which live bytes had reached the floor that they kept from then
    /// on: the end of the warm-up, or of a cache's filling, at the latest. None if
    /// memory is not level, or was from the start.
    pub fn settled_by_step(&self) -> Option<u64> {
        self.settled_by
    }

    /// By how many bytes live memory swings, and in how many steps, on average,
    /// where it goes up and down again and again; in the last half of the run.
    pub fn swing(&self) -> Option<(u64, u64)> {
        self.swing.map(|swing| (swing.bytes, swing.period_steps))
    }

    /// Why, without the word itself.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The warm-up and the swing in words, if there are any.
    pub(crate) fn shape(&self) -> Option<String> {
        let settled =
            (self.settled_by).map(|step| format!("steady state by step {}", Thousands(step)));
        let swing = self.swing.map(|swing| {
            format!(
                "swinging by {} B every {} steps",
                Thousands(swing.bytes),
                Thousands(swing.period_steps)
            )
        });
        let parts: Vec<_> = settled.into_iter().chain(swing).collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }

    pub(crate) fn inconclusive(reason: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::Inconclusive,
            law: None,
            bytes: Slope::default(),
            blocks: Slope::default(),
            detectable_bytes: None,
            detectable_blocks: None,
            detectable_shares: [None; 2],
            is_by_site: false,
            is_overruled: false,
            settled_by: None,
            swing: None,
            reason: reason.into(),
        }
    }

    /// Whether memory as a whole grows, and no call stack does.
    pub(crate) fn is_overruled(&self) -> bool {
        self.is_overruled
    }

    /// The same verdict, which is about one call stack.
    pub(crate) fn at_site(mut self, site: &str) -> Self {
        self.reason = format!("{}; at {site}", self.reason);
        self
    }

    /// The same verdict of a run that ended early, for this reason.
    pub(crate) fn so_far(mut self, ending: &str) -> Self {
        self.reason = format!("so far, as {ending}: {}", self.reason);
        self
    }

    /// Growing after all, faster than any window shows, for this reason.
    pub(crate) fn but_growing(self, reason: String) -> Self {
        Self {
            outcome: Outcome::Growing,
            law: Some(Law::Superlinear),
            reason,
            ..self
        }
    }

    /// The same verdict, in doubt after all, for this reason.
    pub(crate) fn but_inconclusive(self, reason: String) -> Self {
        Self {
            outcome: Outcome::Inconclusive,
            law: None,
            reason,
            ..self
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.word(), self.reason)
    }
}

#[cfg(test)]
mod tests;
