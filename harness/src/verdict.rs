//! [`Verdict`]: is the memory of a run bounded, or does it grow without end?
//!
//! The rule is in `rule`, what it could have missed in `detectability`; both look
//! at [floors](crate::floors), never at single samples. `docs/verdict.md` gives the
//! reasons, the parameters, and the cases in which the rule is wrong:
//!
//! 1. If the floor has not risen over the last two windows, each twice as long
//!    as the one before, nor towards the end of the last, memory is bounded.
//! 2. Otherwise the run is extended, doubling each time, until that is so or the
//!    budget is spent.
//! 3. At the end of the budget, memory is bounded if the floor did not rise in the
//!    last window, came to rest within it, or falls and rises in the range that it
//!    had before.
//! 4. It is growing if the floor rises in every sixteenth of the run since its
//!    first quarter, or in every eighth along a straight line, or jumps once or twice
//!    in each window, further each time; and if the law of that rise is a square
//!    root or faster.
//! 5. Anything else leaves the verdict open, and so does a floor that rests while the
//!    highest level of each window grows: then it may rest by chance.

mod detectability;
mod rule;

use crate::byte_size::{Bound, Rate, RateWithin, Thousands};
use crate::floors::{Figure, PARTS, Swing, Window};
pub(crate) use detectability::block_shows;
use rule::{Series, Slope};
use std::fmt;

/// The judgement of a run, with its reasons.
///
/// Printed, it is one sentence. Neither bounded nor growing means that the run
/// was too short to tell.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    outcome: Outcome,
    law: Option<Law>,
    bytes: Slope,
    blocks: Slope,
    detectable_bytes: Option<f64>,
    detectable_blocks: Option<f64>,
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
    Fading,
    /// Each doubling of the steps adds the same.
    Logarithmic,
    /// Faster than a logarithm, slower than in proportion, such as a square root.
    Sublinear,
    /// In proportion to the steps.
    Linear,
    /// Faster than in proportion.
    WorseThanLinear,
}

impl Law {
    fn name(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Fading => "fading",
            Self::Logarithmic => "logarithmic",
            Self::Sublinear => "sublinear",
            Self::Linear => "linear",
            Self::WorseThanLinear => "worse than linear",
        }
    }

    fn is_growing(self) -> bool {
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

    /// Whether live memory stays within bounds: level, fading, or no faster than
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

    /// The smallest steady leak, in bytes a step, that this run would have called
    /// growing, had it come on top of what was seen, a few bytes at a time. None
    /// if the run was too short for any, or grows already.
    pub fn detectable_bytes_per_step(&self) -> Option<f64> {
        self.detectable_bytes
    }

    /// The same in blocks a step, of any size: a leak that is as large in either
    /// would have shown.
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
        let settled = (self.settled_by).map(|step| format!("level by step {}", Thousands(step)));
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
            settled_by: None,
            swing: None,
            reason: reason.into(),
        }
    }

    /// Growing after all, faster than any window shows, for this reason.
    pub(crate) fn but_growing(self, reason: String) -> Self {
        Self {
            outcome: Outcome::Growing,
            law: Some(Law::WorseThanLinear),
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

const MEMORY: [Figure; 2] = [Figure::Bytes, Figure::Blocks];

const TOO_SHORT: &str = "the run was too short to compare windows; ask for at least 32 steps";

/// Whether a run may end before its budget is spent.
pub(crate) fn is_clear(windows: &[Window]) -> bool {
    let is_level = |figure| Series::new(windows, figure).is_level();
    MEMORY.into_iter().all(is_level)
}

/// Judges the memory of a run that will not be extended any more.
pub(crate) fn judge(windows: &[Window]) -> Verdict {
    let [.., last] = windows else {
        return Verdict::inconclusive(TOO_SHORT);
    };
    if windows.len() == 1 {
        return Verdict::inconclusive(TOO_SHORT);
    }
    let [bytes, blocks] = MEMORY.map(|figure| Series::new(windows, figure));
    let law = worse(bytes.law(), blocks.law());
    let mut verdict = Verdict {
        bytes: bytes.slope(),
        blocks: blocks.slope(),
        swing: last.swing(),
        ..Verdict::inconclusive(open_reason(last, &[&bytes, &blocks]))
    };
    let Some(law) = law else { return verdict };
    verdict.law = Some(law);
    if law.is_growing() {
        verdict.outcome = Outcome::Growing;
        verdict.reason = rising_reason(law, windows, &verdict.rates());
        return verdict;
    }
    verdict.outcome = Outcome::Bounded;
    [verdict.detectable_bytes, verdict.detectable_blocks] =
        MEMORY.map(|figure| detectability::smallest(windows, figure));
    verdict.reason = if law == Law::Constant {
        verdict.settled_by = settled_by(windows);
        level_reason(windows, &[bytes, blocks])
    } else {
        rising_reason(law, windows, &verdict.rates())
    };
    verdict.reason.push_str(&verdict.detectability());
    verdict
}

/// Judges one figure alone, that is not of memory, by the same rule. Beside the
/// verdict is by how much the figure rises with each step.
pub(crate) fn judge_alone(windows: &[Window], figure: Figure) -> (Verdict, f64) {
    let [.., last] = windows else {
        return (Verdict::inconclusive(TOO_SHORT), 0.0);
    };
    let series = Series::new(windows, figure);
    let mut verdict = Verdict::inconclusive(open_reason(last, &[&series]));
    let law = if windows.len() > 1 {
        series.law()
    } else {
        None
    };
    verdict.law = law;
    let Some(law) = law else {
        return (verdict, 0.0);
    };
    verdict.outcome = if law.is_growing() {
        Outcome::Growing
    } else {
        Outcome::Bounded
    };
    if law == Law::Constant {
        verdict.reason = level_reason(windows, &[series]);
        return (verdict, 0.0);
    }
    let slope = series.slope();
    let rate = Some(slope).filter(|slope| slope.per_step > 0.0);
    let rate = rate.map_or_else(String::new, |slope| slope.to_string());
    verdict.reason = rising_reason(law, windows, &rate);
    (verdict, slope.per_step)
}

impl Verdict {
    /// The rates of what rises, with their bounds.
    fn rates(&self) -> String {
        let rates = [(self.bytes, "B"), (self.blocks, "blocks")];
        let rising = rates.iter().filter(|(slope, _)| slope.per_step > 0.0);
        let texts: Vec<_> = rising
            .map(|(slope, unit)| format!("{slope} {unit}"))
            .collect();
        texts.join(" and ")
    }

    /// What would have shown, as the end of a sentence.
    pub(crate) fn detectability(&self) -> String {
        let found = [
            (self.detectable_bytes, "B"),
            (self.detectable_blocks, "blocks"),
        ];
        let rates =
            (found.iter()).filter_map(|(rate, unit)| Some(format!("{} {unit}", Bound((*rate)?))));
        match rates.collect::<Vec<_>>().join(" or ") {
            nothing if nothing.is_empty() => "; no leak could have been told from this".to_owned(),
            rates => format!("; a leak of {rates} a step would have shown"),
        }
    }
}

impl fmt::Display for Slope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What is less is the arithmetic's.
        if self.error > self.per_step * 1e-6 {
            write!(f, "{}", RateWithin(self.per_step, self.error))
        } else {
            write!(f, "{}", Rate(self.per_step))
        }
    }
}

fn open_reason(last: &Window, series: &[&Series<'_>]) -> String {
    let (from, to) = (Thousands(last.after_step), Thousands(last.to_step));
    match series.iter().find_map(|series| series.rests_by_chance()) {
        Some((before, now, unit)) => format!(
            "the floor comes to rest, but the highest level rises ever more, from {} to {} {unit} \
             in the last doubling, {from} to {to} steps; more steps would tell whether the floor \
             rests by chance",
            Thousands(before),
            Thousands(now),
        ),
        None => format!(
            "the floor moved in the last doubling, {from} to {to} steps, but not so that it tells \
             whether it goes on; more steps would",
        ),
    }
}

fn rising_reason(law: Law, windows: &[Window], rates: &str) -> String {
    let shape = match law {
        Law::Fading => "the floor rises less with every doubling",
        Law::Logarithmic => "the floor rises like a logarithm",
        Law::Sublinear => "the floor rises steadily, slower than in proportion to the steps",
        Law::WorseThanLinear => "the floor rises faster than in proportion to the steps",
        Law::Constant | Law::Linear => "the floor rises in proportion to the steps",
    };
    // None where what moves falls back as far as it rose.
    let rates = if rates.is_empty() {
        String::new()
    } else {
        format!("by {rates} a step ")
    };
    let last = windows.len() - 1;
    format!(
        "{shape}, {rates}from {} to {} steps",
        Thousands(windows[last - 1].after_step),
        Thousands(windows[last].to_step),
    )
}

fn level_reason(windows: &[Window], series: &[Series<'_>]) -> String {
    let doublings = series
        .iter()
        .map(Series::level_doublings)
        .min()
        .unwrap_or(0);
    let last = windows.len() - 1;
    let from = Thousands(windows[last - doublings.min(last)].after_step);
    let to = Thousands(windows[last].to_step);
    match doublings {
        0 => {
            let from = Thousands(windows[last].after_step);
            format!("the floor came to rest within the last doubling, {from} to {to} steps")
        }
        1 => format!("the floor has not risen over the last doubling, {from} to {to} steps"),
        n => format!("the floor has not risen over the last {n} doublings, {from} to {to} steps"),
    }
}

/// The first step of the first part in which live bytes were never below the
/// last floor; none if that is the very first.
fn settled_by(windows: &[Window]) -> Option<u64> {
    let floor = windows.last()?.floor(Figure::Bytes).level;
    let parts = windows
        .iter()
        .flat_map(|window| (0..PARTS).map(move |part| (window, part)));
    { parts }
        .enumerate()
        .find(|(_, (window, part))| window.part(*part, Figure::Bytes).level >= floor)
        .filter(|(place, _)| *place > 0)
        .map(|(_, (window, part))| window.part_start(part))
}

/// Growing outweighs unknown, unknown outweighs bounded.
fn worse(a: Option<Law>, b: Option<Law>) -> Option<Law> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.max(b)),
        (Some(law), None) | (None, Some(law)) if law.is_growing() => Some(law),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
