//! Reports as a table for people: one line a report, figures aligned.

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use highwater::__private::Thousands;
use highwater_reports::report::{Breach, Report, Resource, Verdict};
use std::fmt;

/// The columns, and whether they hold figures, which are aligned to the right.
const COLUMNS: [(&str, bool); 7] = [
    ("scenario", false),
    ("steps", true),
    ("growth", true),
    ("peak", true),
    ("residue", true),
    ("verdict", false),
    ("failures", false),
];

/// One line for the names of the columns and one for each report, in the order
/// given, each with a line break behind it.
///
/// A peak that is known to within a bound is printed with both ends. Damage to
/// the heap is named in the last column, where what fails a report stands.
pub fn render(reports: &[Report]) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(COLUMNS.map(|(name, _)| name));
    for report in reports {
        table.add_row(row(report));
    }
    for (column, (_, is_figure)) in table.column_iter_mut().zip(COLUMNS) {
        column.set_padding((0, 2));
        if is_figure {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt() + "\n"
}

fn row(report: &Report) -> [String; 7] {
    let residue = Bytes(report.residue_bytes.into());
    [
        printable(&report.full_name()),
        steps(report),
        Bytes(report.growth_bytes.into()).to_string(),
        peak(report),
        residue.to_string(),
        report.verdict.word().to_owned(),
        failures(report),
    ]
}

fn steps(report: &Report) -> String {
    let steps = Thousands(report.steps);
    if report.steps < report.requested_steps {
        format!("{steps} of {}", Thousands(report.requested_steps))
    } else {
        steps.to_string()
    }
}

fn peak(report: &Report) -> String {
    let least = i128::from(report.peak_bytes);
    let most = least + i128::from(report.peak_error_bytes);
    if least == most {
        Bytes(least).to_string()
    } else {
        format!("{} to {}", Thousands(least), Bytes(most))
    }
}

fn failures(report: &Report) -> String {
    let breach = |breach: &Breach| {
        let excess = i128::from(breach.excess());
        let excess = match breach.unit.as_str() {
            "bytes" => Bytes(excess).to_string(),
            _ => Thousands(excess).to_string(),
        };
        format!("{} by {excess}", printable(&breach.ceiling))
    };
    let mut failures: Vec<String> = report.breaches.iter().map(breach).collect();
    if report.verdict == Verdict::Growing {
        failures.push("memory growing".to_owned());
    }
    let grows = |resource: &&Resource| resource.verdict == Some(Verdict::Growing);
    let growing = report.resources.iter().filter(grows);
    failures.extend(growing.map(|resource| format!("{} growing", printable(&resource.resource))));
    if report.damage.is_some() {
        failures.push("heap damaged".to_owned());
    }
    if report.self_test.as_ref().is_some_and(|test| !test.found) {
        failures.push("self-test failed".to_owned());
    }
    let is_open = |text: &String| text.starts_with("inconclusive: ");
    if report.failures.iter().any(is_open) {
        failures.push("inconclusive".to_owned());
    }
    if failures.is_empty() {
        // What the library fails for and this does not know.
        failures.extend(report.failures.first().map(|text| printable(text)));
    }
    failures.extend(report.accepted_texts().map(|text| printable(&text)));
    let note = report.note_in_short();
    failures.extend(note.map(|note| printable(&format!("note: {note}"))));
    if failures.is_empty() {
        return "none".to_owned();
    }
    failures.join(", ")
}

/// `text` with its control characters escaped: a name with a line break in it
/// must not break the table, nor one with escape codes the terminal.
pub fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            printable.extend(character.escape_default());
        } else {
            printable.push(character);
        }
    }
    printable
}

/// Prints a number of bytes with its unit. Wide enough for every sum and
/// difference of the figures in a report.
struct Bytes(i128);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} B", Thousands(self.0))
    }
}

/// The last line: how many reports, how many of them failed, and how many of those
/// had to.
pub fn summary(reports: &[Report], expected: usize) -> String {
    let failed = reports.iter().filter(|report| report.is_failure()).count();
    let noun = if reports.len() == 1 {
        "report"
    } else {
        "reports"
    };
    let summary = format!("{} {noun}, {failed} failed", reports.len());
    match expected {
        0 => summary,
        _ if expected == failed => summary + " as expected",
        _ => format!("{summary}, {expected} of them as expected"),
    }
}

#[cfg(test)]
mod tests;
