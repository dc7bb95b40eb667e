//! What a sweep found, for people: one line of summary, and the tests in a table, worst first.

use super::changes::Gone;
use super::found::{Found, Status, Swept};
use crate::table::printable;
use highwater::__private::{Size, Thousands, wrapped_to};
use highwater_reports::fitted::{self, Column, Row};
use std::collections::BTreeMap;

/// The test, and what is left out of its figures first where lines are short.
const COLUMNS: [Column<'_>; 7] = [
    Column::new("test", false, 0),
    Column::new("left", true, 0),
    Column::new("blocks", true, 2),
    Column::new("unreachable", true, 1),
    Column::new("peak", true, 0),
    Column::new("allocated", true, 3),
    Column::new("blocks", true, 4),
];

mod changes;
mod sites;

pub(super) use changes::told;
pub use sites::highest_peak;
pub(super) use sites::told as site_told;

/// What tests were compared with, and what that says beside the tests' own changes.
#[derive(Clone, Debug)]
pub struct Compared {
    /// What they were compared with, such as `the baselines`.
    pub with: String,
    /// The tests that were there and are no more.
    pub gone: Vec<Gone>,
    /// What there is to say of what is accepted and is not there.
    pub unused: Vec<String>,
    /// Whether `--bless` records what is found.
    pub can_bless: bool,
}

/// The summary; the first `top` of the tests, in lines of at most `width` columns; what changed,
/// if they were compared; and what has no figures, and why.
pub fn render(all: &[Swept], compared: Option<&Compared>, top: usize, width: usize) -> String {
    let is_run = |test: &&Swept| test.status != Status::Skipped;
    let tests: Vec<_> = all.iter().filter(is_run).collect();
    let tests = &tests[..];
    let shown = tests.iter().take(top);
    let rows: Vec<_> = shown.map(|test| row(test, tests)).collect();
    let table = fitted::table(&COLUMNS, &rows, width);
    let mut text = summary(tests, width);
    if let Some(compared) = compared {
        text += &changes::summary(tests, compared);
    }
    text += &format!("\n\n{table}");
    if top < tests.len() {
        let more = Thousands(tests.len() as u64 - top as u64);
        text += &format!("and {more} more; --top N prints N tests, --json FILE has all\n");
    }
    if let Some(compared) = compared {
        text += &changes::lists(tests, compared, width);
    }
    text += &sites::lists(tests, width);
    for (title, is_skipped) in [("not swept", true), ("run whole", false)] {
        let of_kind = |test: &&Swept| (test.status == Status::Skipped) == is_skipped;
        for test in all.iter().filter(of_kind) {
            if let Some(reason) = &test.whole {
                let title = format!("{title}: {}", printable(&test.binary));
                text += &told_why(&title, reason, width);
            }
        }
    }
    for ((reason, binary), number) in reasons(tests, |found| found.no_figures.as_ref()) {
        let tests = count(number, "test has", "tests have");
        let title = format!("no figures: {tests} none in {}:", printable(binary));
        text += &told_why(&title, reason, width);
    }
    for ((reason, binary), number) in reasons(tests, |found| found.not_searched.as_ref()) {
        let tests = count(number, "test", "tests");
        let binary = printable(binary);
        let title = format!("not searched for unreachable memory: {tests} in {binary}:");
        text += &told_why(&title, reason, width);
    }
    text
}

/// How many tests of which binary have which reason.
fn reasons<'a>(
    tests: &[&'a Swept],
    reason: impl Fn(&'a Found) -> Option<&'a String>,
) -> BTreeMap<(&'a String, &'a String), u64> {
    let mut reasons = BTreeMap::new();
    for test in tests {
        if let Some(reason) = reason(&test.found) {
            *reasons.entry((reason, &test.binary)).or_default() += 1;
        }
    }
    reasons
}

/// A title and a reason, behind an empty line.
fn told_why(title: &str, reason: &str, width: usize) -> String {
    let reason = wrapped_to(&printable(reason), 2, width);
    format!("\n{}{reason}", wrapped_to(title, 0, width))
}

/// The test with the highest peak, if any is known; the first of those that are alike.
fn highest<'a>(tests: impl DoubleEndedIterator<Item = &'a Swept>) -> Option<&'a Swept> {
    let known = tests.filter(|test| test.found.peak_bytes.is_some());
    known.rev().max_by_key(|test| test.found.peak_bytes)
}

/// One line, and a second one if something failed or is not known.
fn summary(tests: &[&Swept], width: usize) -> String {
    let number = |is: fn(&Swept) -> bool| tests.iter().filter(|test| is(test)).count() as u64;
    let unknown = number(|test| test.found.no_figures.is_some());
    let failed = number(|test| test.status == Status::Failed);
    let leaving = number(|test| test.found.left_blocks.is_some_and(|blocks| blocks > 0));
    let left = match leaving {
        0 if unknown == tests.len() as u64 => String::new(),
        0 => ", none leaves memory behind".to_owned(),
        _ => ", ".to_owned() + &count(leaving, "leaves memory behind", "leave memory behind"),
    };
    let mut text = count(tests.len() as u64, "test", "tests");
    if let Some(test) = highest(tests.iter().copied()) {
        text += &format!(
            ", peak {} in `",
            Size(test.found.peak_bytes.unwrap_or_default())
        );
        let room = width.saturating_sub(text.len() + 1 + left.len());
        text += &format!("{}`", end(&printable(&test.test), room));
    }
    text += &left;
    let unreachable = number(|test| {
        test.found
            .unreachable_blocks
            .is_some_and(|blocks| blocks > 0)
    });
    let unsearched = number(|test| test.found.not_searched.is_some());
    let more: Vec<_> = [
        (failed, "failed", "failed"),
        (
            unreachable,
            "leaves unreachable memory",
            "leave unreachable memory",
        ),
        (unknown, "without figures", "without figures"),
        (unsearched, "not searched", "not searched"),
    ]
    .into_iter()
    .filter(|(number, ..)| *number > 0)
    .map(|(number, one, many)| count(number, one, many))
    .collect();
    if !more.is_empty() {
        text += &format!("\n{}", more.join(", "));
    }
    text
}

/// The figures in one line.
pub(super) fn figures_told(found: &Found) -> String {
    let [peak, total, left] = [found.peak_bytes, found.total_bytes, found.left_bytes]
        .map(|bytes| Size(bytes.unwrap_or_default()));
    let [total_blocks, left_blocks] = [found.total_blocks, found.left_blocks]
        .map(|blocks| count(blocks.unwrap_or_default(), "block", "blocks"));
    let unreachable = unreachable_told(found).map_or(String::new(), |told| format!(", {told}"));
    format!(
        "peak {peak}, allocated {total} in {total_blocks}, left {left} in {left_blocks}{unreachable}"
    )
}

/// How much of what is left is unreachable; none if nothing is left, or that is not known.
fn unreachable_told(found: &Found) -> Option<String> {
    let bytes = found.unreachable_bytes?;
    let blocks = found.unreachable_blocks?;
    let left_blocks = found.left_blocks.filter(|blocks| *blocks > 0)?;
    Some(match blocks {
        0 => "none unreachable".to_owned(),
        _ if blocks == left_blocks => "all unreachable".to_owned(),
        _ => {
            let blocks = count(blocks, "block", "blocks");
            format!("unreachable {} in {blocks}", Size(bytes))
        }
    })
}

fn row(test: &Swept, all: &[&Swept]) -> Row {
    let verdict = match test.status {
        Status::Passed | Status::Skipped => "",
        Status::Failed => "FAILED",
    };
    Row {
        cells: std::iter::once(name(test, all))
            .chain(figures(test))
            .collect(),
        text: verdict.to_owned(),
    }
}

fn figures(test: &Swept) -> [String; 6] {
    let size = |bytes: Option<u64>| bytes.map_or("?".to_owned(), |bytes| Size(bytes).to_string());
    let blocks =
        |blocks: Option<u64>| blocks.map_or("?".to_owned(), |blocks| Thousands(blocks).to_string());
    [
        size(test.found.left_bytes),
        blocks(test.found.left_blocks),
        size(test.found.unreachable_bytes),
        size(test.found.peak_bytes),
        size(test.found.total_bytes),
        blocks(test.found.total_blocks),
    ]
}

/// The name of a test, with that of its binary if others are called the same.
fn name(test: &Swept, all: &[&Swept]) -> String {
    let alike = all.iter().filter(|other| other.test == test.test).count();
    let name = printable(&test.test);
    if alike > 1 {
        format!("{} {name}", printable(&test.binary))
    } else {
        name
    }
}

/// A text in so many characters: its end, which tells tests of one module apart.
fn end(text: &str, width: usize) -> String {
    let length = text.chars().count();
    if length <= width {
        return text.to_owned();
    }
    let end = text.chars().skip(length + 1 - width);
    std::iter::once('…').chain(end).collect()
}

/// So many of something, in a word for one and another for several.
pub fn count(number: u64, one: &str, many: &str) -> String {
    let noun = if number == 1 { one } else { many };
    format!("{} {noun}", Thousands(number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::found::{Change, Known};

    fn test(name: &str, left: u64, peak: u64) -> Swept {
        Swept {
            test: name.to_owned(),
            package: "orders".to_owned(),
            binary: "orders::all".to_owned(),
            status: Status::Passed,
            whole: None,
            found: Found {
                peak_bytes: Some(peak),
                total_bytes: Some(peak * 3),
                total_blocks: Some(peak / 10),
                left_bytes: Some(left),
                left_blocks: Some(left / 500),
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
        }
    }

    #[test]
    fn what_is_printed() {
        let mut tests = vec![
            test("index::rebuild", 1_234_567, 1_200_000_000),
            test(&"deep::".repeat(12), 1_000, 10_000),
            test("index::rebuild", 0, 1_000),
            test("escaped\u{1b}[31m", 0, 1_000),
        ];
        tests[0].status = Status::Failed;
        tests[2].binary = "orders".to_owned();
        tests[3].found.peak_bytes = None;
        tests[0].found.unreachable_bytes = Some(34_567);
        tests[0].found.unreachable_blocks = Some(60);
        tests[1].found.unreachable_bytes = None;
        tests[1].found.unreachable_blocks = None;
        let reason = "another thread still ran when the process ended";
        tests[1].found.not_searched = Some(reason.to_owned());
        tests[3].found.left_bytes = None;
        tests[3].found.left_blocks = None;
        tests[3].found.unreachable_bytes = None;
        tests[3].found.no_figures = Some("its process ended by signal: 6 (SIGABRT)".to_owned());
        for width in [80, 100, 200] {
            let printed = render(&tests, None, 20, width);
            assert!(fitted::fits(&printed, width), "{printed}");
            insta::assert_snapshot!(format!("what_is_printed_at_{width}"), printed);
        }
        insta::assert_snapshot!(render(&tests[1..3], None, 1, 80));
    }

    #[test]
    fn reasons_fit_and_hide_nothing() {
        let long = "`--list --format terse` ended with exit status: 3, so that no filter can \
                    choose among them\u{1b}[31m";
        let mut tests = [
            test("one", 0, 1_000),
            test("two", 0, 1_000),
            test("three", 0, 1_000),
        ];
        tests[0].status = Status::Skipped;
        tests[0].whole = Some(long.to_owned());
        tests[0].binary =
            "orders::a_name_of_a_binary_that_takes_much_of_a_line::and_more\u{7}".to_owned();
        tests[1].whole = Some(long.to_owned());
        tests[2].found.peak_bytes = None;
        tests[2].found.no_figures = Some(long.to_owned());
        let printed = render(&tests, None, 20, 80);
        assert!(fitted::fits(&printed, 80), "{printed}");
        insta::assert_snapshot!(printed);
    }

    #[test]
    fn what_changed_is_printed() {
        let mut tests: Vec<_> = ["leaks", "peaks", "shrinks", "new", "same", "new_and_leaks"]
            .map(|name| test(name, 1_000, 20_000))
            .into();
        let known = |peak_bytes, left_bytes, left_blocks| {
            Some(Known {
                peak_bytes,
                left_bytes,
                left_blocks,
            })
        };
        tests[0].found.unreachable_bytes = Some(1_000);
        tests[0].found.unreachable_blocks = Some(2);
        tests[5].found.unreachable_bytes = Some(300);
        tests[5].found.unreachable_blocks = Some(1);
        tests[0].before = known(20_000, 0, 0);
        tests[1].before = known(5_000, 1_000, 2);
        tests[2].before = known(40_000, 1_500, 3);
        tests[4].before = known(20_000, 1_000, 2);
        let changes = [Change::Worse, Change::Worse, Change::Better, Change::New];
        for (test, change) in tests.iter_mut().zip(changes) {
            test.change = Some(change);
        }
        tests[5].change = Some(Change::Worse);
        let gone = |test: &str| Gone {
            binary: "orders".to_owned(),
            test: test.to_owned(),
        };
        let mut compared = Compared {
            with: "the baselines".to_owned(),
            can_bless: true,
            gone: vec![gone("went"), gone("went_too")],
            unused: Vec::new(),
        };
        insta::assert_snapshot!(render(&tests, Some(&compared), 1, 80));
        compared.gone.clear();
        for test in &mut tests {
            test.change = None;
        }
        insta::assert_snapshot!(render(&tests, Some(&compared), 1, 80));
    }
}
