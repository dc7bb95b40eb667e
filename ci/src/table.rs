//! Reports as a table for people: one line a report, figures aligned.

use highwater::__private::{Thousands, wrapped_to};
use highwater_reports::fitted::{self, Column, Row};
use highwater_reports::report::{Breach, Report, Resource, Verdict};
pub use highwater_reports::visible::printable;
use std::fmt;

/// The columns, and what is left out first where lines are short.
const COLUMNS: [Column<'_>; 6] = [
    Column::new("scenario", false, 0),
    Column::new("steps", true, 2),
    Column::new("growth", true, 0),
    Column::new("peak", true, 1),
    Column::new("residue", true, 3),
    Column::new("verdict", false, 0),
];

/// One line for the names of the columns and one for each report, in the order
/// given, each with a line break behind it; none is wider than `width`.
///
/// A peak that is known to within a bound is printed with both ends. Damage to
/// the heap is named behind the columns or below them, where what fails a report stands.
pub fn render(reports: &[Report], width: usize) -> String {
    let rows: Vec<_> = reports.iter().map(row).collect();
    fitted::table(&COLUMNS, &rows, width)
}

fn row(report: &Report) -> Row {
    let cells = [
        printable(&report.full_name()),
        steps(report),
        Bytes(report.growth_bytes.into()).to_string(),
        peak(report),
        Bytes(report.residue_bytes.into()).to_string(),
        report.verdict.word().to_owned(),
    ];
    Row {
        cells: cells.to_vec(),
        text: failures(report),
    }
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

/// What fails it beside the verdict, what is accepted, and what there is to note.
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
    let grows = |resource: &&Resource| resource.verdict == Some(Verdict::Growing);
    let growing = report.resources.iter().filter(grows);
    failures.extend(growing.map(|resource| format!("{} growing", printable(&resource.resource))));
    if report.damage.is_some() {
        failures.push("heap damaged".to_owned());
    }
    if report.self_test.as_ref().is_some_and(|test| !test.found) {
        failures.push("self-test failed".to_owned());
    }
    // The verdict stands in its column.
    let is_open = |text: &String| text.starts_with("inconclusive: ");
    let is_told = report.verdict == Verdict::Growing || report.failures.iter().any(is_open);
    if failures.is_empty() && !is_told {
        // What the library fails for and this does not know.
        failures.extend(report.failures.first().map(|text| printable(text)));
    }
    failures.extend(report.accepted_texts().map(|text| printable(&text)));
    let note = report.note_in_short();
    failures.extend(note.map(|note| printable(&format!("note: {note}"))));
    failures.join(", ")
}

/// What else there is to say of scenarios, each under its name, with an empty line behind it.
pub fn remarks(of: &[(String, Vec<String>)], width: usize) -> String {
    let mut text = String::new();
    for (name, remarks) in of.iter().filter(|(_, remarks)| !remarks.is_empty()) {
        text.push_str(&wrapped_to(&printable(name), 0, width));
        for remark in remarks {
            text.push_str(&wrapped_to(&printable(remark), 2, width));
        }
        text.push('\n');
    }
    text
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
