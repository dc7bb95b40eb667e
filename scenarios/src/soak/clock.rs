//! The real clock of a soak: when a second begins, and how many were late.
//!
//! Each second begins at its time after the start, or at once if the ones before it took longer.
//! So a soak lasts as long as was asked, and a machine that is too slow for that shows in figures.

use std::thread;
use std::time::{Duration, Instant};

/// Since the first second began.
pub(super) struct Clock {
    start: Instant,
    pub(super) pace: Pace,
}

/// How seconds went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pace {
    pub(super) seconds: u64,
    /// Those whose work was not done when the next one was to begin.
    pub(super) late: u64,
    /// By how much at most.
    pub(super) behind: Duration,
    /// The longest that the work of one took.
    pub(super) longest: Duration,
}

impl Clock {
    /// The first second begins now.
    pub(super) fn start() -> Self {
        Self {
            start: Instant::now(),
            pace: Pace::default(),
        }
    }

    /// Waits until a second begins, unless it did already, and returns how long after the start
    /// it is.
    pub(super) fn wait(&self, second: u64) -> Duration {
        let left = Duration::from_secs(second).checked_sub(self.start.elapsed());
        thread::sleep(left.unwrap_or_default());
        self.start.elapsed()
    }

    /// The work of the next second is done, which began so long after the start.
    pub(super) fn done(&mut self, begun: Duration) {
        self.pace.count(begun, self.start.elapsed());
    }
}

impl Pace {
    fn count(&mut self, begun: Duration, done: Duration) {
        self.seconds += 1;
        let behind = done.saturating_sub(Duration::from_secs(self.seconds));
        self.late += u64::from(!behind.is_zero());
        self.behind = self.behind.max(behind);
        self.longest = self.longest.max(done.saturating_sub(begun));
    }
}

#[cfg(test)]
mod tests {
    use super::Pace;
    use std::time::Duration;

    /// The second one takes 1.5 s, so the third begins late; it is done in time.
    #[test]
    fn a_second_is_late_if_it_is_not_done_when_the_next_one_begins() {
        let mut pace = Pace::default();
        for (begun, done) in [(0, 40), (1_000, 2_500), (2_500, 2_540), (3_000, 4_000)] {
            pace.count(Duration::from_millis(begun), Duration::from_millis(done));
        }
        let expected = Pace {
            seconds: 4,
            late: 1,
            behind: Duration::from_millis(500),
            longest: Duration::from_millis(1_500),
        };
        assert_eq!(pace, expected);
    }
}
