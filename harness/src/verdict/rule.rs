//! The rule for one figure: level, growing, or not to be told.
//!
//! What it looks at are floors, of whole windows (each twice as long as the one
//! before) and of sixteenths of the run since its first quarter. They come as
//! plain numbers, so that [detectability](super::detectability) can ask the same
//! rule about a leak that was not there.

use super::Law;
use crate::floors::{Figure, Low, PARTS, Window};

/// Sixteenths of the run from its first quarter to its end: four of the window
/// before the last, eight of the last.
pub(super) const SEGMENTS: usize = PARTS / 2 + PARTS;

/// A rise that is multiplied by less than 2 to this power when the steps double
/// is a logarithm's or fades. A square root's power is ½.
const SLOWEST_GROWTH: f64 = 0.25;

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

    /// Whether no more steps are needed: the floor has not risen over the last
    /// two doublings, nor at the end of the last, and the highest level does not grow.
    pub(super) fn is_level(&self) -> bool {
        let ends_level = self.windows.last().is_some_and(|last| {
            let [a, b, c, end] = self.quarters(last);
            end <= a.max(b).max(c)
        });
        self.level_doublings() >= 2 && ends_level && !self.highest_grows()
    }

    /// The law of the figure; none when it can't be told. Needs two windows.
    pub(super) fn law(&self) -> Option<Law> {
        (self.law_of_floors()).filter(|law| law.is_growing() || !self.highest_grows())
    }

    fn law_of_floors(&self) -> Option<Law> {
        if self.rises().next().unwrap_or(0.0) <= 0.0 {
            return Some(Law::Constant);
        }
        if let Some(law) = self.law_of_jumps() {
            return Some(law);
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
        // It began in the last window, and went on evenly through every part of it.
        let began_late = self.rises().nth(1).unwrap_or(0.0) <= 0.0;
        if began_late && is_rising_within(&points(in_last), 0.1) {
            return Some(Law::Linear);
        }
        if self.fades() && !is_rising(&points(in_last)) {
            return Some(Law::Fading);
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

    /// The law of what lies still but for one or two jumps in each of the last
    /// windows, like a buffer that grows by doubling and jumps twice as far each
    /// time. A cache that fills moves in many places, then no more.
    fn law_of_jumps(&self) -> Option<Law> {
        /// Over how many windows it must be so to be no coincidence.
        const WINDOWS: usize = 4;

        let first = self.windows.len().checked_sub(WINDOWS + 1)?;
        let jumps: Option<Vec<_>> = (self.windows[first..].windows(2))
            .map(|pair| self.jumps(&pair[0], &pair[1]))
            .collect();
        let jumps = jumps?;
        let alike = jumps.windows(2).all(|pair| pair[0].abs_diff(pair[1]) <= 1);
        // A jump that is just before the end of one window and just after that of the
        // next leaves out a floor, but not the level at the end, or the other way.
        let windows = &self.windows[first..];
        let floors = windows.iter().map(|window| self.floor(window).level as f64);
        let ends = windows
            .iter()
            .map(|window| window.part(PARTS - 1, self.figure).level as f64);
        let floors = exponent_over_four(&floors.collect::<Vec<_>>())?;
        let ends = exponent_over_four(&ends.collect::<Vec<_>>())?;
        alike.then(|| Law::of_exponent(f64::midpoint(floors, ends)))
    }

    /// In how many parts of a window the floor jumped; none if that is not one or
    /// two, or the floor fell. What is small beside the largest jump is neither.
    fn jumps(&self, before: &Window, window: &Window) -> Option<usize> {
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
        // It may swing a little, but neither fall nor creep.
        let is_still =
            rest.clone().all(|change| *change >= -small) && rest.sum::<f64>().abs() <= small;
        (is_still && (1..=2).contains(&jumps)).then_some(jumps)
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
    /// it did. A logarithm adds the same, and everything faster adds more.
    fn fades(&self) -> bool {
        let end = |window: &Window| window.part(PARTS - 1, self.figure).level as f64;
        let [.., first, second, third, last] = self.windows else {
            return false;
        };
        let rises = [(first, second), (second, third), (third, last)];
        let [early, middle, late] = rises.map(|(from, to)| end(to) - end(from));
        late <= early.min(middle) / 2.0
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
        if self.law_of_jumps().is_some() && !is_rising(&lows) {
            return self.slope_of_jumps();
        }
        let began_late = self.rises().nth(1).unwrap_or(0.0) <= 0.0;
        let first = if began_late { SEGMENTS - PARTS } else { 0 };
        let lows = &lows[first..];
        let line = Line::through(lows);
        let span = lows[lows.len() - 1].0 - lows[0].0;
        Slope {
            per_step: line.slope.max(0.0),
            error: if span > 0.0 {
                2.0 * line.farthest / span
            } else {
                0.0
            },
        }
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
        }
    }
}

/// The power of 2 by which the rises grow with each doubling, from levels at four
/// doublings; none if the level did not rise over both halves.
fn exponent_over_four(levels: &[f64]) -> Option<f64> {
    let (early, late) = (levels[2] - levels[0], levels[4] - levels[2]);
    (early > 0.0 && late > 0.0).then(|| (late / early).log2() / 2.0)
}

/// A rate with its bound.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Slope {
    pub(super) per_step: f64,
    pub(super) error: f64,
}

/// A floor over the step at which it was reached.
type Point = (f64, f64);

fn points(lows: &[Low]) -> Vec<Point> {
    let point = |low: &Low| (low.step as f64, low.level as f64);
    lows.iter().map(point).collect()
}

/// Whether each of the floors is higher than the one before.
fn is_rising(floors: &[Point]) -> bool {
    floors.windows(2).all(|pair| pair[0].1 < pair[1].1)
}

/// Whether the floors of the sixteenths rise all the time, and so evenly that it
/// is no coincidence.
pub(super) fn is_rising_evenly(floors: &[Point]) -> bool {
    is_rising_within(floors, 0.3)
}

/// Whether each is higher than the one before, and none farther from a line than
/// this part of the whole rise.
fn is_rising_within(floors: &[Point], tolerance: f64) -> bool {
    let rise = floors[floors.len() - 1].1 - floors[0].1;
    is_rising(floors) && Line::through(floors).farthest <= tolerance * rise
}

/// The law that comes closest to floors: their distance, by least squares, from
/// a + b·f(steps), for each law's f.
pub(super) fn law_by_shape(floors: &[Point]) -> Law {
    type Shape = fn(f64) -> f64;
    const SHAPES: [(Law, Shape); 5] = [
        (Law::Fading, |x| -1.0 / x),
        (Law::Logarithmic, f64::ln),
        (Law::Sublinear, f64::sqrt),
        (Law::Linear, |x| x),
        (Law::WorseThanLinear, |x| x * x),
    ];
    let distance = |shape: Shape| {
        let shaped: Vec<_> = floors
            .iter()
            .map(|(step, level)| (shape(*step), *level))
            .collect();
        Line::through(&shaped).squares
    };
    let nearest = |a: &(Law, f64), b: &(Law, f64)| a.1.total_cmp(&b.1);
    let distances = SHAPES.map(|(law, shape)| (law, distance(shape)));
    (distances.into_iter().min_by(nearest)).map_or(Law::Constant, |(law, _)| law)
}

/// A line of least squares.
struct Line {
    slope: f64,
    /// The sum of the squared distances.
    squares: f64,
    /// The largest distance.
    farthest: f64,
}

impl Line {
    fn through(points: &[Point]) -> Self {
        let count = points.len() as f64;
        let mean_x = points.iter().map(|point| point.0).sum::<f64>() / count;
        let mean_y = points.iter().map(|point| point.1).sum::<f64>() / count;
        let products = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y));
        let squares = points.iter().map(|(x, _)| (x - mean_x).powi(2));
        let (products, squares): (f64, f64) = (products.sum(), squares.sum());
        let slope = if squares > 0.0 {
            products / squares
        } else {
            0.0
        };
        let distances = (points.iter()).map(|(x, y)| (y - mean_y - slope * (x - mean_x)).abs());
        Self {
            slope,
            squares: distances.clone().map(|distance| distance.powi(2)).sum(),
            farthest: distances.fold(0.0, f64::max),
        }
    }
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
