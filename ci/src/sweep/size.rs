//! Figures for people.

use highwater::__private::Thousands;
use std::fmt;

/// So many of something, in a word for one and another for several.
pub(super) fn count(number: u64, one: &str, many: &str) -> String {
    let noun = if number == 1 { one } else { many };
    format!("{} {noun}", Thousands(number))
}

/// Prints bytes in at most eight characters: exact below 10,000, else three digits.
pub(super) struct Size(pub(super) u64);

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
    use super::*;

    #[test]
    fn sizes_are_short() {
        let sizes = [
            0,
            9_999,
            10_000,
            99_949,
            99_951,
            999_499,
            999_500,
            1_234_567,
            u64::MAX,
        ];
        let printed = sizes.map(|size| Size(size).to_string()).join("\n");
        insta::assert_snapshot!(printed);
    }
}
