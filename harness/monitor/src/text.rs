//! How lengths of time and rates are printed.

use crate::figure::Figure;
use highwater::__private::{Rate, Size, Thousands};
use std::fmt;
use std::time::Duration;

/// Prints a length of time in its two largest units: `3 h 20 min`, `12 d 4 h`, `45 s`.
#[derive(Clone, Copy, Debug)]
#[doc(hidden)]
pub struct Span(pub Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
        let (first, second) = match (days, hours, minutes) {
            (100.., _, _) => ((days, "d"), (0, "h")),
            (1.., _, _) => ((days, "d"), (hours % 24, "h")),
            (0, 1.., _) => ((hours, "h"), (minutes % 60, "min")),
            (0, 0, 1..) => ((minutes, "min"), (0, "s")),
            _ if seconds == 0 && !self.0.is_zero() => {
                ((self.0.subsec_millis().into(), "ms"), (0, ""))
            }
            _ => ((seconds, "s"), (0, "")),
        };
        write!(f, "{} {}", Thousands(first.0), first.1)?;
        match second {
            (0, _) => Ok(()),
            (count, unit) => write!(f, " {count} {unit}"),
        }
    }
}

/// Prints how much of a figure there is.
pub(crate) struct Amount<'a>(pub(crate) &'a Figure, pub(crate) u64);

impl fmt::Display for Amount<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Figure::Threads => write!(f, "{} threads", Thousands(self.1)),
            Figure::Descriptors => write!(f, "{} descriptors", Thousands(self.1)),
            _ => Size(self.1).fmt(f),
        }
    }
}

/// Prints how much of a figure comes in an hour.
pub(crate) struct Hourly<'a>(pub(crate) &'a Figure, pub(crate) f64);

// Rates are not below zero, and past a u64 nobody looks closely.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
impl fmt::Display for Hourly<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Figure::Threads => write!(f, "{} threads an hour", Rate(self.1)),
            Figure::Descriptors => write!(f, "{} descriptors an hour", Rate(self.1)),
            _ => write!(f, "{} an hour", Size(self.1.ceil() as u64)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Hourly, Span};
    use crate::figure::Figure;
    use std::time::Duration;

    #[test]
    fn lengths_of_time_have_two_units_at_most() {
        let printed = [
            0,
            45,
            60,
            119,
            3_600,
            12_000,
            86_400,
            100_800,
            900 * 86_400 + 7_200,
        ];
        let printed = printed.map(|seconds| Span(Duration::from_secs(seconds)).to_string());
        let expected = [
            "0 s",
            "45 s",
            "1 min",
            "1 min",
            "1 h",
            "3 h 20 min",
            "1 d",
            "1 d 4 h",
            "900 d",
        ];
        assert_eq!(printed, expected);
        assert_eq!(Span(Duration::from_millis(250)).to_string(), "250 ms");
    }

    #[test]
    fn rates_have_the_unit_of_their_figure() {
        assert_eq!(
            Hourly(&Figure::Memory, 38_200_000.4).to_string(),
            "38.2 MB an hour"
        );
        assert_eq!(
            Hourly(&Figure::Threads, 0.25).to_string(),
            "0.250 threads an hour"
        );
    }
}
