//! The table for a terminal.

use crate::compare::Change;
use crate::outcome::{Against, Comparison, Outcome, Range, Status};
use crate::table::printable;
use clap::builder::styling::{AnsiColor, Style};
use highwater::__private::wrapped_to;
use highwater_reports::figure::Unit;
use highwater_reports::fitted::{self, Column, Row};
use highwater_reports::page::short_hash;

/// The columns: the scenario and what became of it, and a figure that changed. What is left
/// out of them where lines are short can be told from the others.
const COLUMNS: [Column<'_>; 5] = [
    Column::new("", false, 0),
    Column::new("figure", false, 0),
    Column::new("before", true, 0),
    Column::new("after", true, 0),
    Column::new("difference", true, 1),
];

/// What changed, a line each; why something failed; how many there are of each; and
/// what to do next. No line is wider than `width`, but for a command. Coloured: whoever prints
/// it to something else than a terminal strips that.
pub fn render(outcome: &Outcome, width: usize) -> String {
    let mut text = String::new();
    let changed: Vec<_> = outcome.changed().collect();
    if !changed.is_empty() {
        text.push_str(&table(&changed, width));
        text.push('\n');
    }
    for comparison in &changed {
        text.push_str(&remarks(comparison, width));
    }
    for note in &outcome.notes {
        let note = format!("note: {}", printable(note));
        text.push_str(&wrapped_to(&note, 0, width));
    }
    let base = outcome.base.as_ref().map(|base| {
        let commit = short_hash(&base.commit);
        format!(", compared with {} ({commit})", printable(&base.revision))
    });
    let counts = format!("{}{}", outcome.counts(), base.unwrap_or_default());
    text += &wrapped_to(&counts, 0, width);
    if let Some(next) = outcome.next_step() {
        text += &format!("\n{}", paragraph(next, width));
    }
    text
}

/// Lines that all start at the edge.
fn paragraph(text: &str, width: usize) -> String {
    let lines = wrapped_to(text, 0, width);
    lines
        .lines()
        .map(|line| format!("{}\n", line.trim_start()))
        .collect()
}

fn table(changed: &[&Comparison], width: usize) -> String {
    let beside: Vec<_> = changed.iter().flat_map(|c| rows(c, true)).collect();
    let with_figures: Vec<_> = beside
        .iter()
        .filter(|row| row.cells.len() > 1)
        .cloned()
        .collect();
    let of_figures = fitted::table(&COLUMNS, &with_figures, usize::MAX);
    // The names beside the figures if all fit so, else above them.
    let lines = if fitted::fits(&of_figures, width) {
        fitted::table(&COLUMNS, &beside, width)
    } else {
        let above: Vec<_> = changed.iter().flat_map(|c| rows(c, false)).collect();
        fitted::table(&COLUMNS, &above, width)
    };
    lines
        .lines()
        .map(|line| coloured(line, changed) + "\n")
        .collect()
}

/// The rows of a scenario: its figures, or what there is to say in place of them.
fn rows(comparison: &Comparison, is_beside: bool) -> Vec<Row> {
    let status = comparison.status;
    let head = format!("{:<11}  {}", status.word(), name(comparison));
    let mut rows = figures(comparison);
    if rows.is_empty() {
        let text = if has_no_figures(comparison) {
            printable(&remarks_of(comparison).join("; "))
        } else {
            String::new()
        };
        let cells = vec![head];
        return vec![Row { cells, text }];
    }
    if is_beside {
        rows[0].cells[0] = head;
    } else {
        let (cells, text) = (vec![head], String::new());
        rows.insert(0, Row { cells, text });
    }
    rows
}

/// Of a scenario that is new or gone there is a line.
fn has_no_figures(comparison: &Comparison) -> bool {
    matches!(comparison.status, Status::New | Status::Gone) && comparison.changes.is_empty()
}

/// What changed of a scenario, a row each. What hardly did is counted, if there is more of it
/// than the line that says so.
fn figures(comparison: &Comparison) -> Vec<Row> {
    let (minor, shown): (Vec<_>, Vec<_>) = comparison
        .changes
        .iter()
        .partition(|change| change.is_minor());
    let folds = !shown.is_empty() && minor.len() > 1;
    let changes = comparison.changes.iter();
    let changes = changes.filter(|change| !folds || !change.is_minor());
    let mut rows: Vec<_> = changes.map(figure).collect();
    if shows_ranges(comparison) {
        let range = |range: &Range| {
            let runs = format!("{} runs", comparison.runs);
            row([range.name(), &range.before(), &range.after(), &runs])
        };
        rows.extend(comparison.ranges.iter().map(range));
    }
    if folds {
        let names: Vec<_> = minor.iter().map(|change| change.name()).collect();
        let text = format!(
            "and {} that changed by less than a tenth: {}",
            minor.len(),
            names.join(", ")
        );
        let cells = vec![String::new()];
        rows.push(Row { cells, text });
    }
    rows
}

/// Whether its figures have ranges in the table.
fn shows_ranges(comparison: &Comparison) -> bool {
    matches!(comparison.status, Status::Unsteady | Status::Varies)
}

/// A change; of what the steps allocated, how much that is a step.
fn figure(change: &Change) -> Row {
    let Some([before, after]) = change.a_step() else {
        let (before, after) = (change.before(), change.after());
        return row([change.name(), &before, &after, &change.difference()]);
    };
    let name = match change.unit {
        Some(Unit::Bytes) => "bytes a step",
        _ => "blocks a step",
    };
    row([
        name,
        &before,
        &after,
        &format!("{} in all", change.amount()),
    ])
}

fn row([name, before, after, difference]: [&str; 4]) -> Row {
    let cells = ["", name, before, after, difference];
    Row {
        cells: cells.map(str::to_owned).to_vec(),
        text: String::new(),
    }
}

/// The name, and what its changes are told from if that is not what one expects.
fn name(comparison: &Comparison) -> String {
    let name = printable(&comparison.scenario);
    let told_from_baseline = comparison.against == Against::Baseline
        && !comparison.changes.is_empty()
        && !comparison.curve_before.is_empty();
    if told_from_baseline {
        return format!("{name}, from its baseline");
    }
    name
}

/// The line with its status in the colour for it.
fn coloured(line: &str, changed: &[&Comparison]) -> String {
    let word = line.split(' ').next().unwrap_or_default();
    let status = changed.iter().map(|c| c.status).find(|s| s.word() == word);
    match status {
        Some(status) => {
            let colour = match status {
                _ if status.blocks() => AnsiColor::Red,
                Status::Improvement => AnsiColor::Green,
                _ => AnsiColor::Yellow,
            };
            let style = Style::new().fg_color(Some(colour.into())).bold();
            format!("{style}{word}{style:#}{}", &line[word.len()..])
        }
        None => line.to_owned(),
    }
}

/// Why a scenario failed and what else there is to say of it, unless the table does.
fn remarks(comparison: &Comparison, width: usize) -> String {
    let remarks = remarks_of(comparison);
    if remarks.is_empty() || has_no_figures(comparison) {
        return String::new();
    }
    let location = comparison.place();
    let location = location.map(|at| format!(" ({}:{})", printable(&at.file), at.line));
    let head = printable(&comparison.scenario) + &location.unwrap_or_default();
    let mut text = wrapped_to(&head, 0, width);
    for remark in remarks {
        text.push_str(&wrapped_to(&printable(&remark), 2, width));
    }
    text + "\n"
}

fn remarks_of(comparison: &Comparison) -> Vec<String> {
    let sites = comparison.sites.iter().map(ToString::to_string);
    let others = comparison.failures.iter().chain(&comparison.notes);
    // Some are in the table.
    let ranges = comparison.ranges.iter();
    let ranges = ranges.filter(|_| !shows_ranges(comparison));
    let ranges = ranges.map(ToString::to_string);
    others.cloned().chain(ranges).chain(sites).collect()
}
