//! Where what tests leave behind was allocated, and what they have at the peak, for people.

use super::{count, highest, name};
use crate::sweep::found::{Change, Swept};
use crate::sweep::stacks::SiteFound;
use crate::table::printable;
use highwater::__private::{Size, Thousands, wrapped_to};

/// How many call sites are printed of a test.
const MOST: usize = 3;

/// What is listed first.
const LEFT: &str = "left";

/// The least of a highest peak that one wants to know more of, in bytes: the test runner has some
/// ten thousand.
const NOTABLE: u64 = 100_000;

/// The test with the highest peak, if that is notable.
pub fn highest_peak(tests: &[Swept]) -> Option<&Swept> {
    notable(tests.iter())
}

fn notable<'a>(tests: impl DoubleEndedIterator<Item = &'a Swept>) -> Option<&'a Swept> {
    highest(tests).filter(|test| test.found.peak_bytes >= Some(NOTABLE))
}

/// The call sites of what is left of each test that has them, and of the peak where that is what
/// one wants to know.
pub(super) fn lists(tests: &[&Swept], width: usize) -> String {
    let highest = notable(tests.iter().copied());
    let mut text = String::new();
    for test in tests {
        let found = &test.found;
        let left: Vec<_> = found
            .left_sites
            .iter()
            .flatten()
            .filter(|site| !is_accepted(site, test))
            .collect();
        let peak: Vec<_> = found.peak_sites.iter().flatten().collect();
        let is_higher = test
            .before
            .is_some_and(|before| found.peak_bytes > Some(before.peak_bytes));
        let is_asked = highest.is_some_and(|highest| highest.is_same(test))
            || found.peak_bytes.is_none()
            || test.change == Some(Change::Worse) && is_higher;
        if !left.is_empty() {
            text += &list(LEFT, &left, test, tests, width);
        }
        if !peak.is_empty() && is_asked {
            let what = if found.peak_bytes.is_some() {
                "at the peak"
            } else {
                "passed the limit"
            };
            text += &list(what, &peak, test, tests, width);
        }
    }
    text
}

/// Whether this is a part of what `highwater.toml` accepts of the test.
fn is_accepted(site: &SiteFound, test: &Swept) -> bool {
    let signature = site.signature();
    let accepted = test.accepted.iter();
    let is_it = |known: &String| Some(known) == signature.as_ref();
    accepted.map(|accepted| &accepted.signature).any(is_it)
}

fn list(what: &str, sites: &[&SiteFound], test: &Swept, all: &[&Swept], width: usize) -> String {
    let mut list = format!(
        "\n{}",
        wrapped_to(&format!("{}, {what}:", name(test, all)), 0, width)
    );
    let is_new = test.change == Some(Change::Worse) && what == LEFT;
    for site in sites.iter().take(MOST) {
        list += &told(site, width);
        if let Some(signature) = site.signature().filter(|_| is_new) {
            list += &wrapped_to(&format!("signature {signature}"), 4, width);
        }
    }
    if sites.len() > MOST {
        let more = count((sites.len() - MOST) as u64, "call site", "call sites");
        list += &format!("  and {more} more, which --json FILE has\n");
    }
    list
}

/// A call site in a line, and its callers in one each.
pub(in crate::sweep) fn told(site: &SiteFound, width: usize) -> String {
    let mut blocks = count(site.blocks, "block", "blocks");
    match site.unreachable_blocks {
        None | Some(0) => {}
        Some(all) if all == site.blocks => blocks += ", unreachable",
        Some(some) => blocks += &format!(", {} unreachable", Thousands(some)),
    }
    let mut frames = site
        .frames
        .iter()
        .map(|frame| printable(&frame.to_string()));
    let innermost = frames
        .next()
        .unwrap_or_else(|| "unknown call stacks".to_owned());
    let line = format!("{} in {blocks}: {innermost}", Size(site.bytes));
    let callers = frames.map(|frame| wrapped_to(&format!("from {frame}"), 4, width));
    wrapped_to(&line, 2, width) + &callers.collect::<String>()
}
