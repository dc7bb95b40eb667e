//! What a sweep found, for people: one line of summary, and the tests in a table, worst first.

use super::{Status, Swept};
use crate::table::printable;
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use highwater::__private::Thousands;
use std::collections::BTreeMap;
use std::fmt;

/// Columns of a terminal.
const WIDTH: usize = 80;
/// The columns before the tests' names, all figures.
const COLUMNS: [&str; 5] = ["left", "blocks", "peak", "allocated", "blocks"];
const GAP: usize = 2;

/// The summary; the first `top` of `tests`, each in one line; and what has no figures, and why.
pub fn render(tests: &[Swept], top: usize) -> String {
    let mut text = summary(tests) + "\n\n" + &table(&tests[..top.min(tests.len())], tests);
    if top < tests.len() {
        let more = Thousands(tests.len() as u64 - top as u64);
        text += &format!("and {more} more; --top N prints N tests, --json FILE has all\n");
    }
    let mut reasons = BTreeMap::<_, u64>::new();
    for test in tests {
        if let Some(reason) = &test.no_figures {
            *reasons.entry((reason, &test.binary)).or_default() += 1;
        }
    }
    for ((reason, binary), number) in reasons {
        let tests = count(number, "test has", "tests have");
        text += &format!(
            "\nno figures: {tests} none in {}:\n  {reason}\n",
            printable(binary)
        );
    }
    text
}

/// One line, and a second one if something failed or is not known.
fn summary(tests: &[Swept]) -> String {
    let number = |is: fn(&Swept) -> bool| tests.iter().filter(|test| is(test)).count() as u64;
    let unknown = number(|test| test.no_figures.is_some());
    let failed = number(|test| test.status == Status::Failed);
    let leaving = number(|test| test.left_blocks.is_some_and(|blocks| blocks > 0));
    let left = match leaving {
        0 if unknown == tests.len() as u64 => String::new(),
        0 => ", none leaves memory behind".to_owned(),
        _ => ", ".to_owned() + &count(leaving, "leaves memory behind", "leave memory behind"),
    };
    let mut text = count(tests.len() as u64, "test", "tests");
    let known = tests.iter().filter(|test| test.peak_bytes.is_some());
    // The first of those that are alike.
    if let Some(test) = known.rev().max_by_key(|test| test.peak_bytes) {
        text += &format!(", peak {} in `", Size(test.peak_bytes.unwrap_or_default()));
        let room = WIDTH.saturating_sub(text.len() + 1 + left.len());
        text += &format!("{}`", end(&printable(&test.test), room));
    }
    text += &left;
    let mut more = Vec::new();
    if failed > 0 {
        more.push(count(failed, "failed", "failed"));
    }
    if unknown > 0 {
        more.push(count(unknown, "without figures", "without figures"));
    }
    if !more.is_empty() {
        text += &format!("\n{}", more.join(", "));
    }
    text
}

pub(super) fn count(number: u64, one: &str, many: &str) -> String {
    let noun = if number == 1 { one } else { many };
    format!("{} {noun}", Thousands(number))
}

fn table(shown: &[Swept], all: &[Swept]) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(COLUMNS.into_iter().chain(["test"]));
    let rows: Vec<_> = shown.iter().map(figures).collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].len());
        cells.max().unwrap_or(0).max(COLUMNS[column].len())
    };
    let taken: usize = (0..COLUMNS.len()).map(|column| width(column) + GAP).sum();
    for (test, row) in shown.iter().zip(&rows) {
        let flag = match test.status {
            Status::Passed => "",
            Status::Failed => "FAILED ",
        };
        let room = WIDTH.saturating_sub(taken + flag.len());
        let name = flag.to_owned() + &end(&name(test, all), room);
        table.add_row(row.iter().cloned().chain([name]));
    }
    for (at, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, if at < COLUMNS.len() { 2 } else { 0 }));
        if at < COLUMNS.len() {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt() + "\n"
}

fn figures(test: &Swept) -> [String; 5] {
    let size = |bytes: Option<u64>| bytes.map_or("?".to_owned(), |bytes| Size(bytes).to_string());
    let blocks =
        |blocks: Option<u64>| blocks.map_or("?".to_owned(), |blocks| Thousands(blocks).to_string());
    [
        size(test.left_bytes),
        blocks(test.left_blocks),
        size(test.peak_bytes),
        size(test.total_bytes),
        blocks(test.total_blocks),
    ]
}

/// The name of a test, with that of its binary if others are called the same.
fn name(test: &Swept, all: &[Swept]) -> String {
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

    fn test(name: &str, left: u64, peak: u64) -> Swept {
        Swept {
            test: name.to_owned(),
            package: "orders".to_owned(),
            binary: "orders::all".to_owned(),
            status: Status::Passed,
            peak_bytes: Some(peak),
            total_bytes: Some(peak * 3),
            total_blocks: Some(peak / 10),
            left_bytes: Some(left),
            left_blocks: Some(left / 500),
            no_figures: None,
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
        tests[3].peak_bytes = None;
        tests[3].left_blocks = None;
        tests[3].no_figures = Some("its process ended by signal: 6 (SIGABRT)".to_owned());
        let printed = render(&tests, 20);
        assert!(
            printed.lines().all(|line| line.chars().count() <= WIDTH),
            "{printed}"
        );
        insta::assert_snapshot!(printed);
        insta::assert_snapshot!(render(&tests[1..3], 1));
    }

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
