//! [`Verdict`]: is the memory of a run bounded, or does it grow without end?
//!
//! The rule looks at [floors](crate::floors), never at single samples:
//!
//! 1. If the floor has not risen over the last two windows, each twice as long
//!    as the one before, nor towards the end of the last, memory is bounded.
//! 2. Otherwise the run is extended, doubling each time, until that is so or the
//!    budget is spent.
//! 3. At the end of the budget, memory is bounded if the floor did not rise in
//!    the last window, or came to rest within it.
//! 4. What still rises is judged by how the rise changes from one doubling to
//!    the next. A linear leak rises twice as much, a buffer that grows by
//!    doubling too; a square root 1.4 times; a logarithm as much as before; what
//!    fades, less. The line is drawn at 2^¼, about 1.19.
//! 5. A rise that began in the last window is a leak if it goes on through all
//!    four quarters of it. A single jump leaves the verdict open.
//!
//! The rule is wrong for a leak slower than the smallest step of the floor in
//! the last window, for a sawtooth longer than the last window, and for a cache
//! that is still filling, in proportion to the steps, when the budget ends.

use crate::byte_size::{Rate, Thousands};
use crate::floors::{Floor, Window};
use std::fmt;

/// The judgement of a run, with its reasons.
///
/// Printed, it is one sentence. Neither bounded nor growing means that the run
/// was too short to tell.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    outcome: Outcome,
    law: Option<Law>,
    bytes_per_step: f64,
    blocks_per_step: f64,
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

    /// The law of a rise that is multiplied by 2 to the `exponent` when the
    /// steps double.
    fn of_exponent(exponent: f64) -> Self {
        match exponent {
            e if e < -0.25 => Self::Fading,
            e if e < 0.25 => Self::Logarithmic,
            e if e < 0.75 => Self::Sublinear,
            e if e < 1.25 => Self::Linear,
            _ => Self::WorseThanLinear,
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

    /// By how many bytes the floor rises with each step, over the last doubling
    /// of the run. Zero unless growing or rising slowly.
    pub fn bytes_per_step(&self) -> f64 {
        self.bytes_per_step
    }

    /// By how many blocks the floor rises with each step, likewise.
    pub fn blocks_per_step(&self) -> f64 {
        self.blocks_per_step
    }

    /// Why, without the word itself.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    fn rising_reason(&self, law: Law, from_step: u64, to_step: u64) -> String {
        let shape = match law {
            Law::Fading => "the floor rises less with every doubling",
            Law::Logarithmic => "the floor rises like a logarithm",
            Law::Sublinear => "the floor rises steadily, slower than in proportion to the steps",
            Law::WorseThanLinear => "the floor rises faster than in proportion to the steps",
            Law::Constant | Law::Linear => "the floor rises in proportion to the steps",
        };
        let blocks = if self.blocks_per_step > 0.0 {
            format!(" and {:.3} blocks", self.blocks_per_step)
        } else {
            String::new()
        };
        format!(
            "{shape}, by {} B{blocks} a step from {} to {} steps",
            Rate(self.bytes_per_step),
            Thousands(from_step),
            Thousands(to_step),
        )
    }

    pub(crate) fn inconclusive(reason: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::Inconclusive,
            law: None,
            bytes_per_step: 0.0,
            blocks_per_step: 0.0,
            reason: reason.into(),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.word(), self.reason)
    }
}

/// Whether a run needs to be longer before [`judge`] is asked for the last word.
pub(crate) fn is_clear(windows: &[Window]) -> bool {
    [Floor::bytes_of, Floor::blocks_of]
        .iter()
        .all(|figure| Series::new(windows, *figure).is_level())
}

/// Judges a run that will not be extended any more.
pub(crate) fn judge(windows: &[Window]) -> Verdict {
    let [.., before, last] = windows else {
        return Verdict::inconclusive(
            "the run was too short to compare windows; ask for at least 32 steps",
        );
    };
    let bytes = Series::new(windows, Floor::bytes_of);
    let blocks = Series::new(windows, Floor::blocks_of);
    let (bytes_law, blocks_law) = (bytes.law(), blocks.law());
    let Some(law) = worse(bytes_law, blocks_law) else {
        return Verdict::inconclusive(format!(
            "the floor jumped once in the last doubling, {} to {} steps; more steps would tell \
             whether it goes on",
            Thousands(last.after_step),
            Thousands(last.to_step),
        ));
    };
    let is_level = law == Law::Constant;
    let verdict = Verdict {
        outcome: if law.is_growing() {
            Outcome::Growing
        } else {
            Outcome::Bounded
        },
        law: Some(law),
        bytes_per_step: if is_level { 0.0 } else { bytes.slope() },
        blocks_per_step: if is_level { 0.0 } else { blocks.slope() },
        reason: String::new(),
    };
    let reason = if is_level {
        level_reason(windows, &bytes, &blocks)
    } else {
        verdict.rising_reason(law, before.after_step, last.to_step)
    };
    Verdict { reason, ..verdict }
}

fn level_reason(windows: &[Window], bytes: &Series<'_>, blocks: &Series<'_>) -> String {
    let doublings = bytes.level_doublings().min(blocks.level_doublings());
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

/// Growing outweighs unknown, unknown outweighs bounded.
fn worse(a: Option<Law>, b: Option<Law>) -> Option<Law> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.max(b)),
        (Some(law), None) | (None, Some(law)) if law.is_growing() => Some(law),
        _ => None,
    }
}

impl Floor {
    fn bytes_of(&self) -> u64 {
        self.bytes
    }

    fn blocks_of(&self) -> u64 {
        self.blocks
    }
}

/// One figure, bytes or blocks, through the windows.
struct Series<'a> {
    windows: &'a [Window],
    figure: fn(&Floor) -> u64,
}

impl<'a> Series<'a> {
    fn new(windows: &'a [Window], figure: fn(&Floor) -> u64) -> Self {
        Self { windows, figure }
    }

    fn floor(&self, window: &Window) -> f64 {
        (self.figure)(&window.floor()) as f64
    }

    /// The rise from each window's floor to the next, the latest first.
    fn rises(&self) -> impl Iterator<Item = f64> {
        self.windows
            .windows(2)
            .rev()
            .map(|pair| self.floor(&pair[1]) - self.floor(&pair[0]))
    }

    /// Over how many doublings, up to the end, the floor has not risen.
    fn level_doublings(&self) -> usize {
        self.rises().take_while(|rise| *rise <= 0.0).count()
    }

    /// Rule 1.
    fn is_level(&self) -> bool {
        let ends_level = self.windows.last().is_some_and(|last| {
            let [a, b, c, end] = self.quarters(last);
            end <= a.max(b).max(c)
        });
        self.level_doublings() >= 2 && ends_level
    }

    /// Rules 3 to 5; none when a single jump leaves it open. Needs two windows.
    fn law(&self) -> Option<Law> {
        let mut rises = self.rises();
        let last = rises.next().unwrap_or(0.0);
        let before = rises.next().unwrap_or(0.0);
        if last <= 0.0 || self.came_to_rest() {
            return Some(Law::Constant);
        }
        if before <= 0.0 {
            return self.rises_in_every_quarter().then_some(Law::Linear);
        }
        let (ratio, doublings) = match rises.next() {
            Some(earlier) if earlier > 0.0 => (last / earlier, 2.0),
            _ => (last / before, 1.0),
        };
        Some(Law::of_exponent(ratio.log2() / doublings))
    }

    fn quarters(&self, window: &Window) -> [u64; 4] {
        window.quarters.map(|quarter| (self.figure)(&quarter))
    }

    /// Whether the floor stopped rising before the last window or at its start.
    ///
    /// Level quarters are not enough: a buffer that grows by doubling jumps once
    /// in every window, and the floor of the last quarter hides a late jump. So
    /// either nothing moved at all through the window, or the quarter before it
    /// was level too; then the jumps that such a buffer must make are missing.
    fn came_to_rest(&self) -> bool {
        let [.., before, last] = self.windows else {
            return false;
        };
        let quarters = self.quarters(last);
        let is_level = quarters.iter().all(|floor| *floor <= quarters[0]);
        let never_moved = (self.figure)(&last.ceiling) <= quarters[0];
        is_level && (never_moved || quarters[0] <= self.quarters(before)[3])
    }

    fn rises_in_every_quarter(&self) -> bool {
        self.windows
            .last()
            .is_some_and(|last| self.quarters(last).windows(2).all(|pair| pair[0] < pair[1]))
    }

    /// The rise a step between the starts of the last two windows, or, where it
    /// began later, between the quarters of the last.
    fn slope(&self) -> f64 {
        let [.., before, last] = self.windows else {
            return 0.0;
        };
        let (rise, steps) = if self.floor(before) < self.floor(last)
            && self.rises().nth(1).is_some_and(|rise| rise > 0.0)
        {
            (
                self.floor(last) - self.floor(before),
                last.after_step - before.after_step,
            )
        } else {
            let quarters = self.quarters(last);
            (
                quarters[3] as f64 - quarters[1] as f64,
                last.quarter_start(3) - last.quarter_start(1),
            )
        };
        if steps == 0 { 0.0 } else { rise / steps as f64 }
    }
}

#[cfg(test)]
mod tests;
