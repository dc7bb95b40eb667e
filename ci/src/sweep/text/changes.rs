//! What changed of the tests of a sweep, for people.

use super::{Compared, count, name, unreachable_told};
use crate::sweep::found::{Change, Swept};
use crate::table::printable;
use highwater::__private::Size;
use highwater::__private::{Thousands, wrapped_to};

/// How many tests of a kind are named.
const MOST: usize = 20;

/// How many tests of each kind there are, in a line behind a line break.
pub(super) fn summary(tests: &[&Swept], compared: &Compared) -> String {
    let number = |change| {
        let changed = tests.iter().map(|test| test.change);
        changed.filter(|of_test| *of_test == Some(change)).count()
    };
    let kinds = [
        (number(Change::Worse), "worse"),
        (number(Change::Better), "better"),
        (number(Change::New), "new"),
        (compared.gone.len(), "gone"),
    ];
    let kinds: Vec<_> = kinds
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, kind)| format!("{} {kind}", Thousands(*number as u64)))
        .collect();
    let found = if kinds.is_empty() {
        "no change".to_owned()
    } else {
        kinds.join(", ")
    };
    format!("\nagainst {}: {found}", printable(&compared.with))
}

/// The tests of each kind, with what they were.
pub(super) fn lists(tests: &[&Swept], compared: &Compared, width: usize) -> String {
    let of = |change| {
        let tests_of = tests.iter().filter(|test| test.change == Some(change));
        tests_of.map(|test| line(test, tests)).collect::<Vec<_>>()
    };
    let gone = compared.gone.iter();
    let gone = gone.map(|gone| format!("{} {}", printable(&gone.binary), printable(&gone.test)));
    let in_json = ", which --json FILE has";
    let kinds = [
        ("worse", of(Change::Worse), in_json),
        ("better", of(Change::Better), in_json),
        ("new", of(Change::New), in_json),
        // JSON has the tests that are there.
        ("gone", gone.collect(), ""),
    ];
    let mut text = String::new();
    for (kind, lines, place) in kinds.iter().filter(|(_, lines, _)| !lines.is_empty()) {
        text += &format!("\n{kind}:\n");
        for line in lines.iter().take(MOST) {
            text += &wrapped_to(line, 2, width);
        }
        if lines.len() > MOST {
            let more = Thousands((lines.len() - MOST) as u64);
            text += &format!("  and {more} more{place}\n");
        }
    }
    text += &accepted(tests, width);
    for unused in &compared.unused {
        text += &format!("\n{}", wrapped_to(&printable(unused), 0, width));
    }
    let is_changed = !compared.gone.is_empty() || tests.iter().any(|test| test.change.is_some());
    if is_changed && compared.can_bless {
        let advice = "`cargo highwater sweep --bless` records what is found.";
        text += &format!("\n{}", wrapped_to(advice, 0, width));
    }
    text
}

/// What is accepted of what tests leave, and why.
fn accepted(tests: &[&Swept], width: usize) -> String {
    let mut text = String::new();
    let all = tests
        .iter()
        .flat_map(|test| test.accepted.iter().map(move |one| (test, one)));
    for (test, accepted) in all {
        let blocks = count(accepted.blocks, "block", "blocks");
        let size = Size(accepted.bytes);
        let line = format!(
            "{}: left {size} in {blocks}, {}: {}",
            name(test, tests),
            accepted.signature,
            printable(&accepted.reason)
        );
        text += &wrapped_to(&line, 2, width);
    }
    if text.is_empty() {
        text
    } else {
        format!("\naccepted:\n{text}")
    }
}

/// The test with its figures that changed.
fn line(test: &Swept, all: &[&Swept]) -> String {
    format!("{}: {}", name(test, all), told(test))
}

/// The figures that changed, and what they were; of a new test, what they are.
pub(in crate::sweep) fn told(test: &Swept) -> String {
    let [peak, left, blocks] = [
        test.found.peak_bytes,
        test.found.left_bytes,
        test.found.left_blocks,
    ]
    .map(Option::unwrap_or_default);
    let left_told = |bytes, number| match number {
        0 => "nothing".to_owned(),
        _ => format!("{} in {}", Size(bytes), count(number, "block", "blocks")),
    };
    let now = match unreachable_told(&test.found) {
        Some(told) if test.found.unreachable_blocks > Some(0) => {
            format!("{}, {told}", left_told(left, blocks))
        }
        _ => left_told(left, blocks),
    };
    let Some(before) = test.before else {
        let new = if test.change == Some(Change::New) {
            ""
        } else {
            "new, "
        };
        return format!("{new}peak {}, left {now}", Size(peak));
    };
    let mut parts = Vec::new();
    if (left, blocks) != (before.left_bytes, before.left_blocks) {
        parts.push(format!(
            "left {now}, before {}",
            left_told(before.left_bytes, before.left_blocks)
        ));
    }
    // What is left is part of the peak too.
    let is_far = peak.abs_diff(before.peak_bytes) >= before.peak_bytes / 10;
    if peak != before.peak_bytes && (is_far || parts.is_empty()) {
        parts.push(format!(
            "peak {}, before {}",
            Size(peak),
            Size(before.peak_bytes)
        ));
    }
    parts.join("; ")
}
