//! What changed of the tests of a sweep, against what is known of them.

use super::Extent;
use super::found::{Change, Known, Status, Swept};
use super::recorded::{Package, Packages};

/// A test that is known and was not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gone {
    /// Its binary.
    pub binary: String,
    /// Its name.
    pub test: String,
}

/// Sets what each test was `before` and its change; peaks may differ by `tolerance` percent.
pub fn compare(tests: &mut [Swept], known: &Packages, tolerance: u32) {
    for test in tests.iter_mut() {
        let package = known.get(&test.package);
        let before = package.and_then(|package| package.get(&test.binary)?.get(&test.test));
        test.before = before.copied();
        test.change = Known::of(test).and_then(|now| change(before, package, &now, tolerance));
    }
}

fn change(
    before: Option<&Known>,
    package: Option<&Package>,
    now: &Known,
    tolerance: u32,
) -> Option<Change> {
    let Some(before) = before else {
        // Where nothing is known of a package, its old left-overs are not new.
        let is_worse = package.is_some() && now.left_blocks > 0;
        return Some(if is_worse { Change::Worse } else { Change::New });
    };
    let is_more = |one: &Known, other: &Known| {
        one.left_bytes > other.left_bytes || one.left_blocks > other.left_blocks
    };
    let peak = |known: &Known| u128::from(known.peak_bytes);
    let percent = u128::from(tolerance);
    if is_more(now, before) || peak(now) * 100 > peak(before) * (100 + percent) {
        Some(Change::Worse)
    } else if is_more(before, now)
        || peak(now) * 100 < peak(before) * (100_u128.saturating_sub(percent))
    {
        Some(Change::Better)
    } else {
        None
    }
}

/// The tests that are `known` and were not among those that were to run, as far as that is to be
/// expected of a sweep of this `extent`.
pub fn gone(tests: &[Swept], known: &Packages, extent: Extent) -> Vec<Gone> {
    if extent == Extent::Tests {
        return Vec::new();
    }
    let mut gone = Vec::new();
    for (name, package) in known {
        for (binary, recorded) in package {
            let mut of_binary = tests
                .iter()
                .filter(|test| test.package == *name && test.binary == *binary)
                .peekable();
            let was_swept = of_binary.peek().is_some() || extent == Extent::All;
            let swept: Vec<_> = of_binary.collect();
            let is_skipped = swept.iter().any(|test| test.status == Status::Skipped);
            if !was_swept || is_skipped {
                continue;
            }
            let is_gone = |name: &&String| !swept.iter().any(|test| test.test == **name);
            gone.extend(recorded.keys().filter(is_gone).map(|test| Gone {
                binary: binary.clone(),
                test: test.clone(),
            }));
        }
    }
    gone
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_worse() {
        let known = |peak_bytes, left_bytes, left_blocks| Known {
            peak_bytes,
            left_bytes,
            left_blocks,
        };
        let before = known(1_000, 100, 2);
        let package = Package::new();
        let of = |now: Known| change(Some(&before), Some(&package), &now, 10);
        assert_eq!(of(before), None);
        assert_eq!(of(known(1_100, 100, 2)), None);
        assert_eq!(of(known(1_101, 0, 0)), Some(Change::Worse));
        assert_eq!(of(known(900, 100, 2)), None);
        assert_eq!(of(known(899, 100, 2)), Some(Change::Better));
        assert_eq!(of(known(1_000, 101, 1)), Some(Change::Worse));
        assert_eq!(of(known(1_000, 50, 3)), Some(Change::Worse));
        assert_eq!(of(known(1_000, 100, 1)), Some(Change::Better));
        let new = |package: Option<&Package>, now| change(None, package, &now, 10);
        assert_eq!(new(Some(&package), known(9, 1, 1)), Some(Change::Worse));
        assert_eq!(new(Some(&package), known(9, 0, 0)), Some(Change::New));
        assert_eq!(new(None, known(9, 1, 1)), Some(Change::New));
    }
}
