//! The tables that a person reads.

use crate::{Outcome, Plan};
use anstream::ColorChoice;
use comfy_table::presets::NOTHING;
use comfy_table::{Cell, CellAlignment, Color, Table};
use highwater::__private::{Rate, wrapped_to};
use highwater::{ByteSize, Ceiling, Report};
use highwater_reports::fitted::{self, Column, Row};
use highwater_scenarios::{
    CONTRACTS, Contract, Entry, Experiment, Findings, HYPOTHESES, SCENARIOS, Twin, signed_bytes,
    thousands,
};
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

/// All scenarios, all hypotheses and all contracts.
pub(crate) fn list() -> String {
    format!("{}\n{}\n{}", scenarios(), hypotheses(), contracts())
}

/// With their steps, ceilings and what they do.
fn scenarios() -> String {
    let columns = [
        Column::new("scenario", false, 0),
        Column::new("steps", true, 0),
        Column::new("growth", true, 1),
        Column::new("peak", true, 2),
    ];
    let row = |entry: &Entry| Row {
        cells: vec![
            entry.id.to_owned(),
            thousands(entry.steps),
            format!("<= {}", entry.growth_ceiling),
            format!("<= {}", entry.peak_ceiling),
        ],
        text: format!("{}; leaky twin: {}", entry.what, entry.defect),
    };
    let rows: Vec<_> = SCENARIOS.into_iter().map(row).collect();
    fitted::table(&columns, &rows, fitted::width())
}

/// With what makes them valid, and what they claim.
fn hypotheses() -> String {
    let columns = [
        Column::new("hypothesis", false, 0),
        Column::new("priority", false, 0),
        Column::new("valid if", false, 0),
    ];
    let row = |experiment: &Experiment| {
        let hypothesis = experiment.hypothesis;
        let cells = [
            hypothesis.id().to_owned(),
            hypothesis.priority().to_string(),
            hypothesis.expected().to_string(),
        ];
        Row {
            cells: cells.to_vec(),
            text: hypothesis.claim().to_owned(),
        }
    };
    let rows: Vec<_> = HYPOTHESES.iter().map(row).collect();
    fitted::table(&columns, &rows, fitted::width())
}

/// The columns of the results, and what is left out first where lines are short.
const RESULTS: [Column<'_>; 10] = [
    Column::new("scenario", false, 0),
    Column::new("steps", false, 3),
    Column::new("growth", false, 0),
    Column::new("ceiling", false, 5),
    Column::new("peak", false, 1),
    Column::new("ceiling", false, 5),
    Column::new("residue", false, 4),
    Column::new("allocs/step", false, 2),
    Column::new("verdict", false, 0),
    Column::new("curve", false, 6),
];

/// With what states them, and what they say.
fn contracts() -> String {
    let columns = [
        Column::new("contract", false, 0),
        Column::new("stated by", false, 0),
    ];
    let row = |contract: &Contract| Row {
        cells: vec![contract.id.to_owned(), contract.by.to_owned()],
        text: format!("{}; leaky twin: {}", contract.what, contract.defect),
    };
    let rows: Vec<_> = CONTRACTS.into_iter().map(row).collect();
    fitted::table(&columns, &rows, fitted::width())
}

/// One line for each scenario that was run, and what to do next.
pub(crate) fn results(outcomes: &[Outcome], plan: &Plan) -> String {
    let rows: Vec<Vec<_>> = outcomes.iter().map(cells).collect();
    let width = |at: usize| {
        let cells = rows.iter().filter_map(|row| row.get(at));
        let cells = cells.map(|cell: &Cell| cell.content().chars().count());
        cells.chain([RESULTS[at].name.len()]).max().unwrap_or(0)
    };
    let mut widths: Vec<_> = (0..RESULTS.len()).map(width).collect();
    // The table's edge.
    widths[0] += 1;
    let fit = fitted::fit(&RESULTS, &widths, fitted::width());
    let names: Vec<_> = fit.shown.iter().map(|at| RESULTS[*at].name).collect();
    let mut table = plain_table(&names);
    for row in rows {
        let shown = row.into_iter().enumerate();
        let shown = shown.filter(|(at, _)| fit.shown.contains(at));
        table.add_row(shown.map(|(_, cell)| cell));
    }
    let mut text = format!("{}\n{}\n", table.trim_fmt(), fit.left_out);
    for outcome in outcomes {
        text.push_str(&problems(outcome));
    }
    text.push_str(&summary(outcomes, plan));
    text
}

/// A row of the results.
fn cells(outcome: &Outcome) -> Vec<Cell> {
    if let Ok(shown) = &outcome.report {
        return shown.row.iter().map(cell).collect();
    }
    let mut cells = vec![Cell::new(outcome.entry.id)];
    cells.extend((1..8).map(|_| right("-")));
    cells.push(Cell::new("failed").fg(Color::Red));
    cells
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
                .map_or("-".to_owned(), |blocks| Rate(blocks).to_string()),
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
            text.push_str(&wrapped_to(line, 2, fitted::width()));
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
            "{what}, {} over a ceiling or growing; the full report of one:\n  \
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
    let columns = found.header.iter().enumerate().map(|(at, name)| Column {
        name,
        is_figure: at > 0,
        rank: 0,
    });
    let columns: Vec<_> = columns.collect();
    let row = |cells: &Vec<String>| Row {
        cells: cells.clone(),
        text: String::new(),
    };
    let rows: Vec<_> = found.rows.iter().map(row).collect();
    fitted::table(&columns, &rows, fitted::width())
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
