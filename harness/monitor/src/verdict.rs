//! [`Verdict`]: is a figure of the service bounded, or when does it reach its limit?

use crate::figure::Figure;
use crate::text::{Amount, Hourly, Span};
use std::fmt;
use std::time::Duration;

/// What is known of a figure so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It stays within limits, and a leak that matters would have shown.
    Bounded,
    /// It rises without end.
    Growing,
    /// Not clear yet.
    Settling,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Bounded => "bounded",
            Self::Growing => "growing",
            Self::Settling => "settling",
        })
    }
}

/// The judgement of one figure of a service, over the time that it was watched.
///
/// Printed, it is one sentence. Times are those in which samples came: time in which the machine
/// slept does not count.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    pub(crate) figure: Figure,
    pub(crate) state: State,
    pub(crate) per_hour: f64,
    pub(crate) error_per_hour: f64,
    pub(crate) limit: Option<u64>,
    pub(crate) until_limit: Option<Duration>,
    pub(crate) smallest_per_hour: Option<f64>,
    pub(crate) over: Duration,
    pub(crate) missing: Duration,
}

impl Verdict {
    /// What was judged.
    pub fn figure(&self) -> &Figure {
        &self.figure
    }

    /// Bounded, growing, or not clear yet.
    pub fn state(&self) -> State {
        self.state
    }

    /// By how many bytes, or threads or descriptors, it rises in an hour. Zero if it does not.
    /// While the state is [`State::Settling`], it may be the rise of a day's traffic.
    pub fn per_hour(&self) -> f64 {
        self.per_hour
    }

    /// How far [`per_hour`](Self::per_hour) may be off, either way.
    pub fn per_hour_error(&self) -> f64 {
        self.error_per_hour
    }

    /// When it reaches its limit, if it goes on like that. None if it does not rise, or has no
    /// limit.
    pub fn time_to_limit(&self) -> Option<Duration> {
        self.until_limit
    }

    /// The limit of the figure; none if it has none.
    pub fn limit(&self) -> Option<u64> {
        self.limit
    }

    /// The smallest steady leak, in bytes, threads or descriptors an hour, that would have been
    /// called growing had it been there from the start. None if that is not known.
    pub fn smallest_leak_per_hour(&self) -> Option<f64> {
        self.smallest_per_hour
    }

    /// The time up to now that the verdict is about.
    pub fn over(&self) -> Duration {
        self.over
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (figure, over) = (&self.figure, Span(self.over));
        let rate = Hourly(figure, self.per_hour);
        let smallest = self.smallest_per_hour.map(|rate| Hourly(figure, rate));
        write!(f, "{figure}: {}", self.state)?;
        match (self.state, smallest) {
            (State::Bounded, None) => write!(f, " over the last {over}")?,
            (State::Bounded, Some(smallest)) => {
                write!(
                    f,
                    " over the last {over}; a leak of {smallest} would have shown"
                )?;
            }
            (State::Growing, _) => {
                write!(f, " by {rate}{} over the last {over}", self.error())?;
            }
            (State::Settling, _) if !self.missing.is_zero() => {
                let missing = Span(self.missing);
                write!(f, ", watched for {over}; it can be judged in {missing}")?;
            }
            (State::Settling, _) if self.per_hour > 0.0 => {
                write!(
                    f,
                    "; it rose by {rate} over the last {over}, not enough to be called growing"
                )?;
            }
            (State::Settling, Some(smallest)) => write!(
                f,
                "; no steady rise over the last {over}, but a leak of less than {smallest} would \
                 not have shown"
            )?,
            (State::Settling, None) => {
                write!(
                    f,
                    "; over the last {over} it neither rested nor rose evenly"
                )?;
            }
        }
        let at = match self.state {
            State::Growing => "it",
            State::Bounded | State::Settling => "at that rate it",
        };
        match (self.until_limit, self.limit) {
            (Some(until), Some(limit)) => {
                let (limit, until) = (Amount(figure, limit), Span(until));
                write!(f, "; {at} reaches the limit of {limit} in {until}")
            }
            _ => Ok(()),
        }
    }
}

impl Verdict {
    /// How far the rate may be off, in words; nothing below one percent.
    fn error(&self) -> String {
        let percent = self.error_per_hour / self.per_hour * 100.0;
        if percent >= 1.0 && percent.is_finite() {
            format!(" ± {percent:.0} %")
        } else {
            String::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{State, Verdict};
    use crate::figure::Figure;
    use std::time::Duration;

    #[test]
    fn an_error_that_is_no_number_is_not_printed() {
        let text = |per_hour: f64, error_per_hour: f64| {
            let verdict = Verdict {
                figure: Figure::Memory,
                state: State::Growing,
                per_hour,
                error_per_hour,
                limit: None,
                until_limit: None,
                smallest_per_hour: None,
                over: Duration::from_hours(2),
                missing: Duration::ZERO,
            };
            verdict.to_string()
        };
        let sure = "memory: growing by 30.0 MB an hour over the last 2 h";
        assert_eq!(text(30e6, 0.0), sure);
        assert_eq!(text(30e6, 0.2e6), sure);
        assert_eq!(text(30e6, f64::NAN), sure);
        let unsure = "memory: growing by 30.0 MB an hour ± 10 % over the last 2 h";
        assert_eq!(text(30e6, 3e6), unsure);
        let none = "memory: growing by 0 B an hour over the last 2 h";
        assert_eq!([text(0.0, 0.0), text(0.0, 5.0)], [none, none]);
    }
}
