//! [`Date`]: a day of the calendar, in UTC.

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

const SECONDS_A_DAY: u64 = 86_400;

/// A day of the Gregorian calendar, written `2027-03-01`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    year: u64,
    month: u64,
    day: u64,
}

impl Date {
    /// The day that it is now, in UTC.
    pub fn today() -> Self {
        let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        Self::of_day(since.as_secs() / SECONDS_A_DAY)
    }

    /// The day so many days after 1970-01-01; not after 9999-12-31.
    fn of_day(days: u64) -> Self {
        let (mut year, mut month, mut left) = (1970, 1, days);
        while year < 10_000 && left >= days_of_year(year) {
            left -= days_of_year(year);
            year += 1;
        }
        if year == 10_000 {
            (year, month, left) = (9_999, 12, 30);
        }
        while left >= days_of_month(year, month) {
            left -= days_of_month(year, month);
            month += 1;
        }
        let day = left + 1;
        Self { year, month, day }
    }
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_of_year(year: u64) -> u64 {
    365 + u64::from(is_leap(year))
}

fn days_of_month(year: u64, month: u64) -> u64 {
    match month {
        2 => 28 + u64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl FromStr for Date {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused =
            || format!("{text:?} is not a date: write year, month and day, such as \"2027-03-01\"");
        let has_shape = text.len() == 10
            && (text.bytes().enumerate()).all(|(at, byte)| match at {
                4 | 7 => byte == b'-',
                _ => byte.is_ascii_digit(),
            });
        if !has_shape {
            return Err(refused());
        }
        let number = |part: &str| part.parse().map_err(|_| refused());
        let (year, month) = (number(&text[..4])?, number(&text[5..7])?);
        let day = number(&text[8..])?;
        let is_there = (1..=12).contains(&month) && (1..=days_of_month(year, month)).contains(&day);
        is_there
            .then_some(Self { year, month, day })
            .ok_or_else(refused)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
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
    use super::{Date, SECONDS_A_DAY};

    #[test]
    fn days_are_those_of_the_calendar() {
        // As `date -u -d @SECONDS` says.
        let days = [
            (0, "1970-01-01"),
            (951_782_399, "2000-02-28"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (1_803_859_199, "2027-02-28"),
            (1_803_859_200, "2027-03-01"),
            (4_107_542_400, "2100-03-01"),
            (253_402_300_799, "9999-12-31"),
            (u64::MAX, "9999-12-31"),
        ];
        for (seconds, expected) in days {
            let date = Date::of_day(seconds / SECONDS_A_DAY);
            assert_eq!(date.to_string(), expected);
            assert_eq!(expected.parse(), Ok(date));
        }
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
