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
