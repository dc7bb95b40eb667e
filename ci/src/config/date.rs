//! [`Date`]: a day of the calendar, in UTC.

use jiff::Timestamp;
use jiff::civil;
use jiff::tz::TimeZone;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;
use std::str::FromStr;

/// A day of the Gregorian calendar, written `2027-03-01`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date(civil::Date);

impl Date {
    /// The day that it is now, in UTC.
    pub fn today() -> Self {
        Self(TimeZone::UTC.to_datetime(Timestamp::now()).date())
    }
}

impl FromStr for Date {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let date = text.parse::<civil::Date>().ok().map(Self);
        // A date may be written in other ways too, and here in one.
        date.filter(|date| date.to_string() == text).ok_or_else(|| {
            format!("{text:?} is not a date: write year, month and day, such as \"2027-03-01\"")
        })
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(ReadDate)
    }
}

struct ReadDate;

impl Visitor<'_> for ReadDate {
    type Value = Date;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a date in quotes, such as \"2027-03-01\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Date, E> {
        text.parse().map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::Date;

    #[test]
    fn days_are_in_their_order() {
        let days = ["2000-02-29", "2027-02-28", "2027-03-01", "9999-12-31"];
        let dates = days.map(|day| day.parse::<Date>().expect("a date"));
        assert!(dates.is_sorted());
        assert_eq!(dates.map(|date| date.to_string()), days);
    }

    #[test]
    fn days_that_are_none_are_refused() {
        for text in [
            "",
            "2027",
            "2027-3-1",
            "2027-02-29",
            "2100-02-29",
            "2027-13-01",
            "2027-00-01",
            "2027-01-00",
            "2027-04-31",
            "01-03-2027",
            "2027-03-01 ",
            "+027-03-01",
            "2027/03/01",
            "жж-жж-01",
        ] {
            let expected = format!(
                "{text:?} is not a date: write year, month and day, such as \"2027-03-01\""
            );
            assert_eq!(text.parse::<Date>(), Err(expected));
        }
    }
}
