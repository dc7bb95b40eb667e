//! Judges memory by the work that was done instead of the time that passed.
//!
//! Each sample comes with the number of steps that were done up to then. The rule is asked about
//! equal stretches of them.

use crate::stretches;
use highwater::__private::{Course, Rate, Size, Stretch, Thousands};
use highwater_monitor::State;
use std::fmt;

/// So many samples are kept. Then each two of them become one.
const MOST: usize = 2_048;

/// The work is cut into so many stretches at most.
const FINEST: usize = 128;

/// A leak that would reach the limit in so many times the work that was seen must have shown.
const HORIZON: f64 = 10.0;

/// The work that was seen, and what it says.
#[derive(Clone, Debug)]
pub struct Work {
    /// By the steps that were done; some are between any two.
    seen: Vec<(i64, Stretch)>,
    verdict: Verdict,
    /// Whether memory was said to grow, and not yet to be bounded since.
    is_alert: bool,
}

/// Whether memory is bounded by the work. Printed, it is one sentence.
#[derive(Clone, Debug)]
pub struct Verdict {
    state: State,
    per_step: f64,
    error: f64,
    smallest: Option<f64>,
    /// How many steps were seen.
    over: u64,
    /// The room below the limit, and that.
    room: Option<(u64, u64)>,
    lacks: Option<Lack>,
}

/// Why nothing is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lack {
    /// No line was one of work.
    NoWork,
    /// There are only so many samples with work before them.
    TooFew(usize),
    /// Most of the work came between few samples.
    Uneven,
}

impl Default for Work {
    fn default() -> Self {
        Self {
            seen: Vec::new(),
            verdict: Verdict::unknown(Lack::NoWork, 0),
            is_alert: false,
        }
    }
}

impl Work {
    /// Takes note of the memory after so many steps. Returns what begins or is over with it.
    pub fn observe(&mut self, steps: u64, memory: u64, limit: Option<u64>) -> Option<String> {
        let steps = i64::try_from(steps).unwrap_or(i64::MAX);
        let level = of(memory);
        match self.seen.last_mut() {
            Some((before, last)) if *before == steps => *last = joined(*last, level),
            _ => self.seen.push((steps, level)),
        }
        if self.seen.len() > MOST {
            let pairs = self.seen.chunks(2);
            let pair = |pair: &[(i64, Stretch)]| match *pair {
                [(_, one), (steps, other)] => (steps, joined(one, other)),
                _ => pair[0],
            };
            self.seen = pairs.map(pair).collect();
        }
        self.verdict = self.judge();
        self.verdict.room = limit.map(|limit| (limit.saturating_sub(memory), limit));
        if self.verdict.state == State::Bounded && !self.verdict.would_show() {
            self.verdict.state = State::Settling;
        }
        match (self.is_alert, self.verdict.state) {
            (false, State::Growing) => {
                self.is_alert = true;
                Some(format!("alert: {}", self.verdict))
            }
            (true, State::Bounded) => {
                self.is_alert = false;
                Some(format!("over: memory stopped growing; {}", self.verdict))
            }
            _ => None,
        }
    }

    /// What is known now.
    pub fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    fn judge(&self) -> Verdict {
        let positions: Vec<_> = self.seen.iter().map(|(steps, _)| *steps).collect();
        let ends = positions.first().zip(positions.last());
        let over = ends.map_or(0, |(first, last)| last.abs_diff(*first));
        if over == 0 {
            return Verdict::unknown(Lack::NoWork, 0);
        }
        if positions.len() < Course::FEWEST {
            return Verdict::unknown(Lack::TooFew(positions.len()), over);
        }
        let counts = (Course::FEWEST..=positions.len().min(FINEST)).rev();
        let found = { counts }.find_map(|count| stretches::stretches(&positions, count));
        let Some(stretch_of) = found else {
            return Verdict::unknown(Lack::Uneven, over);
        };
        let others = stretch_of.last().copied().unwrap_or(0).max(1);
        let length = over as f64 / others as f64;
        let levels = self.seen.iter().map(|(_, level)| *level);
        let course = stretches::course(stretch_of.into_iter().zip(levels));
        let smallest = course.smallest_leak().map(|smallest| smallest / length);
        let (rate, error) = course.rate();
        let (state, smallest) = if course.is_growing() {
            (State::Growing, None)
        } else if course.rests() && smallest.is_some() {
            (State::Bounded, smallest)
        } else {
            (State::Settling, smallest)
        };
        let is_growing = state == State::Growing;
        let of_growing = |rate: f64| if is_growing { rate / length } else { 0.0 };
        Verdict {
            state,
            per_step: of_growing(rate),
            error: of_growing(error),
            smallest,
            over,
            room: None,
            lacks: None,
        }
    }
}

/// A sample.
fn of(memory: u64) -> Stretch {
    Stretch {
        lowest: memory,
        highest: memory,
        mean: memory,
    }
}

/// Both as one.
fn joined(one: Stretch, other: Stretch) -> Stretch {
    Stretch {
        lowest: one.lowest.min(other.lowest),
        highest: one.highest.max(other.highest),
        mean: one.mean.midpoint(other.mean),
    }
}

impl Verdict {
    fn unknown(lack: Lack, over: u64) -> Self {
        Self {
            state: State::Settling,
            per_step: 0.0,
            error: 0.0,
            smallest: None,
            over,
            room: None,
            lacks: Some(lack),
        }
    }

    /// Bounded, growing, or not clear yet.
    pub fn state(&self) -> State {
        self.state
    }

    /// The bytes that come with each step; zero unless it grows.
    pub fn per_step(&self) -> f64 {
        self.per_step
    }

    /// How many steps are left until the limit; none if it does not grow.
    // It is no less than zero, and past a u64 nobody looks closely.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub fn steps_to_limit(&self) -> Option<u64> {
        let (room, _) = self.room?;
        (self.per_step > 0.0).then(|| (room as f64 / self.per_step) as u64)
    }

    /// Whether a leak that matters would have shown.
    fn would_show(&self) -> bool {
        let Some((smallest, (room, _))) = self.smallest.zip(self.room) else {
            return true;
        };
        smallest * self.over as f64 * HORIZON <= room as f64
    }

    fn error(&self) -> String {
        let percent = self.error / self.per_step * 100.0;
        if percent >= 1.0 && percent.is_finite() {
            format!(" ± {percent:.0} %")
        } else {
            String::new()
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let over = Thousands(self.over);
        write!(f, "memory: {}", self.state)?;
        match (self.state, self.lacks, self.smallest.map(bytes)) {
            (_, Some(Lack::NoWork), _) => f.write_str(", as no line of the output is a step yet"),
            (_, Some(Lack::TooFew(samples)), _) => write!(
                f,
                ", after {over} steps: {samples} samples had steps between them, and {} are needed",
                Course::FEWEST
            ),
            (_, Some(Lack::Uneven), _) => write!(
                f,
                "; of the {over} steps too many came between two samples: a shorter interval would \
                 tell"
            ),
            (State::Growing, ..) => {
                let (rate, error) = (bytes(self.per_step), self.error());
                write!(f, " by {rate} a step{error} over the last {over} steps")?;
                match self.steps_to_limit().zip(self.room) {
                    Some((left, (_, limit))) => write!(
                        f,
                        "; it reaches the limit of {} in {} steps",
                        Size(limit),
                        Thousands(left)
                    ),
                    None => Ok(()),
                }
            }
            (State::Bounded, _, Some(smallest)) => write!(
                f,
                " over the last {over} steps; a leak of {smallest} a step would have shown"
            ),
            (State::Settling, _, Some(smallest)) => write!(
                f,
                "; no steady rise over the last {over} steps, but a leak of less than {smallest} a \
                 step would not have shown"
            ),
            (_, _, None) => write!(
                f,
                "; over the last {over} steps it neither rested nor rose evenly"
            ),
        }
    }
}

/// Bytes that come with a step, rounded up from ten on.
// A rate is not below zero, and past a u64 nobody looks closely.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn bytes(rate: f64) -> String {
    if rate < 10.0 {
        format!("{} B", Rate(rate))
    } else {
        Size(rate.ceil() as u64).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::{Work, of};
    use highwater_monitor::State;

    /// What is said after each of these samples: steps and memory.
    fn lines(samples: impl Iterator<Item = (u64, u64)>) -> (Work, Vec<String>) {
        let mut work = Work::default();
        let limit = Some(1_000_000_000);
        let events = samples.filter_map(|(steps, memory)| work.observe(steps, memory, limit));
        let events = events.collect();
        (work, events)
    }

    #[test]
    fn how_verdicts_read() {
        let last = |samples: &mut dyn Iterator<Item = (u64, u64)>| {
            let (work, events) = lines(samples);
            let text = work.verdict().to_string();
            [events, vec![text]].concat().join("\n")
        };
        let said = [
            last(&mut (0..50).map(|_| (0, 20_000_000))),
            last(&mut (0..20).map(|at| (at * 10, 20_000_000))),
            last(&mut (0..100).map(|at| (at * 100, 20_000_000 + at * 320_000))),
            last(&mut (0..100).map(|at| (at * 100_000, 20_000_000 + at * 41_000))),
            last(&mut (0..400).map(|at| (at * 10, 20_000_000 + at % 7 * 4_096))),
            last(&mut (0..40).map(|at| (at, 20_000_000 + at % 7 * 400_096))),
            last(&mut (0..100).map(|at| (at * at * at, 20_000_000))),
            last(&mut (0..400).map(|at| (at * 100, 20_000_000 + at.min(40) * 900_000))),
        ];
        insta::assert_snapshot!(said.join("\n\n"));
    }

    /// Work that comes by day alone is no rise and no rest of the nights.
    #[test]
    fn nights_without_work_do_not_count() {
        let samples = (0..400_u64).map(|sample| {
            let (day, of_day) = (sample / 100, sample % 100);
            let steps = day * 50 + of_day.min(50);
            (steps, 50_000_000 + steps * 1_000)
        });
        let (work, events) = lines(samples);
        assert_eq!(work.verdict().state(), State::Growing);
        assert!((work.verdict().per_step() - 1_000.0).abs() < 10.0);
        assert_eq!(events.len(), 1, "{events:?}");
    }

    /// Of a watch that goes on for long, two samples become one.
    #[test]
    fn as_much_is_kept_as_is_needed() {
        let mut work = Work::default();
        // A judgement of each sample takes long where nothing is optimized.
        for at in 0..super::MOST as u64 {
            work.seen
                .push((at.cast_signed(), of(50_000_000 + at * 200)));
        }
        for at in 0..3 {
            let steps = super::MOST as u64 + at;
            work.observe(steps, 50_000_000 + steps * 200, Some(1_000_000_000));
        }
        assert_eq!(work.seen.len(), super::MOST / 2 + 3);
        assert_eq!(work.seen.last().map(|(steps, _)| *steps), Some(2_050));
        assert!(
            (work.verdict().per_step() - 200.0).abs() < 2.0,
            "{:?}",
            work.verdict()
        );
    }
}
