//! The rule for one figure: level, growing, or undecided.
//!
//! It uses the floors of whole windows and the levels of sixteenths of the run. Both are plain
//! numbers from [series](super::series), so [detectability](super::detectability) can apply the
//! same rule to a leak that was not there.

use super::Law;
use super::line::{
    Line, Point, is_rising, is_rising_evenly, is_rising_within, law_by_shape, slope, without_jumps,
};
use super::series::{LARGE, SEGMENTS, Series};
use super::stairs::Stairs;
use crate::text::{Rate, RateWithin};
use crate::verdict::floors::{Low, PARTS, Window};
use std::fmt;

/// A rise that is multiplied by less than 2 to this power when the steps double
/// is a logarithm's, or saturates. A square root's power is ½.
const SLOWEST_GROWTH: f64 = 0.25;

impl Series<'_> {
    /// Whether no more steps are needed: the floor has not risen over the last two
    /// doublings, nor anywhere in the last, and neither moves the highest level.
    pub(super) fn is_level(&self) -> bool {
        self.level_doublings() >= 2 && self.ends_level() && !self.highest_grows()
    }

    /// Whether the last window is at rest: it neither steps up nor falls all the time.
    pub(super) fn ends_level(&self) -> bool {
        self.steps_up_at().is_none() && !self.falls()
    }

    /// The law of the figure; none when it can't be told. Needs two windows.
    pub(super) fn law(&self) -> Option<Law> {
        let law = self.law_of_floors();
        if law.is_some_and(Law::is_growing) {
            return law;
        }
        // Floors can rest while what is above them grows: then they are moments without
        // a copy, or between two batches.
        let of_means = self.law_of_means();
        of_means.or_else(|| law.filter(|_| !self.highest_grows()))
    }

    /// Whether it grows, and its floor does not: what is above the floor does.
    pub(super) fn grows_above_its_floor(&self) -> bool {
        !self.law_of_floors().is_some_and(Law::is_growing) && self.law_of_means().is_some()
    }

    /// Whether it grows at a rate of which little is uncertain.
    pub(super) fn is_clearly_growing(&self) -> bool {
        /// Little of the rate.
        const PART: f64 = 0.1;

        let slope = self.slope();
        self.law().is_some_and(Law::is_growing) && slope.error <= PART * slope.per_step
    }

    /// Whether it grows, and what the last two doublings added is a large part of all there is.
    pub(super) fn is_mostly_growth(&self) -> bool {
        let [.., first, _, last] = self.windows else {
            return false;
        };
        let share = 1.0 - self.mean(first) / self.mean(last);
        share >= LARGE && self.law().is_some_and(Law::is_growing)
    }

    /// The law of the average levels, if they rise as evenly as the floors of a leak do.
    fn law_of_means(&self) -> Option<Law> {
        let means = self.means();
        let law = || law_by_shape(&means).max(law_by_shape(&means[SEGMENTS - PARTS..]));
        let slopes = || [slope(&points(&self.lows())), slope(&self.highs())];
        let is_growth = is_rising_evenly(&means) && is_carried(slope(&means), slopes());
        is_growth.then(law).filter(|law| law.is_growing())
    }

    fn law_of_floors(&self) -> Option<Law> {
        if self.rises().next().unwrap_or(0.0) <= 0.0 {
            return Some(Law::Constant);
        }
        let stairs = self.stairs();
        if let Some(stairs) = stairs.filter(|stairs| stairs.most <= Stairs::FEW && !stairs.creeps) {
            return stairs.law();
        }
        if self.came_to_rest() {
            return Some(Law::Constant);
        }
        let lows = self.lows();
        let in_last = &lows[SEGMENTS - PARTS..];
        if self.is_steady(&lows) {
            // A cache that filled early, or a table that doubled, must not hide what
            // rises behind it.
            let law = law_by_shape(&points(&lows)).max(law_by_shape(&points(in_last)));
            // Beside a steady rise, a table that doubles bends the shape, not the
            // doublings.
            return Some(law.min(self.law_by_doublings().max(Law::Linear)));
        }
        // It began not long ago, and goes on evenly through every part of the last window.
        if self.is_faster_of_late() && is_rising_within(&points(in_last), 0.1) {
            return Some(Law::Linear);
        }
        let goes_on = is_rising(&points(in_last));
        if self.saturates() && !goes_on {
            return Some(Law::Saturating);
        }
        let law = stairs.and_then(Stairs::law);
        if law.is_some_and(|law| law.is_growing() || !goes_on) {
            return law;
        }
        self.swings_in_its_range().then_some(Law::Constant)
    }

    /// Whether the highest level grows: it rose with each of the last doublings, over
    /// them all like a square root or faster, and by no little part of what it swings
    /// by. Then floors that lie still may be chance: moments in which a copy of what
    /// grows was not held. A sawtooth's highest level does not grow, nor does noise's
    /// by much.
    pub(super) fn highest_grows(&self) -> bool {
        /// No little part of a swing.
        const PART: f64 = 0.25;

        let highest = |window: &Window| window.highest(self.figure) as f64;
        let pairs = self.windows.windows(2).rev().take(3);
        let rises: Vec<_> = pairs
            .map(|pair| highest(&pair[1]) - highest(&pair[0]))
            .collect();
        let ([latest, ..], [.., earliest], [.., last]) = (&rises[..], &rises[..], self.windows)
        else {
            return false;
        };
        let doublings = (rises.len() - 1) as f64;
        let swing = highest(last) - self.floor(last).level as f64;
        rises.iter().all(|rise| *rise > 0.0)
            && *latest >= earliest * (SLOWEST_GROWTH * doublings).exp2()
            && *latest >= PART * swing
    }

    /// The highest levels of the last two windows, with their unit, if they are why the
    /// law can't be told.
    pub(super) fn rests_by_chance(&self) -> Option<(u64, u64, &'static str)> {
        let [.., before, last] = self.windows else {
            return None;
        };
        let highest = [before, last].map(|window| window.highest(self.figure));
        let is_doubted = self.law().is_none() && self.law_of_floors().is_some();
        is_doubted.then_some((highest[0], highest[1], self.figure.unit()))
    }

    /// By how the rise changes from one doubling of the run to the next, over the
    /// last two, whichever is less.
    fn law_by_doublings(&self) -> Law {
        let rises: Vec<_> = self.rises().take(3).collect();
        let exponents = rises.windows(2).map(|pair| (pair[0] / pair[1]).log2());
        Law::of_exponent(exponents.fold(f64::INFINITY, f64::min))
    }

    /// Whether the floor stopped rising before the last window or at its start.
    ///
    /// Level quarters are not enough: the floor of the last one hides a late jump.
    /// So either nothing moved at all through the window, or the quarter before it
    /// was level too.
    fn came_to_rest(&self) -> bool {
        let [.., before, last] = self.windows else {
            return false;
        };
        let quarters = self.quarters(last);
        let is_level = quarters.iter().all(|floor| *floor <= quarters[0]);
        let never_moved = last.highest(self.figure) <= quarters[0];
        is_level && (never_moved || quarters[0] <= self.quarters(before)[3])
    }

    /// Whether the last window rises by half as much again as the one before, or more. In
    /// proportion to the steps it is twice as much, and a logarithm's rise is the same.
    fn is_faster_of_late(&self) -> bool {
        let [.., before, last] = self.windows else {
            return false;
        };
        let rise = |window: &Window| {
            let level = |part| window.part(part, self.figure).level as f64;
            level(PARTS - 1) - level(0)
        };
        rise(last) >= 1.5 * rise(before).max(0.0)
    }

    /// Whether the floor rises all the time: in each sixteenth of the run since its
    /// first quarter, or at least in each eighth since the first, and then nearly
    /// along a line.
    fn is_steady(&self, lows: &[Low; SEGMENTS]) -> bool {
        let eighths = || {
            let before = self.windows.len().checked_sub(3)?;
            let second = self.floor(&self.windows[before]);
            let pairs = lows.chunks(2).map(|pair| pair[0].lower(pair[1]));
            Some(std::iter::once(second).chain(pairs).collect::<Vec<_>>())
        };
        is_rising_evenly(&points(lows))
            || eighths().is_some_and(|eighths| is_rising_within(&points(&eighths), 0.05))
    }

    /// Whether the last doubling added at most half of what either of the two before
    /// it did. A logarithm adds the same, and everything faster adds more. Where what it
    /// added is no little part of what there is, the one before must have added less
    /// than its own, too.
    fn saturates(&self) -> bool {
        /// No little part of the level.
        const PART: f64 = 1.0 / 16.0;

        let end = |window: &Window| window.part(PARTS - 1, self.figure).level as f64;
        let [.., first, second, third, last] = self.windows else {
            return false;
        };
        let rises = [(first, second), (second, third), (third, last)];
        let [early, middle, late] = rises.map(|(from, to)| end(to) - end(from));
        late <= early.min(middle) / 2.0 && (late <= PART * end(last) || middle <= early)
    }

    /// Whether memory falls as well as rises, and the last window's floor lies
    /// where floors lay in the window before.
    fn swings_in_its_range(&self) -> bool {
        let [.., before, last] = self.windows else {
            return false;
        };
        let falls = self
            .lows()
            .windows(2)
            .any(|pair| pair[1].level < pair[0].level);
        let highest = (0..PARTS).map(|part| before.part(part, self.figure).level);
        falls && self.floor(last).level <= highest.max().unwrap_or(0)
    }

    /// By how much the figure rises with each step, and how far off that may be:
    /// the line of least squares through the sixteenths, in the last window alone
    /// if it began there, and the most that a line as close to all of them can
    /// differ. Nothing if the floor did not rise.
    pub(super) fn slope(&self) -> Slope {
        if self.law() == Some(Law::Constant) {
            return Slope::default();
        }
        if self.grows_above_its_floor() {
            return Slope::through(&self.means());
        }
        let lows = points(&self.lows());
        if self.stairs().is_some() && !is_rising(&lows) {
            return self.slope_of_jumps();
        }
        let began_late = self.rises().nth(1).unwrap_or(0.0) <= 0.0;
        let first = if began_late { SEGMENTS - PARTS } else { 0 };
        let lows = &lows[first..];
        // A table that doubles now and then is no part of the rate.
        let smooth = without_jumps(lows).map(|(smooth, jump)| Slope {
            jump,
            ..Slope::through(&smooth)
        });
        let plain = Slope::through(lows);
        smooth
            .filter(|smooth| smooth.error < plain.error / 2.0)
            .unwrap_or(plain)
    }

    /// From one jump to the next that is as large: over the last doubling.
    fn slope_of_jumps(&self) -> Slope {
        let [.., before, last] = self.windows else {
            return Slope::default();
        };
        let rise = self.rises().next().unwrap_or(0.0);
        let per_step = rise / (last.after_step - before.after_step) as f64;
        Slope {
            per_step,
            error: per_step,
            jump: 0.0,
        }
    }
}

/// Whether the lowest or the highest levels rise with the average ones, by half as much or
/// more. If neither do, it is the period of a swing that does not divide the parts.
pub(super) fn is_carried(mean: f64, lowest_and_highest: [f64; 2]) -> bool {
    lowest_and_highest.iter().any(|slope| *slope >= mean / 2.0)
}

/// A rate with its bound, and the largest jump beside it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Slope {
    pub(super) per_step: f64,
    pub(super) error: f64,
    pub(super) jump: f64,
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

impl Slope {
    fn through(points: &[Point]) -> Self {
        let line = Line::through(points);
        let span = points[points.len() - 1].0 - points[0].0;
        Self {
            per_step: line.slope.max(0.0),
            error: if span > 0.0 {
                2.0 * line.farthest / span
            } else {
                0.0
            },
            jump: 0.0,
        }
    }
}

fn points(lows: &[Low]) -> Vec<Point> {
    let point = |low: &Low| (low.step as f64, low.level as f64);
    lows.iter().map(point).collect()
}

impl Law {
    /// The law of a rise that is multiplied by 2 to the `exponent` when the
    /// steps double.
    pub(super) fn of_exponent(exponent: f64) -> Self {
        match exponent {
            e if e < -SLOWEST_GROWTH => Self::Saturating,
            e if e < SLOWEST_GROWTH => Self::Logarithmic,
            e if e < 0.75 => Self::Sublinear,
            e if e < 1.25 => Self::Linear,
            _ => Self::Superlinear,
        }
    }
}
