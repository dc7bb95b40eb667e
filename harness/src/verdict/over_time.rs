//! The rule over time, for a service that has no steps: stretches of equal length, each with
//! its lowest, highest and average level, stand for the steps.
//!
//! The crate `highwater-monitor` uses it.

use super::Law;
use super::detectability::smallest;
use super::floors::{Floors, PARTS, Quantity, memory_levels};
use super::series::{SEGMENTS, Series};

/// The levels of one figure in a stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The lowest.
    pub lowest: u64,
    /// The highest.
    pub highest: u64,
    /// The average, rounded down.
    pub mean: u64,
}

/// What the rule says of a figure over equal stretches of time.
#[derive(Debug)]
pub struct Course(Floors);

impl Course {
    /// The fewest stretches that can be judged: two windows of the rule, and the start.
    pub const FEWEST: usize = 4 * PARTS;

    /// Of these stretches, the oldest first. Each counts as a step.
    pub fn new(stretches: impl ExactSizeIterator<Item = Stretch>) -> Self {
        let length = stretches.len() as u64;
        let mut floors = Floors::new(length, length);
        for (step, stretch) in (1..).zip(stretches) {
            let levels = [stretch.lowest, stretch.highest, stretch.mean];
            let [low, high, mean] = levels.map(|level| memory_levels(level, 0));
            floors.observe_range(step, step, [&low, &high, &mean]);
        }
        Self(floors)
    }

    /// The law of the figure; none if there are too few stretches to compare windows, or it is
    /// not clear.
    pub fn law(&self) -> Option<Law> {
        self.series()?.law()
    }

    /// By how much the figure rises with each stretch, and how far that may be off.
    pub fn rate(&self) -> (f64, f64) {
        let slope = self.series().map(|series| series.slope());
        slope.map_or((0.0, 0.0), |slope| (slope.per_step, slope.error))
    }

    /// Whether the figure grows without end.
    pub fn is_growing(&self) -> bool {
        self.law().is_some_and(Law::is_growing)
    }

    /// Whether the figure is at rest, or nearly: its law is known and is not that of growth. If
    /// it is constant, no part of the last window steps up for good, nor falls all the time.
    pub fn rests(&self) -> bool {
        let Some(series) = self.series() else {
            return false;
        };
        series.law().is_some_and(|law| match law {
            Law::Constant => series.ends_level(),
            law => !law.is_growing(),
        })
    }

    /// By how much its average falls from one window to the next, if it falls all through the
    /// last one; else zero.
    pub fn fall(&self) -> f64 {
        self.series().map_or(0.0, |series| series.fall())
    }

    /// Whether the rise of this part of a whole is offset by others that fall by so much
    /// together, so that it may replace them.
    pub fn is_offset(&self, whole: &Self, falls: f64) -> bool {
        let both = self.series().zip(whole.series());
        both.is_some_and(|(part, whole)| part.is_offset(&whole, falls))
    }

    /// The smallest leak, in units a stretch, that would have been called growing on top of
    /// what was seen; none if there is none.
    pub fn smallest_leak(&self) -> Option<f64> {
        smallest(self.0.windows(), Quantity::Bytes)
    }

    /// The least that a leak can be, in units a stretch, to be seen where it comes in pieces of so
    /// many units: one in each part of the last windows.
    pub fn least_in_pieces_of(&self, units: u64) -> f64 {
        let last = self.0.windows().last();
        let stretches = last.map_or(1, |last| last.to_step);
        units as f64 * SEGMENTS as f64 / 2.0 / stretches as f64
    }

    fn series(&self) -> Option<Series<'_>> {
        let windows = self.0.windows();
        (windows.len() >= 2).then(|| Series::new(windows, Quantity::Bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::{Course, Stretch};
    use crate::verdict::Law;

    /// Stretches of ten steps each.
    fn course(count: u64, level: impl Fn(u64) -> u64) -> Course {
        let stretches: Vec<_> = (0..count)
            .map(|index| {
                let levels = (index * 10..index * 10 + 10).map(&level);
                Stretch {
                    lowest: levels.clone().min().unwrap_or_default(),
                    highest: levels.clone().max().unwrap_or_default(),
                    mean: levels.sum::<u64>() / 10,
                }
            })
            .collect();
        Course::new(stretches.into_iter())
    }

    #[test]
    fn a_leak_has_its_rate() {
        let course = course(256, |step| 1_000_000 + step * 64 + step % 7 * 10_000);
        assert_eq!(course.law(), Some(Law::Linear));
        let (rate, error) = course.rate();
        assert!((rate - 640.0).abs() <= error, "{rate} ± {error}");
        assert!(error < 64.0, "{error}");
    }

    #[test]
    fn a_sawtooth_rests_and_states_its_limit() {
        let course = course(256, |step| 1_000_000 + step % 70 * 100);
        assert_eq!(course.law(), Some(Law::Constant));
        assert!(course.rests() && !course.is_growing());
        let limit = course.smallest_leak().expect("it is level");
        assert!(limit > 0.0 && limit < 1_000.0, "{limit}");
    }

    #[test]
    fn a_few_stretches_are_too_few() {
        assert_eq!(
            course(Course::FEWEST as u64, |step| step).law(),
            Some(Law::Linear)
        );
        let course = course(Course::FEWEST as u64 - 1, |step| step);
        assert_eq!(course.law(), None);
        assert_eq!(course.rate(), (0.0, 0.0));
        assert_eq!(course.smallest_leak(), None);
        assert!(!course.rests());
    }

    #[test]
    fn what_replaces_others_is_offset_by_them() {
        let (old, new) = (|step| 5_000 - step, |step| step);
        let whole = course(64, |step| old(step) + new(step));
        let (old, new) = (course(64, old), course(64, new));
        assert!(new.is_growing() && old.fall() > 0.0 && new.fall() <= 0.0);
        assert!(new.is_offset(&whole, old.fall()));
        let alone = course(64, |step| 5_000 + step);
        assert!(!new.is_offset(&alone, 0.0));
    }
}
