//! The table for a terminal.

use crate::outcome::{Against, Comparison, Outcome, Range, Status};
use crate::table::printable;
use clap::builder::styling::{AnsiColor, Style};
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};

const COLUMNS: [(&str, bool); 6] = [
    ("", false),
    ("scenario", false),
    ("figure", false),
    ("before", true),
    ("after", true),
    ("difference", true),
];

/// What changed, a line each; why something failed; how many there are of each; and
/// what to do next. Coloured: whoever prints it to something else than a terminal
/// strips that.
pub fn render(outcome: &Outcome) -> String {
    let mut text = String::new();
    let changed: Vec<_> = outcome.changed().collect();
    if !changed.is_empty() {
        text.push_str(&table(&changed));
        text.push('\n');
    }
    for comparison in &changed {
        text.push_str(&remarks(comparison));
    }
    for note in &outcome.notes {
        text.push_str(&format!("note: {}\n", printable(note)));
    }
    let base = outcome.base.as_ref().map(|base| {
        let commit = base.commit.get(..12).unwrap_or(&base.commit);
        format!(", compared with {} ({commit})", printable(&base.revision))
    });
    text += &format!("{}{}\n", outcome.counts(), base.unwrap_or_default());
    if let Some(next) = outcome.next_step() {
        text += &format!("\n{next}\n");
    }
    text
}

fn table(changed: &[&Comparison]) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(COLUMNS.map(|(name, _)| name));
    for comparison in changed {
        let mut rows: Vec<[String; 4]> = comparison
            .changes
            .iter()
            .map(|change| {
                let name = change.name().to_owned();
                [name, change.before(), change.after(), change.difference()]
            })
            .collect();
        if comparison.status == Status::Unsteady {
            let range = |range: &Range| {
                let runs = format!("{} runs", comparison.runs);
                [range.name().to_owned(), range.before(), range.after(), runs]
            };
            rows.extend(comparison.ranges.iter().map(range));
        }
        if rows.is_empty() {
            rows.push(Default::default());
        }
        for (index, row) in rows.into_iter().enumerate() {
            let names = match index {
                0 => [comparison.status.word().to_owned(), name(comparison)],
                _ => Default::default(),
            };
            table.add_row(names.into_iter().chain(row));
        }
    }
    for (column, (_, is_figure)) in table.column_iter_mut().zip(COLUMNS) {
        column.set_padding((0, 2));
        if is_figure {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let lines = table.trim_fmt();
    lines
        .lines()
        .map(|line| coloured(line, changed) + "\n")
        .collect()
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

/// Why a scenario failed and what else there is to say of it.
fn remarks(comparison: &Comparison) -> String {
    let remarks = remarks_of(comparison);
    if remarks.is_empty() {
        return String::new();
    }
    let location = comparison.location.as_ref();
    let location = location.map(|at| format!(" ({}:{})", printable(&at.file), at.line));
    let location = location.unwrap_or_default();
    let mut text = format!("{}{location}\n", printable(&comparison.scenario));
    for remark in remarks {
        text.push_str(&format!("  {}\n", printable(&remark)));
    }
    text + "\n"
}

fn remarks_of(comparison: &Comparison) -> Vec<String> {
    let sites = comparison.sites.iter().map(ToString::to_string);
    let others = comparison.failures.iter().chain(&comparison.notes);
    // Of an unsteady scenario they are in the table.
    let ranges = comparison.ranges.iter();
    let ranges = ranges.filter(|_| comparison.status != Status::Unsteady);
    let ranges = ranges.map(ToString::to_string);
    others.cloned().chain(ranges).chain(sites).collect()
}
