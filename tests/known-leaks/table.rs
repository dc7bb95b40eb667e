//! The outcomes as a table, for a terminal or for a document.

use crate::case::{Diagnosis, Kind, Outcome};
use comfy_table::{CellAlignment, Table, TableStyle, presets};
use std::fmt::Write as _;
use std::time::Duration;

const COLUMNS: [(&str, CellAlignment); 11] = [
    ("case", CellAlignment::Left),
    ("crate", CellAlignment::Left),
    ("release", CellAlignment::Left),
    ("", CellAlignment::Left),
    ("verdict", CellAlignment::Left),
    ("B a step", CellAlignment::Right),
    ("blocks a step", CellAlignment::Right),
    ("would have shown", CellAlignment::Right),
    ("steps", CellAlignment::Right),
    ("s", CellAlignment::Right),
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
        // Once in so many steps, a block would have shown.
        let limit = report.detectable_blocks_per_step.map(|rate| match rate {
            rate if rate < 1.0 => format!("1 in {:.0} steps", (1.0 / rate).floor()),
            rate => format!("{rate:.1} a step"),
        });
        table.add_row([
            outcome.case.clone(),
            outcome.facts.crate_name.clone(),
            outcome.version.clone(),
            outcome.kind.name().to_owned(),
            format!("{}{mark}", report.verdict),
            rate(report.floor_bytes_per_step),
            rate(report.floor_blocks_per_step),
            limit.unwrap_or_default(),
            report.extended_steps.to_string(),
            format!("{:.2}", outcome.time.as_secs_f64()),
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
pub(crate) fn text(outcomes: &[Outcome], took: Duration) -> String {
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
    let _ = writeln!(text, "{}", sums(outcomes, took));
    text
}

pub(crate) fn markdown(outcomes: &[Outcome], took: Duration) -> String {
    let mut text = String::from(HEAD);
    let _ = writeln!(text, "{}\n", table(outcomes, presets::ASCII_MARKDOWN));
    let _ = writeln!(text, "{}\n", sums(outcomes, took));
    text.push_str("What each case is:\n\n");
    for outcome in outcomes
        .iter()
        .filter(|outcome| outcome.kind != Kind::Fixed)
    {
        let facts = &outcome.facts;
        let source = match (&facts.upstream, &facts.why) {
            (Some(upstream), _) => format!("published as {upstream}"),
            (None, Some(why)) => format!("a decoy, since {why}"),
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

/// What the page begins with.
const HEAD: &str = "# Known leaks, and their verdicts\n\nEach case is a published leak of a real \
                    crate beside its fixed release, or a [decoy](glossary.md#decoy). The table \
                    has the [verdict](glossary.md#verdict) on each.\n\n";

/// The exact bounds on a share, of which `seen` of `all` were seen, that are right in 95 % of
/// cases, one at a time: the least and the most that it may be (C. J. Clopper and
/// E. S. Pearson, The use of confidence or fiducial limits, 1934).
fn bounds(seen: usize, all: usize) -> (f64, f64) {
    // The chance of so many or more, where each comes with this chance.
    let at_least = |count: usize, chance: f64| {
        let mut exactly = (1.0 - chance).powi(i32::try_from(all).unwrap_or(i32::MAX));
        let mut fewer = 0.0;
        for n in 0..count {
            fewer += exactly;
            exactly *= (all - n) as f64 / (n + 1) as f64 * chance / (1.0 - chance);
        }
        1.0 - fewer
    };
    let solve = |is_above: &dyn Fn(f64) -> bool| {
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..60 {
            let middle = f64::midpoint(low, high);
            if is_above(middle) {
                high = middle;
            } else {
                low = middle;
            }
        }
        f64::midpoint(low, high)
    };
    let least = if seen == 0 {
        0.0
    } else {
        solve(&|chance| at_least(seen, chance) >= 0.05)
    };
    let most = if seen == all {
        1.0
    } else {
        solve(&|chance| 1.0 - at_least(seen + 1, chance) <= 0.05)
    };
    (least, most)
}

/// Recall, false alarms and run time in a few lines: `took` is how long they took side by side.
fn sums(outcomes: &[Outcome], took: Duration) -> String {
    let of = |kinds: &[Kind]| {
        let some = outcomes
            .iter()
            .filter(|outcome| kinds.contains(&outcome.kind));
        some.collect::<Vec<_>>()
    };
    let (leaky, sound) = (of(&[Kind::Leaky]), of(&[Kind::Fixed, Kind::Decoy]));
    let with = |outcomes: &[&Outcome], verdict: &str| {
        let verdicts = outcomes.iter().filter(|o| o.report.verdict == verdict);
        verdicts.count()
    };
    let (found, alarms) = (with(&leaky, "growing"), with(&sound, "growing"));
    let open = with(&leaky, "inconclusive") + with(&sound, "inconclusive");
    let naive = sound
        .iter()
        .filter(|outcome| outcome.report.growth_bytes > 0)
        .count();
    let named = leaky.iter().filter(|outcome| outcome.is_named()).count();
    let time: Duration = outcomes.iter().map(|outcome| outcome.time).sum();
    format!(
        "found {found} of {} leaks: with 95 % confidence at least {:.0} %; {named} of them with \
         the crate or its caller named\n\
         called {alarms} of {} sound releases and decoys growing: with 95 % confidence at most \
         {:.1} %; \"more at the end than at the start\" would call {naive} so\n\
         {open} left open; run time {:.1} s, without builds; the drivers took {:.1} s in all",
        leaky.len(),
        (bounds(found, leaky.len()).0 * 100.0).floor(),
        sound.len(),
        (bounds(alarms, sound.len()).1 * 1_000.0).ceil() / 10.0,
        took.as_secs_f64(),
        time.as_secs_f64(),
    )
}

#[cfg(test)]
mod tests {
    use super::bounds;

    #[track_caller]
    fn is_near(a: f64, b: f64) {
        assert!((a - b).abs() < 5e-4, "{a} is not {b}");
    }

    /// Of none or all, the bound is a root of 0.05; the others are from tables.
    #[test]
    fn bounds_are_exact() {
        is_near(bounds(20, 20).0, 0.05_f64.powf(1.0 / 20.0));
        is_near(bounds(0, 32).1, 1.0 - 0.05_f64.powf(1.0 / 32.0));
        is_near(bounds(0, 32).0, 0.0);
        is_near(bounds(9, 10).0, 0.6058);
        is_near(bounds(1, 10).1, 0.3942);
    }
}
