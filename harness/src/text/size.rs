//! Sizes in few characters.

use super::Thousands;
use std::fmt;

/// Prints bytes in at most eight characters: exact below 10,000, else three digits.
#[derive(Clone, Copy, Debug)]
#[doc(hidden)]
pub struct Size(pub u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 10_000 {
            return write!(f, "{} B", Thousands(self.0));
        }
        let mut size = self.0 as f64 / 1_000.0;
        let mut units = ["kB", "MB", "GB", "TB", "PB", "EB"].into_iter();
        let mut unit = units.next();
        while size >= 999.5 {
            size /= 1_000.0;
            unit = units.next();
        }
        let places = match size {
            ..9.995 => 2,
            ..99.95 => 1,
            _ => 0,
        };
        write!(f, "{size:.places$} {}", unit.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::Size;

    #[test]
    fn sizes_are_short() {
        let sizes = [
            (0, "0 B"),
            (9_999, "9,999 B"),
            (10_000, "10.0 kB"),
            (99_949, "99.9 kB"),
            (99_951, "100 kB"),
            (999_499, "999 kB"),
            (999_500, "1.00 MB"),
            (1_234_567, "1.23 MB"),
            (u64::MAX, "18.4 EB"),
        ];
        for (size, printed) in sizes {
            assert_eq!(Size(size).to_string(), printed);
        }
    }
}
