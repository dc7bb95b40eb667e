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
        write!(f, "{figure}: {}", self.state)?;
        match self.state {
            State::Bounded => write!(f, " over the last {over}")?,
            State::Growing => {
                write!(f, " by {}", Hourly(figure, self.per_hour))?;
                if self.error_per_hour >= self.per_hour / 100.0 {
                    write!(f, " ± {:.0} %", self.error_per_hour / self.per_hour * 100.0)?;
                }
                write!(f, " over the last {over}")?;
            }
            State::Settling if !self.missing.is_zero() => {
                let missing = Span(self.missing);
                return write!(f, ", watched for {over}; it can be judged in {missing}");
            }
            State::Settling if self.per_hour > 0.0 => {
                let rate = Hourly(figure, self.per_hour);
                write!(f, "; it rose by {rate} over the last {over}, which may end")?;
            }
            State::Settling => write!(f, "; what moved over the last {over} may come to rest")?,
        }
        if let (Some(until), Some(limit)) = (self.until_limit, self.limit) {
            let (limit, until) = (Amount(figure, limit), Span(until));
            let at = if self.state == State::Growing {
                "it"
            } else {
                "at that rate it"
            };
            write!(f, "; {at} reaches the limit of {limit} in {until}")?;
        }
        match self.smallest_per_hour {
            Some(smallest) if self.state == State::Bounded => {
                write!(
                    f,
                    "; a leak of {} would have shown",
                    Hourly(figure, smallest)
                )
            }
            _ => Ok(()),
        }
    }
}
