//! The rule for one figure: level, growing, or not to be told.
//!
//! What it looks at are floors, of whole windows (each twice as long as the one
//! before) and of sixteenths of the run since its first quarter. They come as
//! plain numbers, so that [detectability](super::detectability) can ask the same
//! rule about a leak that was not there.

use super::Law;
use super::line::{
    Line, Point, is_rising, is_rising_evenly, is_rising_within, law_by_shape, slope, without_jumps,
};
use crate::floors::{Figure, Low, PARTS, Window};
use std::ops::Range;

/// Sixteenths of the run from its first quarter to its end: four of the window
/// before the last, eight of the last.
pub(super) const SEGMENTS: usize = PARTS / 2 + PARTS;

/// A rise that is multiplied by less than 2 to this power when the steps double
/// is a logarithm's or fades. A square root's power is ½.
const SLOWEST_GROWTH: f64 = 0.25;

/// A large part of the level to be added by two doublings.
const LARGE: f64 = 0.4;

/// One figure through the windows of a run.
pub(super) struct Series<'a> {
    windows: &'a [Window],
    figure: Figure,
}

impl<'a> Series<'a> {
    pub(super) fn new(windows: &'a [Window], figure: Figure) -> Self {
        Self { windows, figure }
    }

    fn floor(&self, window: &Window) -> Low {
        window.floor(self.figure)
    }

    /// The rise from each window's floor to the next, the latest first.
    pub(super) fn rises(&self) -> impl Iterator<Item = f64> {
        let level = |window| self.floor(window).level as f64;
        let pairs = self.windows.windows(2).rev();
        pairs.map(move |pair| level(&pair[1]) - level(&pair[0]))
    }

    /// Over how many doublings, up to the end, the floor has not risen.
    pub(super) fn level_doublings(&self) -> usize {
        self.rises().take_while(|rise| *rise <= 0.0).count()
    }

    /// Whether no more steps are needed: the floor has not risen over the last two
    /// doublings, nor anywhere in the last, and neither moves the highest level.
    pub(super) fn is_level(&self) -> bool {
        self.level_doublings() >= 2 && self.ends_level() && !self.highest_grows()
    }

    /// Whether the last window is at rest: it neither steps up nor falls all the time.
    pub(super) fn ends_level(&self) -> bool {
        self.steps_up_at().is_none() && !self.falls()
    }

    /// The first step of the part of the last window from which on all floors lie above
    /// all before it, if there is one.
    pub(super) fn steps_up_at(&self) -> Option<u64> {
        let last = self.windows.last()?;
        let floors: [u64; PARTS] = std::array::from_fn(|part| last.part(part, self.figure).level);
        let is_step = |from: &usize| {
            let (before, after) = floors.split_at(*from);
            after.iter().min() > before.iter().max()
        };
        let from = (1..PARTS).find(is_step)?;
        Some(last.part_start(from))
    }

    /// Whether the floors of the last window's parts fall all the time.
    pub(super) fn falls_all_the_time(&self) -> bool {
        self.windows.last().is_some_and(|last| {
            let floor = |part| last.part(part, self.figure).level;
            (1..PARTS).all(|part| floor(part) < floor(part - 1))
        })
    }

    /// Whether it falls all through the last window, and in the end all of it lies below
    /// where it began.
    pub(super) fn falls(&self) -> bool {
        let ends_below = |last: &Window| {
            last.part_highest(PARTS - 1, self.figure) < last.part(0, self.figure).level
        };
        self.falls_all_the_time() && self.windows.last().is_some_and(ends_below)
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
        if of_means.is_some() {
            return of_means;
        }
        law.filter(|_| !self.highest_grows())
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

    /// The average level of a window.
    fn mean(&self, window: &Window) -> f64 {
        let parts = (0..PARTS).map(|part| window.part_mean(part, self.figure));
        parts.sum::<f64>() / PARTS as f64
    }

    /// The law of the average levels, if they rise as evenly as the floors of a leak do.
    fn law_of_means(&self) -> Option<Law> {
        let means = self.means();
        let law = || law_by_shape(&means).max(law_by_shape(&means[SEGMENTS - PARTS..]));
        let slopes = || [slope(&points(&self.lows())), slope(&self.highs())];
        let is_growth = is_rising_evenly(&means) && is_carried(slope(&means), slopes());
        is_growth.then(law).filter(|law| law.is_growing())
    }

    /// The highest levels of the sixteenths, each over the middle of it. Needs two windows.
    pub(super) fn highs(&self) -> [Point; SEGMENTS] {
        let [.., before, last] = self.windows else {
            return [(0.0, 0.0); SEGMENTS];
        };
        let means = self.means();
        std::array::from_fn(|place| {
            let highest = |window: &Window, part| window.part_highest(part, self.figure);
            let level = match place.checked_sub(PARTS / 2) {
                Some(part) => highest(last, part),
                None => highest(before, 2 * place).max(highest(before, 2 * place + 1)),
            };
            (means[place].0, level as f64)
        })
    }

    /// By how much the average level of the last window is above that of the one before.
    /// Needs two windows.
    pub(super) fn rise_of_means(&self) -> f64 {
        let [.., before, last] = self.windows else {
            return 0.0;
        };
        self.mean(last) - self.mean(before)
    }

    /// By how much the floor at the end is above that at the end of the window before.
    pub(super) fn rise_to_the_end(&self) -> f64 {
        let [.., before, last] = self.windows else {
            return 0.0;
        };
        let end = |window: &Window| window.part(PARTS - 1, self.figure).level as f64;
        end(last) - end(before)
    }

    /// Whether it does not fall in the last two windows, from one part to the next.
    pub(super) fn never_falls(&self) -> bool {
        let first = self.windows.len().saturating_sub(2);
        let parts = self.windows[first..].iter();
        let parts = parts.flat_map(|window| (0..PARTS).map(move |part| (window, part)));
        let mut highest = 0;
        parts.into_iter().all(|(window, part)| {
            let is_above = window.part(part, self.figure).level >= highest;
            highest = window.part_highest(part, self.figure);
            is_above
        })
    }

    /// By how much the floor, and the highest level, of the last window's second half are
    /// above those of its first.
    pub(super) fn rises_within(&self) -> [f64; 2] {
        let Some(last) = self.windows.last() else {
            return [0.0; 2];
        };
        let floor = |parts: Range<usize>| {
            let lows = parts.map(|part| last.part(part, self.figure).level);
            lows.min().unwrap_or(0) as f64
        };
        let highest = |parts: Range<usize>| {
            let highs = parts.map(|part| last.part_highest(part, self.figure));
            highs.max().unwrap_or(0) as f64
        };
        let (first, second) = (0..PARTS / 2, PARTS / 2..PARTS);
        [
            floor(second.clone()) - floor(first.clone()),
            highest(second) - highest(first),
        ]
    }

    /// By how much the floor, the level at the end or the highest one rose at most with each
    /// step of the last two doublings. Needs two windows.
    pub(super) fn most_per_step(&self) -> f64 {
        let [.., before, last] = self.windows else {
            return 0.0;
        };
        let first = self.windows.len().saturating_sub(3);
        let rise_of = |level: &dyn Fn(&Window) -> u64| {
            let from = self.windows[first..].iter().map(level).min().unwrap_or(0);
            level(last).saturating_sub(from)
        };
        let rises = [
            rise_of(&|window| self.floor(window).level),
            rise_of(&|window| window.part(PARTS - 1, self.figure).level),
            rise_of(&|window| window.highest(self.figure)),
        ];
        let most = rises.into_iter().max().unwrap_or(0);
        most as f64 / (last.to_step - before.after_step) as f64
    }

    /// The average levels of the sixteenths, each over the middle of it. Needs two windows.
    pub(super) fn means(&self) -> [Point; SEGMENTS] {
        let [.., before, last] = self.windows else {
            return [(0.0, 0.0); SEGMENTS];
        };
        let starts = self.segment_starts();
        std::array::from_fn(|place| {
            let mean = |window: &Window, part| window.part_mean(part, self.figure);
            let level = match place.checked_sub(PARTS / 2) {
                Some(part) => mean(last, part),
                None => f64::midpoint(mean(before, 2 * place), mean(before, 2 * place + 1)),
            };
            let end = starts.get(place + 1).map_or(last.to_step + 1, |next| *next);
            (f64::midpoint(starts[place] as f64, end as f64 - 1.0), level)
        })
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
        if self.fades() && !goes_on {
            return Some(Law::Fading);
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

    /// How it rises, if it rises in each of the last windows and never falls: like a buffer
    /// that grows by doubling and jumps twice as far each time, or like several of them. A
    /// cache that fills rises all the time, then no more.
    fn stairs(&self) -> Option<Stairs> {
        /// Over how many windows it must be so to be no coincidence.
        const WINDOWS: usize = 4;

        let first = self.windows.len().checked_sub(WINDOWS + 1)?;
        let windows = &self.windows[first..];
        let jumps = windows
            .windows(2)
            .map(|pair| self.jumps(&pair[0], &pair[1]));
        let jumps = jumps.collect::<Option<Vec<_>>>()?;
        // A jump that is just before the end of one window and just after that of the
        // next leaves out a floor, but not the level at the end, or the other way.
        let floors = windows.iter().map(|window| self.floor(window).level as f64);
        let ends = windows
            .iter()
            .map(|window| window.part(PARTS - 1, self.figure).level as f64);
        let (floors, ends) = (floors.collect::<Vec<_>>(), ends.collect::<Vec<_>>());
        let exponents = (exponent_over_four(&floors)?, exponent_over_four(&ends)?);
        let alike = |pair: &[(usize, bool)]| pair[0].0.abs_diff(pair[1].0) <= 2;
        Some(Stairs {
            is_alike: jumps.windows(2).all(alike),
            exponent: f64::midpoint(exponents.0, exponents.1),
            is_ever_faster: rises_ever_faster(&ends),
            share: (ends[4] - ends[2]) / ends[4],
            most: jumps.iter().map(|jumps| jumps.0).max().unwrap_or(0),
            creeps: jumps.iter().any(|jumps| jumps.1),
        })
    }

    /// In how many parts of a window the floor jumped, and whether it creeps beside that;
    /// none if it did not, or fell. What is small beside the largest jump is neither.
    fn jumps(&self, before: &Window, window: &Window) -> Option<(usize, bool)> {
        /// Small: less than this part of the largest.
        const SMALL: f64 = 1.0 / 16.0;

        let mut level = before.part(PARTS - 1, self.figure).level as f64;
        let changes = [0, 1, 2, 3, 4, 5, 6, 7].map(|part| {
            let next = window.part(part, self.figure).level as f64;
            next - std::mem::replace(&mut level, next)
        });
        let small = SMALL * changes.into_iter().fold(0.0, f64::max);
        let jumps = changes.iter().filter(|change| **change > small).count();
        let rest = changes.iter().filter(|change| **change <= small);
        let never_falls = rest.clone().all(|change| *change >= -small);
        (never_falls && jumps > 0).then(|| (jumps, rest.sum::<f64>().abs() > small))
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
    fn fades(&self) -> bool {
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

    fn quarters(&self, window: &Window) -> [u64; 4] {
        [0, 2, 4, 6].map(|part| {
            let low = window.part(part, self.figure);
            low.lower(window.part(part + 1, self.figure)).level
        })
    }

    /// The floors of the sixteenths and where they were reached, oldest first.
    /// Needs two windows.
    pub(super) fn lows(&self) -> [Low; SEGMENTS] {
        let [.., before, last] = self.windows else {
            return [Low { level: 0, step: 0 }; SEGMENTS];
        };
        std::array::from_fn(|place| {
            if let Some(part) = place.checked_sub(PARTS / 2) {
                return last.part(part, self.figure);
            }
            let low = before.part(2 * place, self.figure);
            low.lower(before.part(2 * place + 1, self.figure))
        })
    }

    /// The first steps of the sixteenths. Needs two windows.
    pub(super) fn segment_starts(&self) -> [u64; SEGMENTS] {
        let [.., before, last] = self.windows else {
            return [0; SEGMENTS];
        };
        std::array::from_fn(|place| match place.checked_sub(PARTS / 2) {
            Some(part) => last.part_start(part),
            None => before.part_start(2 * place),
        })
    }

    /// By how much the figure rises with each step, and how far off that may be:
    /// the line of least squares through the sixteenths, in the last window alone
    /// if it began there, and the most that a line as close to all of them can
    /// differ. Nothing if the floor did not rise.
    pub(super) fn slope(&self) -> Slope {
        if self.law() == Some(Law::Constant) {
            return Slope::default();
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

/// A rise in jumps.
#[derive(Clone, Copy)]
struct Stairs {
    /// The power of 2 by which the rises grow with each doubling.
    exponent: f64,
    /// Whether each doubling added more than the one before.
    is_ever_faster: bool,
    /// What part of the level the last two doublings added.
    share: f64,
    /// Whether it jumped in about as many parts of each window. What fills and comes to rest
    /// does not.
    is_alike: bool,
    /// In how many parts of a window it jumped at most.
    most: usize,
    /// Whether it also rises between its jumps, by little.
    creeps: bool,
}

impl Stairs {
    /// So few jumps in a window may be anything: the records of noise come as rarely.
    const FEW: usize = 2;

    /// Jumps are growth if they are a large part of all there is, as those of a buffer that
    /// doubles; few of them only if they get larger in proportion to the steps. The records
    /// of what swings are small beside its level.
    fn law(self) -> Option<Law> {
        let law = Law::of_exponent(self.exponent);
        if !law.is_growing() {
            return Some(law).filter(|_| !self.creeps);
        }
        let is_few = self.most <= Self::FEW;
        let least = if is_few { Law::Linear } else { Law::Sublinear };
        let goes_on = self.is_ever_faster && self.is_alike;
        (goes_on && self.share >= LARGE && law >= least).then_some(law)
    }
}

/// Whether each rise from one level to the next is larger than the one before.
fn rises_ever_faster(levels: &[f64]) -> bool {
    let mut rises = levels.windows(2).map(|pair| pair[1] - pair[0]);
    let mut before = rises.next().unwrap_or(0.0);
    rises.all(|rise| rise > std::mem::replace(&mut before, rise))
}

/// The power of 2 by which the rises grow with each doubling, from levels at four
/// doublings; none if the level did not rise over both halves.
fn exponent_over_four(levels: &[f64]) -> Option<f64> {
    let (early, late) = (levels[2] - levels[0], levels[4] - levels[2]);
    (early > 0.0 && late > 0.0).then(|| (late / early).log2() / 2.0)
}

/// A rate with its bound, and the largest jump beside it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Slope {
    pub(super) per_step: f64,
    pub(super) error: f64,
    pub(super) jump: f64,
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
    fn of_exponent(exponent: f64) -> Self {
        match exponent {
            e if e < -SLOWEST_GROWTH => Self::Fading,
            e if e < SLOWEST_GROWTH => Self::Logarithmic,
            e if e < 0.75 => Self::Sublinear,
            e if e < 1.25 => Self::Linear,
            _ => Self::WorseThanLinear,
        }
    }
}
