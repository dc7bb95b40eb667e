//! The rule over time, for a service that has no steps: stretches of equal length, each with
//! its lowest, highest and average level, stand for the steps.
//!
//! The crate `highwater-monitor` uses it.

use super::Law;
use super::detectability::smallest;
use super::floors::{Floors, Quantity, memory_levels};
use super::series::Series;

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

    /// Whether no part of the last window steps up for good, nor the figure falls all the time.
    pub fn is_at_rest(&self) -> bool {
        self.series().is_some_and(|series| series.ends_level())
    }

    /// The smallest leak, in units a stretch, that would have been called growing on top of
    /// what was seen; none if there is none.
    pub fn smallest_leak(&self) -> Option<f64> {
        smallest(self.0.windows(), Quantity::Bytes)
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
        assert!(course.is_at_rest());
        let limit = course.smallest_leak().expect("it is level");
        assert!(limit > 0.0 && limit < 1_000.0, "{limit}");
    }

    #[test]
    fn a_few_stretches_are_too_few() {
        let course = course(31, |step| step);
        assert_eq!(course.law(), None);
        assert_eq!(course.rate(), (0.0, 0.0));
        assert_eq!(course.smallest_leak(), None);
        assert!(!course.is_at_rest());
    }
}
