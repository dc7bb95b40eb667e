//! Judges one figure over time by the rule of scenarios.
//!
//! The rule is asked about all that was seen and about shorter and shorter lengths of time up to
//! now, so that a leak that began late is found. A rise of some hours is not yet a leak: a day's
//! traffic rises so, and a cache that fills. It counts once it took a fourteenth of the room that
//! there was below the limit, on ground that was not reached before. Without a limit it counts once
//! two days were seen, in which a day's rhythm shows as what it is.

use crate::figure::Figure;
use crate::history::{History, Period, joined};
use crate::verdict::{State, Verdict};
use highwater::__private::{Course, Stretch};
use highwater::Law;
use std::time::Duration;

/// Which part of the room below the limit a rise takes until it counts.
const PART: f64 = 14.0;

/// After so long a daily rhythm shows as one, and any rise of a figure without a limit counts.
const LONG: Duration = Duration::from_hours(48);

/// A leak that would reach the limit in so many times what was seen must have shown.
const HORIZON: f64 = 10.0;

/// One figure: what was seen of it, and what the rule says.
#[derive(Debug)]
pub(crate) struct Judge {
    figure: Figure,
    history: History,
    /// What was seen since the last interval ended.
    pending: Option<Stretch>,
    whole: Whole,
}

/// What the rule says of all that was seen, until more is known.
#[derive(Clone, Copy, Debug, Default)]
struct Whole {
    number: (usize, u64),
    law: Option<Law>,
    rests: bool,
    rate: (f64, f64),
    smallest: Option<f64>,
}

/// A rise that counts.
struct Rise {
    /// Over so many intervals.
    intervals: u64,
    per_interval: f64,
    error: f64,
    /// Where the figure stands at its end, swings aside.
    floor: u64,
}

impl Judge {
    pub(crate) fn new(figure: Figure) -> Self {
        Self {
            figure,
            history: History::new(),
            pending: None,
            whole: Whole::default(),
        }
    }

    pub(crate) fn figure(&self) -> &Figure {
        &self.figure
    }

    /// Takes note of a level, with which so many intervals ended.
    pub(crate) fn observe(&mut self, level: u64, intervals: u64) {
        let now = Stretch {
            lowest: level,
            highest: level,
            mean: level,
        };
        let seen = self.pending.map_or(now, |before| joined(before, now));
        self.pending = Some(seen);
        for _ in 0..intervals {
            self.history.push(self.pending.take().unwrap_or(now));
        }
    }

    /// The verdict now. A figure without a limit is called growing by two days or more alone.
    pub(crate) fn judge(&mut self, limit: Option<u64>, interval: Duration) -> Verdict {
        self.judge_whole();
        let whole = self.history.whole();
        let hours = interval.as_secs_f64() / 3_600.0;
        let rise = self.rise(limit, interval);
        let is_growing = self.whole.law.is_some_and(Law::is_growing);
        let rate = self.whole.rate.0;
        let floor = rise.as_ref().map_or_else(
            || whole.floor_now(if is_growing { rate } else { 0.0 }),
            |rise| rise.floor,
        );
        let room = limit.map(|limit| limit.saturating_sub(floor));
        let per_hour = |per_cell: f64| per_cell / whole.intervals_per_cell() as f64 / hours;
        let missing = Period::FEWEST.saturating_sub(whole.cells());
        let (state, rate, intervals) = match &rise {
            Some(rise) => {
                let rate = (rise.per_interval / hours, rise.error / hours);
                (State::Growing, rate, rise.intervals)
            }
            None if self.is_bounded(whole, room) => (State::Bounded, (0.0, 0.0), whole.intervals()),
            None if is_growing => {
                let (rate, error) = self.whole.rate;
                let rate = (per_hour(rate), per_hour(error));
                (State::Settling, rate, whole.intervals())
            }
            None => (State::Settling, (0.0, 0.0), whole.intervals()),
        };
        Verdict {
            figure: self.figure.clone(),
            state,
            per_hour: rate.0,
            error_per_hour: rate.1,
            limit,
            until_limit: room.and_then(|room| until(room, rate.0)),
            smallest_per_hour: self.whole.smallest.filter(|_| rise.is_none()).map(per_hour),
            over: times(interval, intervals),
            missing: times(interval, missing as u64),
        }
    }

    /// Whether it grows over this time or nearly; none if too little was seen, or it is not clear.
    pub(crate) fn grows_over(&self, time: Duration, interval: Duration) -> Option<bool> {
        let fits = |period: &Period<'_>| times(interval, period.intervals()) <= time;
        let period = self.history.periods().find(fits)?;
        Course::new(period.stretches()).law().map(Law::is_growing)
    }

    /// Asks the rule about all that was seen, if there is more of it than before.
    fn judge_whole(&mut self) {
        let whole = self.history.whole();
        if self.whole.number == whole.number() {
            return;
        }
        let course = Course::new(whole.stretches());
        let law = course.law();
        let is_known = law.is_some_and(|law| !law.is_growing());
        self.whole = Whole {
            number: whole.number(),
            law,
            rests: course.rests(),
            rate: course.rate(),
            smallest: is_known.then(|| course.smallest_leak()).flatten(),
        };
    }

    /// Whether it is at rest, or nearly, and no leak that matters could hide.
    fn is_bounded(&self, whole: Period<'_>, room: Option<u64>) -> bool {
        let shows = |smallest: f64| {
            let most = smallest * whole.cells() as f64 * HORIZON;
            room.is_none_or(|room| most <= room as f64)
        };
        self.whole.rests && self.whole.smallest.is_some_and(shows)
    }

    /// The rise that counts, over the longest time in which there is one.
    fn rise(&self, limit: Option<u64>, interval: Duration) -> Option<Rise> {
        let mut periods = self.history.periods().enumerate();
        periods.find_map(|(index, period)| self.rise_over(period, index == 0, limit, interval))
    }

    /// The rise over this time, if it counts.
    fn rise_over(
        &self,
        period: Period<'_>,
        is_whole: bool,
        limit: Option<u64>,
        interval: Duration,
    ) -> Option<Rise> {
        let floor = period.last_floor();
        let takes_much = |rise: f64, limit: u64| {
            let room = limit as f64 - floor as f64 + rise;
            rise > 0.0 && rise * PART >= room
        };
        // Each of these costs more than the one before, and the rule most.
        let may_count = limit.map_or_else(
            || is_whole && times(interval, period.intervals()) >= LONG,
            |limit| {
                let is_above = |level: u64| takes_much(floor as f64 - level as f64, limit);
                is_above(period.lowest()) && is_above(period.highest_floor_before())
            },
        );
        if !may_count {
            return None;
        }
        let (law, (rate, error)) = if is_whole {
            (self.whole.law, self.whole.rate)
        } else {
            let course = Course::new(period.stretches());
            (course.law(), course.rate())
        };
        let rise = rate * period.cells() as f64;
        let counts = rise > 0.0 && limit.is_none_or(|limit| takes_much(rise, limit));
        let per_cell = period.intervals_per_cell() as f64;
        (law.is_some_and(Law::is_growing) && counts).then_some(Rise {
            intervals: period.intervals(),
            per_interval: rate / per_cell,
            error: error / per_cell,
            floor: period.floor_now(rate),
        })
    }
}

/// How long it takes at this rate.
fn until(room: u64, per_hour: f64) -> Option<Duration> {
    let seconds = room as f64 / per_hour * 3_600.0;
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|_| per_hour > 0.0)
}

pub(crate) fn times(interval: Duration, count: u64) -> Duration {
    let nanoseconds = interval.as_nanos().saturating_mul(count.into());
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
}
