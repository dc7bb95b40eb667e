//! The smallest leak that a run would have called growing.
//!
//! An imagined leak is added to the run: so many bytes, or blocks, every so many steps. It is
//! not known where a unit would fall within the period, so several phases are tried. Nor is it
//! known which step of a part would then have been its lowest, so each floor becomes a range.
//! The leak counts as visible if the rule says growing in each phase, at both ends of the
//! ranges. So the figure may be too large, and is never too small.

use super::line::{Point, is_rising_evenly, law_by_shape, slope};
use super::rule::is_carried;
use super::series::{SEGMENTS, Series};
use crate::verdict::floors::{Quantity, Window};

/// A leak of `units` every `per_steps` steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Leak {
    pub(crate) units: f64,
    pub(crate) per_steps: f64,
}

/// Rates are tried in this proportion.
const STEP: f64 = 1.05;

/// So many rates in a row must show, and the last of them is the figure: it is up
/// to a fifth too large, and no lucky rounding makes it too small.
const IN_A_ROW: u32 = 5;

/// At how many phases of its period the first unit may fall.
const PHASES: u32 = 8;

/// The least rate of single units a step that would have been called growing in
/// `figure`; none if no rate below 2^40 would.
pub(super) fn smallest(windows: &[Window], figure: Quantity) -> Option<f64> {
    let [_, .., last] = windows else { return None };
    Run::new(&Series::new(windows, figure)).smallest(last.to_step)
}

/// What would have been the smallest had nothing moved.
pub(super) fn least_visible(windows: &[Window]) -> Option<f64> {
    let [_, .., last] = windows else { return None };
    let starts = Series::new(windows, Quantity::Blocks).segment_starts();
    let starts = starts.map(|start| start as f64);
    let lows = starts.map(|start| (start, 0.0));
    Run {
        lows,
        means: lows,
        starts,
        slopes: [0.0; 2],
    }
    .smallest(last.to_step)
}

/// Whether a block of `bytes` every `per_steps` steps would have been called
/// growing, in bytes or in blocks.
pub(crate) fn block_shows(windows: &[Window], bytes: u64, per_steps: u64) -> bool {
    let of = |figure, units: u64| {
        let leak = Leak {
            units: units as f64,
            per_steps: per_steps as f64,
        };
        windows.len() >= 2 && Run::new(&Series::new(windows, figure)).shows(leak)
    };
    of(Quantity::Blocks, 1) || of(Quantity::Bytes, bytes)
}

/// The floors and means of the sixteenths of a run, and where each of them begins.
struct Run {
    lows: [Point; SEGMENTS],
    means: [Point; SEGMENTS],
    starts: [f64; SEGMENTS],
    /// By how much the lowest and the highest levels rise with each step.
    slopes: [f64; 2],
}

impl Run {
    fn new(series: &Series<'_>) -> Self {
        let lows = (series.lows()).map(|low| (low.step as f64, low.level as f64));
        Self {
            lows,
            slopes: [slope(&lows), slope(&series.highs())],
            means: series.means(),
            starts: series.segment_starts().map(|start| start as f64),
        }
    }

    fn smallest(&self, steps: u64) -> Option<f64> {
        // A unit in each sixteenth is the least that shows.
        let slowest = SEGMENTS as f64 / 2.0 / steps as f64;
        let rates = std::iter::successors(Some(slowest), |rate| Some(rate * STEP));
        let mut in_a_row = 0;
        { rates }
            .take_while(|rate| *rate < 2_f64.powi(40))
            .find(|rate| {
                let leak = Leak {
                    units: 1.0,
                    per_steps: 1.0 / rate,
                };
                in_a_row = if self.shows(leak) { in_a_row + 1 } else { 0 };
                in_a_row == IN_A_ROW
            })
    }

    fn shows(&self, leak: Leak) -> bool {
        self.shows_in_means(leak)
            || (0..PHASES).all(|eighth| self.shows_in(leak, f64::from(eighth) / f64::from(PHASES)))
    }

    /// Whether the floors show it if its first unit falls so early in its period.
    fn shows_in(&self, leak: Leak, phase: f64) -> bool {
        let leaked = |step: f64| leak.units * (step / leak.per_steps + phase).floor();
        // At least what was leaked when the part began, at most what was when it was lowest.
        let least = |index: usize| {
            let (start, (_, level)) = (self.starts[index], self.lows[index]);
            (start, level + leaked(start))
        };
        let most = |index: usize| {
            let (step, level) = self.lows[index];
            (step, level + leaked(step))
        };
        always_grows(least, most)
    }

    /// Whether the means show it. What was leaked on average is that of the middle, within
    /// half a unit, wherever in its period the first falls.
    fn shows_in_means(&self, leak: Leak) -> bool {
        let with = |units: f64| {
            move |index: usize| {
                let (step, level) = self.means[index];
                (step, level + leak.units * (step / leak.per_steps + units))
            }
        };
        let rate = leak.units / leak.per_steps;
        is_carried(
            slope(&self.means) + rate,
            self.slopes.map(|slope| slope + rate),
        ) && always_grows(with(-0.5), with(0.5))
    }
}

/// Whether levels between these rise in each sixteenth, and by the rule grow at both ends.
fn always_grows(least: impl Fn(usize) -> Point, most: impl Fn(usize) -> Point) -> bool {
    let always_rises = (1..SEGMENTS).all(|index| least(index).1 > most(index - 1).1);
    always_rises
        && [std::array::from_fn(least), std::array::from_fn(most)]
            .iter()
            .all(|levels: &[Point; SEGMENTS]| {
                is_rising_evenly(levels) && law_by_shape(levels).is_growing()
            })
}
