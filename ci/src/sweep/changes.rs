//! What changed of the tests of a sweep, against what is known of them.

use super::Extent;
use super::found::{Change, Known, Status, Swept};
use super::recorded::Packages;

/// A test that is known and was not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gone {
    /// Its binary.
    pub binary: String,
    /// Its name.
    pub test: String,
}

/// Sets what each test was `before` and its change; peaks may differ by `tolerance` percent. `base`
/// has the tests of the base, if that is what is `known`.
pub fn compare(tests: &mut [Swept], known: &Packages, base: &[Swept], tolerance: u32) {
    for test in tests.iter_mut() {
        let package = known.get(&test.package);
        let before = package.and_then(|package| package.get(&test.binary)?.get(&test.test));
        // Of what was there without figures, or in a package of which nothing is known, nobody can
        // say that its left-overs are new.
        let is_new = || package.is_some() && !base.iter().any(|of_base| of_base.is_same(test));
        let change = |now: Known| match before {
            Some(before) => change(before, &now, tolerance),
            None if now.left_blocks > 0 && is_new() => Some(Change::Worse),
            None => Some(Change::New),
        };
        let now = Known::of(test);
        test.change = match now.and_then(change) {
            // What is accepted may be part of what is known, so less than that is no news.
            Some(Change::Worse) => {
                let rest = now.and_then(|now| change(now.without(&test.accepted)));
                rest.filter(|change| *change != Change::Better)
            }
            other => other,
        };
        test.before = before.copied();
    }
}

fn change(before: &Known, now: &Known, tolerance: u32) -> Option<Change> {
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
    use crate::sweep::found::Found;
    use crate::sweep::recorded::Package;

    #[test]
    fn what_is_worse() {
        let known = |peak_bytes, left_bytes, left_blocks| Known {
            peak_bytes,
            left_bytes,
            left_blocks,
        };
        let before = known(1_000, 100, 2);
        let of = |now: Known| change(&before, &now, 10);
        assert_eq!(of(before), None);
        assert_eq!(of(known(1_100, 100, 2)), None);
        assert_eq!(of(known(1_101, 0, 0)), Some(Change::Worse));
        assert_eq!(of(known(900, 100, 2)), None);
        assert_eq!(of(known(899, 100, 2)), Some(Change::Better));
        assert_eq!(of(known(1_000, 101, 1)), Some(Change::Worse));
        assert_eq!(of(known(1_000, 50, 3)), Some(Change::Worse));
        assert_eq!(of(known(1_000, 100, 1)), Some(Change::Better));
    }

    #[test]
    fn what_is_new() {
        let test = |left: u64| Swept {
            test: "one".to_owned(),
            package: "orders".to_owned(),
            binary: "orders".to_owned(),
            status: Status::Passed,
            whole: None,
            found: Found {
                peak_bytes: Some(9),
                total_bytes: Some(9),
                total_blocks: Some(1),
                left_bytes: Some(left),
                left_blocks: Some(left),
                unreachable_bytes: Some(0),
                unreachable_blocks: Some(0),
                not_searched: None,
                no_figures: None,
                left_sites: None,
                peak_sites: None,
            },
            before: None,
            change: None,
            accepted: Vec::new(),
        };
        let change = |left, packages: &[&str], base: &[Swept]| {
            let known = packages
                .iter()
                .map(|name| ((*name).to_owned(), Package::new()));
            let mut tests = [test(left)];
            compare(&mut tests, &known.collect(), base, 10);
            tests[0].change
        };
        assert_eq!(change(1, &["orders"], &[]), Some(Change::Worse));
        assert_eq!(change(0, &["orders"], &[]), Some(Change::New));
        assert_eq!(change(1, &[], &[]), Some(Change::New));
        let mut failed = test(0);
        failed.status = Status::Failed;
        assert_eq!(change(1, &["orders"], &[failed.clone()]), Some(Change::New));
        failed.test = "two".to_owned();
        assert_eq!(change(1, &["orders"], &[failed]), Some(Change::Worse));
    }
}
