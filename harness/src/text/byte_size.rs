//! [`ByteSize`]: a number of bytes that reads and prints the way people write it.

use super::units::{self, UNITS};
use std::fmt;
use std::str::FromStr;

/// A number of bytes, such as a ceiling.
///
/// Decimal units are powers of 1,000 and binary units powers of 1,024. Printing
/// loses nothing: the largest unit that fits a whole number of times is used, so
/// that parsing gives back the same size.
///
/// ```
/// use highwater::ByteSize;
///
/// assert_eq!(ByteSize::mb(100).to_string(), "100 MB");
/// assert_eq!("64 MiB".parse(), Ok(ByteSize::mib(64)));
/// assert_eq!(ByteSize::b(1_234_567).to_string(), "1,234,567 B");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(u64);

impl ByteSize {
    /// `bytes` bytes.
    pub const fn b(bytes: u64) -> Self {
        Self(bytes)
    }

    /// `count` times 1,000 bytes.
    ///
    /// # Panics
    /// If that is more than `u64::MAX` bytes.
    pub const fn kb(count: u64) -> Self {
        Self::times(count, 1_000)
    }

    /// `count` times 1,000,000 bytes.
    ///
    /// # Panics
    /// If that is more than `u64::MAX` bytes.
    pub const fn mb(count: u64) -> Self {
        Self::times(count, 1_000_000)
    }

    /// `count` times 1,000,000,000 bytes.
    ///
    /// # Panics
    /// If that is more than `u64::MAX` bytes.
    pub const fn gb(count: u64) -> Self {
        Self::times(count, 1_000_000_000)
    }

    /// `count` times 1,024 bytes.
    ///
    /// # Panics
    /// If that is more than `u64::MAX` bytes.
    pub const fn kib(count: u64) -> Self {
        Self::times(count, 1 << 10)
    }

    /// `count` times 1,048,576 bytes.
    ///
    /// # Panics
    /// If that is more than `u64::MAX` bytes.
    pub const fn mib(count: u64) -> Self {
        Self::times(count, 1 << 20)
    }

    /// `count` times 1,073,741,824 bytes.
    ///
    /// # Panics
    /// If that is more than `u64::MAX` bytes.
    pub const fn gib(count: u64) -> Self {
        Self::times(count, 1 << 30)
    }

    const fn times(count: u64, unit: u64) -> Self {
        match count.checked_mul(unit) {
            Some(bytes) => Self(bytes),
            None => panic!("this size has more bytes than a u64 can hold"),
        }
    }

    /// The number of bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, count) = UNITS
            .iter()
            .filter(|(_, size)| self.0 >= *size && self.0.is_multiple_of(*size))
            .map(|(unit, size)| (*unit, self.0 / size))
            .min_by_key(|(_, count)| *count)
            .unwrap_or(("B", self.0));
        f.pad(&format!("{} {unit}", Thousands(count)))
    }
}

/// Prints a number with a comma before every third digit from the right.
#[doc(hidden)]
pub struct Thousands<N>(pub N);

impl<N: Copy + Into<i128>> fmt::Display for Thousands<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number: i128 = self.0.into();
        let digits = number.unsigned_abs().to_string();
        let mut grouped = String::with_capacity(digits.len() * 4 / 3 + 1);
        if number < 0 {
            grouped.push('-');
        }
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        f.pad(&grouped)
    }
}

/// Prints a rate: with two decimal places and its thousands separated, below 1
/// with three significant digits.
#[derive(Clone, Copy, Debug)]
#[doc(hidden)]
pub struct Rate(pub f64);

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&fixed(self.0, places(self.0)))
    }
}

impl Rate {
    /// Without the zeros at its end.
    pub(crate) fn significant(self) -> String {
        let text = self.to_string();
        // It has at least two places.
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }
}

/// Prints a rate and how far it may be off, in the same places, rounded up.
pub(crate) struct RateWithin(pub(crate) f64, pub(crate) f64);

impl fmt::Display for RateWithin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = places(self.0);
        let unit = 10_f64.powi(-i32::try_from(places).unwrap_or(0));
        let error = fixed((self.1 / unit).ceil() * unit, places);
        f.pad(&format!("{} ± {error}", Rate(self.0)))
    }
}

/// How many decimal places a rate is given.
// A few digits, and not below zero.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn places(rate: f64) -> usize {
    let size = rate.abs();
    if size > 0.0 && size < 1.0 {
        // At most 12, for nobody counts further zeros.
        (2.0 - size.log10().floor()).min(12.0) as usize
    } else {
        2
    }
}

fn fixed(number: f64, places: usize) -> String {
    let text = format!("{:.places$}", number.abs());
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, "00"));
    let sign = if number < 0.0 { "-" } else { "" };
    match whole.parse::<u64>() {
        Ok(whole) => format!("{sign}{}.{fraction}", Thousands(whole)),
        // Past a u64 nobody counts the digits.
        Err(_) => format!("{sign}{text}"),
    }
}

/// Prints a bound with two significant digits, rounded up.
pub(crate) struct Bound(pub(crate) f64);

// A few digits, not below zero, and past a u64 nobody looks closely.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 <= 0.0 {
            return f.pad("0");
        }
        let unit = 10_f64.powf(self.0.log10().floor() - 1.0);
        // What is a whole number of units already stays that.
        let rounded = (self.0 / unit - 1e-9).ceil() * unit;
        if unit >= 1.0 {
            return f.pad(&Thousands(rounded as u64).to_string());
        }
        let places = (-unit.log10()).round() as usize;
        f.pad(&format!("{rounded:.places$}"))
    }
}

/// Prints a number of blocks, in the singular where there is one.
pub(crate) struct Blocks(pub(crate) u64);

impl fmt::Display for Blocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => f.pad("1 block"),
            blocks => f.pad(&format!("{} blocks", Thousands(blocks))),
        }
    }
}

/// Prints a number of steps, in the singular where there is one.
pub(crate) struct Steps(pub(crate) u64);

impl fmt::Display for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => f.pad("1 step"),
            steps => f.pad(&format!("{} steps", Thousands(steps))),
        }
    }
}

/// A text that is no [`ByteSize`], and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByteSizeError {
    text: String,
    problem: &'static str,
}

impl fmt::Display for ByteSizeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&units::not_a_size(&self.text, self.problem))
    }
}

impl std::error::Error for ByteSizeError {}

impl FromStr for ByteSize {
    type Err = ByteSizeError;

    /// Reads `100 MB`, `64MiB`, `1.5 KiB` (fractions of a unit must come to
    /// whole bytes) and `1,234,567 B`. Units are written exactly as they print;
    /// `kB` is read as `KB`.
    ///
    /// # Errors
    /// If the number or the unit is malformed, if the size does not come to whole bytes, or if
    /// it is more than `u64::MAX` bytes.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        units::bytes(text)
            .map(Self)
            .map_err(|problem| ByteSizeError {
                text: text.to_owned(),
                problem,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case("100 MB", 100_000_000)]
    #[case("64 MiB", 67_108_864)]
    #[case("512 B", 512)]
    #[case("0 B", 0)]
    #[case("64MiB", 67_108_864)]
    #[case("  3   kB ", 3_000)]
    #[case("1.5 KiB", 1_536)]
    #[case("0.000000001 GB", 1)]
    #[case("1,234,567 B", 1_234_567)]
    #[case("1_000 KB", 1_000_000)]
    #[case("18,446,744,073,709,551,615 B", u64::MAX)]
    fn reads(#[case] text: &str, #[case] bytes: u64) {
        assert_eq!(text.parse(), Ok(ByteSize::b(bytes)));
    }

    #[rstest]
    #[case("", "it does not start with a number")]
    #[case("MB", "it does not start with a number")]
    #[case("-1 MB", "it does not start with a number")]
    #[case("100", "the unit is missing")]
    #[case("100 mb", "the unit is not known")]
    #[case("100 TB", "the unit is not known")]
    #[case("1 MB please", "the unit is not known")]
    #[case("1.2.3 MB", "the number is malformed")]
    #[case("1. MB", "the number is malformed")]
    #[case(".5 MB", "the number is malformed")]
    #[case("12,34 MB", "the number is malformed")]
    #[case("1234,567 B", "the number is malformed")]
    #[case("1.5 B", "it does not come to whole bytes")]
    #[case("0.1 KiB", "it does not come to whole bytes")]
    #[case("18446744073709551616 B", "it has more bytes than a u64 can hold")]
    #[case("18446744073709551615 KB", "it has more bytes than a u64 can hold")]
    fn refuses(#[case] text: &str, #[case] problem: &str) {
        let error = text.parse::<ByteSize>().unwrap_err();
        assert_eq!(error.problem, problem);
        assert_eq!(
            error.to_string(),
            format!(
                "{text:?} is not a size: {problem}; write a number and one of B, KB, MB, GB, KiB, \
                 MiB, GiB, such as \"100 MB\" or \"64 MiB\""
            )
        );
    }

    #[rstest]
    #[case(ByteSize::b(0), "0 B")]
    #[case(ByteSize::b(999), "999 B")]
    #[case(ByteSize::kb(1), "1 KB")]
    #[case(ByteSize::kib(1), "1 KiB")]
    #[case(ByteSize::mb(100), "100 MB")]
    #[case(ByteSize::mib(64), "64 MiB")]
    #[case(ByteSize::gb(2), "2 GB")]
    #[case(ByteSize::gib(2), "2 GiB")]
    #[case(ByteSize::b(1_234_567), "1,234,567 B")]
    #[case(ByteSize::b(1_024_000), "1,000 KiB")]
    fn prints(#[case] size: ByteSize, #[case] text: &str) {
        assert_eq!(size.to_string(), text);
    }

    #[test]
    fn rates_and_blocks_read_well() {
        assert_eq!(Rate(1_048.0).to_string(), "1,048.00");
        assert_eq!(Rate(-0.256).to_string(), "-0.256");
        assert_eq!(Rate(0.008).to_string(), "0.00800");
        assert_eq!(Rate(0.0).to_string(), "0.00");
        assert_eq!(Rate(1e30).to_string(), format!("{:.2}", 1e30));
        assert_eq!(RateWithin(85.29, 0.0112).to_string(), "85.29 ± 0.02");
        assert_eq!(
            RateWithin(0.000_122, 8.1e-6).to_string(),
            "0.000122 ± 0.000009"
        );
        assert_eq!(RateWithin(78.64, 78.64).to_string(), "78.64 ± 78.64");
        assert_eq!(Bound(0.003_21).to_string(), "0.0033");
        assert_eq!(Bound(0.1).to_string(), "0.10");
        assert_eq!(Bound(1.0).to_string(), "1.0");
        assert_eq!(Bound(63.2).to_string(), "64");
        assert_eq!(Bound(12_345.0).to_string(), "13,000");
        assert_eq!(Bound(0.0).to_string(), "0");
        assert_eq!(Blocks(1).to_string(), "1 block");
        assert_eq!(Blocks(1_000).to_string(), "1,000 blocks");
    }

    #[test]
    fn digits_are_grouped() {
        assert_eq!(Thousands(999).to_string(), "999");
        assert_eq!(Thousands(1_000_u64).to_string(), "1,000");
        assert_eq!(Thousands(-1_234_567_i64).to_string(), "-1,234,567");
        assert_eq!(Thousands(-999_i128).to_string(), "-999");
        assert_eq!(format!("[{:>6}]", Thousands(1_000)), "[ 1,000]");
    }

    #[test]
    fn pads_like_any_text() {
        assert_eq!(format!("[{:>8}]", ByteSize::mb(1)), "[    1 MB]");
    }

    #[test]
    #[should_panic(expected = "more bytes than a u64 can hold")]
    fn a_size_past_u64_panics() {
        let _ = ByteSize::gib(u64::MAX);
    }

    proptest! {
        #[test]
        fn what_prints_reads_back(bytes: u64) {
            let size = ByteSize::b(bytes);
            prop_assert_eq!(size.to_string().parse(), Ok(size));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            let _ = text.parse::<ByteSize>();
        }
    }
}
