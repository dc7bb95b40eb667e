//! The outcomes as a table, for a terminal or for a document.

use crate::case::{Diagnosis, Kind, Outcome};
use comfy_table::{CellAlignment, Table, TableStyle, presets};
use std::fmt::Write as _;
use std::time::Duration;

const COLUMNS: [(&str, CellAlignment); 10] = [
    ("case", CellAlignment::Left),
    ("crate", CellAlignment::Left),
    ("release", CellAlignment::Left),
    ("", CellAlignment::Left),
    ("steps", CellAlignment::Right),
    ("B a step", CellAlignment::Right),
    ("blocks a step", CellAlignment::Right),
    ("law", CellAlignment::Left),
    ("verdict", CellAlignment::Left),
    ("first site", CellAlignment::Left),
];

fn table(outcomes: &[Outcome], style: TableStyle) -> Table {
    let mut table = Table::new();
    table.load_style(style);
    table.set_header(COLUMNS.map(|(title, _)| title));
    for (place, (_, alignment)) in COLUMNS.iter().enumerate() {
        if let Some(column) = table.column_mut(place) {
            column.set_cell_alignment(*alignment);
        }
    }
    for outcome in outcomes {
        let report = &outcome.report;
        let rate = |rate: f64| match rate {
            0.0 => String::new(),
            rate if rate < 0.1 => format!("{rate:.4}"),
            rate => format!("{rate:.2}"),
        };
        let mark = if outcome.is_right() { "" } else { " (wrong)" };
        table.add_row([
            outcome.case.clone(),
            outcome.facts.crate_name.clone(),
            outcome.version.clone(),
            outcome.kind.name().to_owned(),
            report.extended_steps.to_string(),
            rate(report.floor_bytes_per_step),
            rate(report.floor_blocks_per_step),
            report.law.clone().unwrap_or_default(),
            format!("{}{mark}", report.verdict),
            site(outcome),
        ]);
    }
    table
}

/// How much of a site's name the table has room for.
const SITE_WIDTH: usize = 80;

/// What the report of a leak names first.
fn site(outcome: &Outcome) -> String {
    let diagnosis = outcome.report.diagnosis.as_ref();
    let first = diagnosis.and_then(Diagnosis::first).unwrap_or_default();
    // Some types go on for lines.
    let first = match first.char_indices().nth(SITE_WIDTH) {
        Some((end, _)) => format!("{}…", &first[..end]),
        None => first,
    };
    if outcome.kind != Kind::Leaky || outcome.is_named() {
        return first;
    }
    format!("{first} (not named)")
}

/// The table, what went wrong, and the sums.
pub(crate) fn text(outcomes: &[Outcome]) -> String {
    let mut text = table(outcomes, presets::NOTHING).to_string();
    text.push_str("\n\n");
    for outcome in outcomes.iter().filter(|outcome| !outcome.is_right()) {
        let (name, report) = (outcome.kind.name(), &outcome.report);
        let _ = writeln!(
            text,
            "{}-{name} is wrong: {}: {}",
            outcome.case, report.verdict, report.verdict_reason
        );
        if !outcome.others.is_empty() {
            let _ = writeln!(text, "  in other rounds: {}", outcome.others.join(", "));
        }
    }
    let _ = writeln!(text, "{}", sums(outcomes));
    text
}

pub(crate) fn markdown(outcomes: &[Outcome]) -> String {
    let mut text = String::from("# Known leaks, and what the verdict makes of them\n\n");
    let _ = writeln!(text, "{}\n", table(outcomes, presets::ASCII_MARKDOWN));
    let _ = writeln!(text, "{}\n", sums(outcomes));
    text.push_str("What each case is:\n\n");
    for outcome in outcomes
        .iter()
        .filter(|outcome| outcome.kind != Kind::Fixed)
    {
        let facts = &outcome.facts;
        let source = match (&facts.upstream, &facts.why) {
            (Some(upstream), _) => format!("published as {upstream}"),
            (None, Some(why)) => format!("a trap, since {why}"),
            (None, None) => String::new(),
        };
        let _ = writeln!(text, "- `{}`: {}; {source}", outcome.case, facts.step);
    }
    text.push_str(
        "\nMade by `cargo run --release -p highwater-tests --bin known-leaks -- \
         --markdown docs/known-leaks.md`.\n",
    );
    text
}

/// Recall, false alarms and run time in a line or two.
fn sums(outcomes: &[Outcome]) -> String {
    let of = |kinds: &[Kind]| {
        let some = outcomes
            .iter()
            .filter(|outcome| kinds.contains(&outcome.kind));
        some.collect::<Vec<_>>()
    };
    let (leaky, sound) = (of(&[Kind::Leaky]), of(&[Kind::Fixed, Kind::Trap]));
    let growing = |outcomes: &[&Outcome]| {
        let is_growing = |outcome: &&&Outcome| outcome.report.verdict == "growing";
        outcomes.iter().filter(is_growing).count()
    };
    let open = outcomes
        .iter()
        .filter(|outcome| outcome.report.verdict == "inconclusive")
        .count();
    let naive = sound
        .iter()
        .filter(|outcome| outcome.report.growth_bytes > 0)
        .count();
    let named = leaky.iter().filter(|outcome| outcome.is_named()).count();
    let time: Duration = outcomes.iter().map(|outcome| outcome.time).sum();
    format!(
        "recall {} of {} leaks, {named} of them with the crate or its caller named, false alarms {} in {} sound releases and traps, {open} left open; \
         run time {:.1} s\n\"more at the end than at the start\" would give {naive} false alarms",
        growing(&leaky),
        leaky.len(),
        growing(&sound),
        sound.len(),
        time.as_secs_f64(),
    )
}
