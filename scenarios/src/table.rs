//! The tables that a person reads.

use crate::{Outcome, Plan};
use anstream::ColorChoice;
use comfy_table::presets::NOTHING;
use comfy_table::{Cell, CellAlignment, Color, Table};
use highwater::{ByteSize, Ceiling, Report};
use highwater_scenarios::{Findings, HYPOTHESES, SCENARIOS, Twin, signed_bytes, thousands};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::io;

/// A cell of a table.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Field {
    pub(crate) text: String,
    pub(crate) color: Option<Shade>,
    pub(crate) is_number: bool,
}

/// What a cell's colour says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Shade {
    Good,
    Open,
    Bad,
}

/// All scenarios, and all hypotheses.
pub(crate) fn list() -> String {
    format!("{}\n{}", scenarios(), hypotheses())
}

/// With their steps, ceilings and what they do.
fn scenarios() -> String {
    let mut table = plain_table(&[
        "scenario",
        "steps",
        "growth",
        "peak",
        "what runs",
        "leaky twin",
    ]);
    for entry in SCENARIOS {
        table.add_row([
            Cell::new(entry.id),
            right(thousands(entry.steps)),
            right(format!("<= {}", entry.growth_ceiling)),
            right(format!("<= {}", entry.peak_ceiling)),
            Cell::new(entry.what),
            Cell::new(entry.defect),
        ]);
    }
    format!("{}\n", table.trim_fmt())
}

/// With what makes them valid, and what they claim.
fn hypotheses() -> String {
    let mut table = plain_table(&["hypothesis", "priority", "valid if", "claim"]);
    for experiment in &HYPOTHESES {
        let hypothesis = experiment.hypothesis;
        table.add_row([
            Cell::new(hypothesis.id()),
            Cell::new(hypothesis.priority()),
            right(hypothesis.expected()),
            Cell::new(hypothesis.claim()),
        ]);
    }
    format!("{}\n", table.trim_fmt())
}

/// One line for each scenario that was run, and what to do next.
pub(crate) fn results(outcomes: &[Outcome], plan: &Plan) -> String {
    let mut table = plain_table(&[
        "scenario",
        "steps",
        "growth",
        "ceiling",
        "peak",
        "ceiling",
        "residue",
        "allocs/step",
        "verdict",
        "curve",
    ]);
    for outcome in outcomes {
        match &outcome.report {
            Ok(shown) => table.add_row(shown.row.iter().map(cell)),
            Err(_) => table.add_row([
                Cell::new(outcome.entry.id),
                right("-"),
                right("-"),
                right("-"),
                right("-"),
                right("-"),
                right("-"),
                right("-"),
                Cell::new("failed").fg(Color::Red),
            ]),
        };
    }
    let mut text = format!("{}\n\n", table.trim_fmt());
    for outcome in outcomes {
        text.push_str(&problems(outcome));
    }
    text.push_str(&summary(outcomes, plan));
    text
}

/// A report's row.
pub(crate) fn row(report: &Report) -> Vec<Field> {
    let is_breached = |ceiling| report.breaches().iter().any(|b| b.ceiling == ceiling);
    let number = |text: String| Field {
        text,
        color: None,
        is_number: true,
    };
    let figure = |text: String, ceiling| Field {
        color: is_breached(ceiling).then_some(Shade::Bad),
        ..number(text)
    };
    let limit = |ceiling| {
        let set = report
            .ceilings()
            .iter()
            .find(|(known, _)| *known == ceiling);
        number(set.map_or("-".to_owned(), |(_, limit)| ByteSize::b(*limit).to_string()))
    };
    let word = |text: String, color| Field {
        text,
        color,
        is_number: false,
    };
    let verdict = report.verdict();
    let color = match (report.is_failure(), verdict.is_bounded()) {
        (true, _) => Shade::Bad,
        (false, true) => Shade::Good,
        (false, false) => Shade::Open,
    };
    vec![
        word(report.name().to_owned(), None),
        number(thousands(report.steps())),
        figure(signed_bytes(report.growth_bytes()), Ceiling::Growth),
        limit(Ceiling::Growth),
        figure(bytes(report.peak_bytes()), Ceiling::Peak),
        limit(Ceiling::Peak),
        number(bytes(report.residue_bytes())),
        number(
            report
                .blocks_per_step()
                .map_or("-".to_owned(), |blocks| format!("{blocks:.2}")),
        ),
        word(verdict.word().to_owned(), Some(color)),
        word(report.sparkline(), None),
    ]
}

fn cell(figure: &Field) -> Cell {
    let cell = if figure.is_number {
        right(&figure.text)
    } else {
        Cell::new(&figure.text)
    };
    match figure.color {
        None => cell,
        Some(Shade::Bad) => cell.fg(Color::Red),
        Some(Shade::Good) => cell.fg(Color::Green),
        Some(Shade::Open) => cell.fg(Color::Yellow),
    }
}

/// Why a scenario is not sound.
pub(crate) fn problems_of(report: &Report) -> Vec<String> {
    let mut lines = report.failures();
    let verdict = report.verdict();
    if !verdict.is_bounded() && !lines.contains(&verdict.to_string()) {
        lines.push(verdict.to_string());
    }
    lines
}

/// The same, indented below the table.
fn problems(outcome: &Outcome) -> String {
    let lines = match &outcome.report {
        Err(problem) => std::slice::from_ref(problem),
        Ok(shown) => &shown.problems,
    };
    let mut text = String::new();
    if !lines.is_empty() {
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "{}", outcome.entry.id);
        for line in lines {
            let _ = writeln!(text, "  {line}");
        }
        text.push('\n');
    }
    text
}

fn summary(outcomes: &[Outcome], plan: &Plan) -> String {
    let failed = outcomes.iter().filter(|outcome| {
        outcome
            .report
            .as_ref()
            .map_or(true, |shown| shown.is_failure)
    });
    let failed: Vec<_> = failed.map(|outcome| outcome.entry.id).collect();
    let what = match (plan.twin, outcomes.len()) {
        (Twin::Sound, 1) => "1 scenario".to_owned(),
        (Twin::Sound, n) => format!("{n} scenarios"),
        (Twin::Leaky, 1) => "1 leaky twin".to_owned(),
        (Twin::Leaky, n) => format!("{n} leaky twins"),
    };
    let mut text = match failed.as_slice() {
        [] => format!("{what}, none over a ceiling, none growing\n"),
        [first, ..] => format!(
            "{what}, {} over a ceiling or growing; the full report of one: \
             cargo run --release -- show {first}{}\n",
            failed.len(),
            if plan.twin == Twin::Leaky {
                " --leaky"
            } else {
                ""
            },
        ),
    };
    let written = outcomes
        .iter()
        .find_map(|outcome| outcome.report.as_ref().ok());
    if let Some(directory) = written.and_then(|shown| shown.path.parent()) {
        let _ = writeln!(text, "reports as JSON: {}", directory.display());
    }
    text
}

/// Findings: what is named to the left, figures to the right.
pub(crate) fn findings(found: &Findings) -> String {
    let header: Vec<_> = found.header.iter().map(String::as_str).collect();
    let mut table = plain_table(&header);
    let (names, figures) = header.split_at(header.len().min(1));
    let names = names.iter().map(Cell::new);
    table.set_header(names.chain(figures.iter().map(right)));
    for row in &found.rows {
        let mut cells = row.iter();
        let name = cells.next().map(Cell::new);
        table.add_row(name.into_iter().chain(cells.map(right)));
    }
    format!("{}\n", table.trim_fmt())
}

/// Columns, no lines; coloured if standard output is a terminal that wants it.
fn plain_table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING);
    let figures = [
        "steps",
        "growth",
        "peak",
        "ceiling",
        "residue",
        "allocs/step",
    ];
    table.set_header(header.iter().map(|name| {
        if figures.contains(name) {
            right(name)
        } else {
            Cell::new(name)
        }
    }));
    if anstream::AutoStream::choice(&io::stdout()) == ColorChoice::Never {
        table.force_no_tty();
    } else {
        table.enforce_styling();
    }
    table
}

fn right(text: impl ToString) -> Cell {
    Cell::new(text).set_alignment(CellAlignment::Right)
}

fn bytes(number: u64) -> String {
    format!("{} B", thousands(number))
}
