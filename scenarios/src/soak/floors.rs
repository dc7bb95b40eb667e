//! The lowest levels of a figure in windows of time, and how fast they rise.
//!
//! A service on the real clock is seen for minutes, in which what comes and goes with its cycles
//! is more than what a leak leaves behind. A window is as long as all cycles take together, so
//! its lowest level has none of that.

use highwater_monitor::{Figure, Sample};

/// The seconds in a window: the clean-up comes once in it, all else twice or in each second.
pub(super) const WINDOW: u64 = 20;

const HOUR: f64 = 3_600.0;

/// The lowest level in each window that is over.
#[derive(Clone, Debug, Default)]
pub(super) struct Floors {
    windows: Vec<u64>,
    /// The lowest level in the window that is not over.
    lowest: Option<u64>,
    seconds: u64,
}

/// The floors of all figures.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen(Vec<(Figure, Floors)>);

impl Seen {
    /// Takes the sample of the next second.
    pub(super) fn push(&mut self, sample: &Sample) {
        let levels = [
            (Figure::Memory, sample.memory_bytes()),
            (Figure::Heap, sample.heap.map(|heap| heap.live_bytes)),
            (Figure::Descriptors, sample.descriptors),
        ];
        let levels = levels.into_iter();
        let levels = levels.filter_map(|(figure, level)| Some((figure, level?)));
        let components = sample.components.iter();
        let components =
            components.map(|heap| (Figure::Component(heap.name.clone()), heap.live_bytes));
        for (figure, level) in levels.chain(components) {
            let known = self.0.iter().position(|(known, _)| *known == figure);
            let at = known.unwrap_or_else(|| {
                self.0.push((figure, Floors::default()));
                self.0.len() - 1
            });
            self.0[at].1.push(level);
        }
    }

    /// Those of one figure; none if it was never known.
    pub(super) fn of(&self, figure: &Figure) -> Option<&Floors> {
        let mut seen = self.0.iter();
        let found = seen.find(|(known, _)| known == figure);
        found.map(|(_, floors)| floors)
    }
}

/// By how much a figure rises in an hour.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Hourly {
    pub(super) rate: f64,
    /// How far that may be off, either way.
    pub(super) error: f64,
}

impl Floors {
    /// Takes the level in the next second.
    pub(super) fn push(&mut self, level: u64) {
        self.lowest = Some(self.lowest.map_or(level, |lowest| lowest.min(level)));
        self.seconds += 1;
        if self.seconds.is_multiple_of(WINDOW) {
            self.windows.extend(self.lowest.take());
        }
    }

    /// From the first window to the last; none if there are not two.
    pub(super) fn rise(&self) -> Option<i64> {
        let [first, .., last] = self.windows.as_slice() else {
            return None;
        };
        Some(last.cast_signed() - first.cast_signed())
    }

    /// How fast that is. It may be off by as much as if one end were the farthest from the
    /// straight line between both that any window is, up, and the other down. None if there are
    /// not three windows.
    pub(super) fn hourly(&self) -> Option<Hourly> {
        let steps = self
            .windows
            .len()
            .checked_sub(1)
            .filter(|steps| *steps >= 2)?;
        let (first, rise) = (*self.windows.first()? as f64, self.rise()? as f64);
        let on_line = |at: usize| first + rise * at as f64 / steps as f64;
        let off = self.windows.iter().enumerate();
        let off = off.map(|(at, floor)| (*floor as f64 - on_line(at)).abs());
        let off = off.fold(0.0, f64::max);
        let hours = (steps as u64 * WINDOW) as f64 / HOUR;
        Some(Hourly {
            rate: rise / hours,
            error: 2.0 * off / hours,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Floors, Hourly, WINDOW};

    fn floors(seconds: u64, level: impl Fn(u64) -> u64) -> Floors {
        let mut floors = Floors::default();
        for second in 0..seconds {
            floors.push(level(second));
        }
        floors
    }

    #[test]
    fn what_comes_and_goes_within_a_window_is_no_rise() {
        let level = |second| 1_000 + second % WINDOW * 50;
        let hourly = floors(600, level).hourly();
        assert_eq!(
            hourly,
            Some(Hourly {
                rate: 0.0,
                error: 0.0
            })
        );
    }

    #[test]
    fn a_steady_leak_below_it_has_its_rate() {
        let level = |second| 1_000 + second % WINDOW * 50 + second * 7;
        let floors = floors(600, level);
        assert_eq!(floors.rise(), Some(29 * 20 * 7));
        let expected = Hourly {
            rate: 25_200.0,
            error: 0.0,
        };
        assert_eq!(floors.hourly(), Some(expected));
    }

    /// Six windows, of which one is 100 higher: it says how far the ends may be off.
    #[test]
    fn a_window_off_the_line_is_the_doubt() {
        let floors = floors(120, |second| if second / WINDOW == 3 { 600 } else { 500 });
        let expected = Hourly {
            rate: 0.0,
            error: 7_200.0,
        };
        assert_eq!(floors.hourly(), Some(expected));
    }

    #[test]
    fn a_window_that_is_not_over_does_not_count() {
        let falls = |second| if second >= 60 { 0 } else { 500 };
        assert_eq!(floors(79, falls).rise(), Some(0));
        assert_eq!(floors(80, falls).rise(), Some(-500));
        assert_eq!(floors(59, falls).hourly(), None);
        assert_eq!(floors(39, falls).rise(), None);
    }
}
