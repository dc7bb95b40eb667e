//! What changed between a baseline and a report.

use crate::baseline::{Baseline, figures};
use crate::table::Thousands;
use std::fmt;

/// What became of a scenario, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Nothing changed.
    Same,
    /// It has no baseline yet.
    New,
    /// It has a baseline, and no report.
    Gone,
    /// It runs other steps, so its figures can't be compared.
    Changed,
    /// Something became less and nothing more: to be recorded, so that it stays.
    Improvement,
    /// Something became more, or the verdict worse.
    Regression,
}

impl Status {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::New => "new",
            Self::Gone => "gone",
            Self::Changed => "changed",
            Self::Improvement => "improvement",
            Self::Regression => "regression",
        }
    }
}

/// A scenario beside its baseline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// The scenario, with its variant in brackets.
    pub scenario: String,
    /// What became of it.
    pub status: Status,
    /// What changed, a line each.
    pub changes: Vec<String>,
}

/// A number with its sign.
struct Difference(i64);

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 > 0 { "+" } else { "" };
        write!(f, "{sign}{}", Thousands(self.0.into()))
    }
}

impl Comparison {
    /// Compares what is known of a scenario with what was found; at least one of
    /// them is there.
    pub fn of(baseline: Option<&Baseline>, found: Option<&Baseline>) -> Self {
        let scenario = |known: &Baseline| known.scenario.clone();
        let alone = |known: &Baseline, status| Self {
            scenario: scenario(known),
            status,
            changes: Vec::new(),
        };
        match (baseline, found) {
            (Some(baseline), Some(found)) => Self::of_both(baseline, found),
            (None, Some(found)) => alone(found, Status::New),
            (Some(baseline), None) => alone(baseline, Status::Gone),
            (None, None) => Self {
                scenario: String::new(),
                status: Status::Same,
                changes: Vec::new(),
            },
        }
    }

    fn of_both(baseline: &Baseline, found: &Baseline) -> Self {
        let mut status = Status::Same;
        let mut changes = Vec::new();
        let figure = |of: &Baseline, name| of.figures.get(name).copied().unwrap_or(0);
        // Two peaks are the same if their ranges meet.
        let bound = figure(baseline, "peak bound").max(figure(found, "peak bound"));
        for (name, is_bytes) in figures().filter(|(name, _)| *name != "peak bound") {
            let (before, now) = (figure(baseline, name), figure(found, name));
            let difference = now - before;
            let tolerance = if name == "peak" { bound } else { 0 };
            if difference.abs() <= tolerance {
                continue;
            }
            let unit = if is_bytes { " B" } else { "" };
            changes.push(format!(
                "{name} {}{unit} → {}{unit} ({}{unit})",
                Thousands(before.into()),
                Thousands(now.into()),
                Difference(difference),
            ));
            status = status.max(match (name, difference > 0) {
                ("steps", _) => Status::Changed,
                (_, true) => Status::Regression,
                (_, false) => Status::Improvement,
            });
        }
        if baseline.verdict != found.verdict {
            changes.push(format!("verdict {} → {}", baseline.verdict, found.verdict));
            status = status.max(if found.verdict == "bounded" {
                Status::Improvement
            } else {
                Status::Regression
            });
        } else if baseline.law != found.law {
            let word = |law: &Option<String>| law.clone().unwrap_or_else(|| "none".to_owned());
            changes.push(format!(
                "law {} → {}",
                word(&baseline.law),
                word(&found.law)
            ));
            status = status.max(Status::Changed);
        }
        if figure(baseline, "steps") != figure(found, "steps") {
            status = Status::Changed;
        }
        Self {
            scenario: found.scenario.clone(),
            status,
            changes,
        }
    }
}

/// Lines for a terminal: what changed, and how many did not.
pub fn render(comparisons: &[Comparison]) -> String {
    let mut text = String::new();
    let changed = changed(comparisons);
    for comparison in &changed {
        text.push_str(&format!(
            "{:<11}  {}\n",
            comparison.status.word(),
            comparison.scenario
        ));
        for change in &comparison.changes {
            text.push_str(&format!("             {change}\n"));
        }
    }
    if !changed.is_empty() {
        text.push('\n');
    }
    text + &counts(comparisons) + "\n"
}

/// The same for a comment on a pull request: a line that says it all, a table of
/// what changed, and the names of the rest, folded.
pub fn markdown(comparisons: &[Comparison]) -> String {
    let mut text = format!("**Memory**: {}\n", counts(comparisons));
    let changed = changed(comparisons);
    if !changed.is_empty() {
        text.push_str("\n| scenario | | what changed |\n|---|---|---|\n");
    }
    for comparison in changed {
        let lines = comparison.changes.join("<br>");
        let (scenario, word) = (in_table(&comparison.scenario), comparison.status.word());
        text.push_str(&format!("| {scenario} | {word} | {lines} |\n"));
    }
    let same = comparisons.iter().filter(|c| c.status == Status::Same);
    let names: Vec<_> = same.map(|c| in_table(&c.scenario)).collect();
    if !names.is_empty() {
        let summary = format!(
            "<details><summary>{} without a change</summary>",
            names.len()
        );
        text.push_str(&format!(
            "\n{summary}\n\n{}\n\n</details>\n",
            names.join(", ")
        ));
    }
    text
}

/// A name between backticks that ends no cell and no code.
fn in_table(name: &str) -> String {
    let safe: String = name
        .chars()
        .map(|c| if c == '`' || c.is_control() { ' ' } else { c })
        .collect();
    format!("`{}`", safe.replace('|', "\\|"))
}

/// What is not the same, the worst first.
fn changed(comparisons: &[Comparison]) -> Vec<&Comparison> {
    let is_changed = |comparison: &&Comparison| comparison.status != Status::Same;
    let mut changed: Vec<_> = comparisons.iter().filter(is_changed).collect();
    changed.sort_by(|a, b| {
        let by_status = b.status.cmp(&a.status);
        by_status.then_with(|| a.scenario.cmp(&b.scenario))
    });
    changed
}

/// How many there are of each, the worst first.
fn counts(comparisons: &[Comparison]) -> String {
    const STATUSES: [Status; 6] = [
        Status::Regression,
        Status::Improvement,
        Status::Changed,
        Status::New,
        Status::Gone,
        Status::Same,
    ];
    let count = |status| comparisons.iter().filter(|c| c.status == status).count();
    let counts = STATUSES.map(|status| (count(status), status));
    let shown = counts
        .iter()
        .filter(|(count, status)| *count > 0 || *status == Status::Same);
    let texts: Vec<_> = shown
        .map(|(count, status)| format!("{count} {}", status.word()))
        .collect();
    texts.join(", ")
}

#[cfg(test)]
mod tests;
