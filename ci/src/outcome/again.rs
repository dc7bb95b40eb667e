//! The result of a scenario that was measured several times.
//!
//! A scenario that changed is measured twice more, and the base with it. If all runs of
//! one code agree, the change comes from the code. If they do not, the scenario varies, as
//! long as what was found before lies within their differences. If it does not, the scenario is
//! unsteady. A regression is then reported only if it is there between any two runs, and is
//! larger than the differences between runs of the same code.

use super::chance::Runs;
use super::subject::Subject;
use super::{Against, Comparison, Reports, Status};
use crate::baseline::Baseline;
use crate::compare::{Change, Rule, Value, changes};
use crate::config::{Entry, Tolerance};
use crate::kind::Kind;
use highwater::__private::Thousands;
use highwater_reports::figure::{Figure, Unit};
use highwater_reports::report::Report;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

/// What measuring again found.
#[derive(Clone, Debug, Default)]
pub struct Again {
    /// The further runs of the revision that is judged, with the reports of what changed.
    pub reports: Vec<Reports>,
    /// Those of the base.
    pub base: Vec<Reports>,
    /// What was to be measured again and could not, and why.
    pub not_again: BTreeMap<PathBuf, String>,
}

impl Again {
    /// The further reports of the scenario whose baseline has this file name.
    pub fn of(&self, name: &Path) -> Vec<&Report> {
        let reports = self.reports.iter();
        reports.filter_map(|reports| reports.get(name)).collect()
    }
}

/// A figure that differs from run to run of the same code, with its least and its most.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Range {
    /// Which one.
    pub figure: Figure,
    /// What it is counted in.
    pub unit: Unit,
    /// In the runs of the base, or in the baseline; null if there is neither.
    pub before: Option<[i64; 2]>,
    /// In the runs of what is judged.
    pub after: [i64; 2],
}

impl Range {
    /// The figure's name.
    pub fn name(&self) -> &'static str {
        self.figure.name()
    }

    /// What it was, with its unit; empty if that is not known.
    pub fn before(&self) -> String {
        self.before
            .map(|range| self.text(range))
            .unwrap_or_default()
    }

    /// What it is, with its unit.
    pub fn after(&self) -> String {
        self.text(self.after)
    }

    fn text(&self, [least, most]: [i64; 2]) -> String {
        let figure = self.figure;
        if least == most {
            return figure.display(least).to_string();
        }
        format!("{} to {}", Thousands(least), figure.display(most))
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.name())?;
        if self.before.is_some() {
            write!(f, "{} before, ", self.before())?;
        }
        write!(f, "{} now", self.after())
    }
}

impl<'a> Subject<'a> {
    /// Corrects what was found by the first run with what the others found.
    pub(super) fn judge_again(
        &self,
        entry: Option<&Entry>,
        blocks: &BTreeSet<Kind>,
        comparison: &mut Comparison,
    ) {
        let tolerance = entry.and_then(|entry| entry.tolerance.as_ref());
        let Some(head) = self.head.filter(|_| !self.head_again.is_empty()) else {
            return;
        };
        let heads: Vec<_> = [head].into_iter().chain(self.head_again.clone()).collect();
        let bases: Vec<_> = self
            .base
            .into_iter()
            .chain(self.base_again.clone())
            .collect();
        let of_head = |report| Self {
            head: Some(report),
            ..self.clone()
        };
        let failures: Vec<_> = heads
            .iter()
            .map(|report| of_head(*report).promises(entry, blocks).0)
            .collect();
        let failing = failures
            .iter()
            .filter(|failures| !failures.is_empty())
            .count();
        // `bless` measured it again, and recorded by how much it varies.
        if failing == 0 && comparison.status == Status::Same {
            return;
        }
        let in_heads = differences(&heads, tolerance);
        let in_bases = differences(&bases, tolerance);
        let what_differs: BTreeSet<_> = in_heads.union(&in_bases).copied().collect();
        let fails_at_times = (1..heads.len()).contains(&failing);
        if what_differs.is_empty() && !fails_at_times {
            return;
        }
        comparison.ranges = self.ranges(&what_differs, &heads, &bases);
        let runs = heads.len().max(bases.len());
        if failing == 0 && self.could_be_chance(comparison, &heads, &bases, tolerance) {
            return comparison.only_varies(runs, self.baseline.is_some());
        }
        comparison.notes.push(format!(
            "unsteady: {runs} runs of the same code differ{}",
            words(&what_differs, &heads, &bases)
        ));
        if failing == heads.len() {
            return;
        }
        // What is better can't be recorded as long as it is not the same each time.
        let could_be = in_heads.is_empty() || comparison.status == Status::Regression;
        let is_certain =
            failing == 0 && could_be && self.is_certain(&heads, &bases, tolerance, blocks);
        if !is_certain {
            comparison.status = Status::Unsteady;
            comparison.changes = Vec::new();
        }
        for (run, failures) in (1..).zip(failures) {
            let said = failures
                .into_iter()
                .map(|failure| format!("run {run} of {}: {failure}", heads.len()));
            comparison.notes.extend(said);
        }
        comparison.failures = Vec::new();
    }

    /// Whether any two runs compare in the same way, and what is only recorded is further
    /// away than the runs are from each other.
    fn is_certain(
        &self,
        heads: &[&'a Report],
        bases: &[&'a Report],
        tolerance: Option<&Tolerance>,
        blocks: &BTreeSet<Kind>,
    ) -> bool {
        let bases: Vec<_> = match bases {
            [] => vec![None],
            bases => bases.iter().copied().map(Some).collect(),
        };
        let pairs = heads.iter().flat_map(|head| {
            let of_pair = |base: &Option<_>| Self {
                head: Some(head),
                base: *base,
                ..self.clone()
            };
            let pairs: Vec<_> = bases.iter().map(of_pair).collect();
            pairs
        });
        let held: Vec<_> = pairs.map(|pair| pair.held(tolerance, blocks)).collect();
        let Some(first) = held.first() else {
            return false;
        };
        let is_like_first = |held: &super::subject::Held| {
            (held.status, held.against) == (first.status, first.against)
        };
        let is_far = |change: &Change| {
            let of_all: Option<Vec<_>> = held
                .iter()
                .map(|held| held.changes.iter().find(|other| other.what == change.what))
                .collect();
            of_all.is_some_and(|all| {
                all.iter().all(|other| other.effect == change.effect)
                    && (first.against == Against::Base || is_further_than_apart(&all))
            })
        };
        let tells = |change: &&Change| first.status != Status::Regression || change.blocks;
        held.iter().all(is_like_first) && first.changes.iter().filter(tells).any(is_far)
    }

    /// Whether what changed is no more than runs of the same code differ by.
    fn could_be_chance(
        &self,
        found: &Comparison,
        heads: &[&Report],
        bases: &[&Report],
        tolerance: Option<&Tolerance>,
    ) -> bool {
        let is_measured = |change: &Change| change.what != Kind::Ceiling;
        let before = [Runs::of(bases), self.baseline.map(Runs::recorded)];
        let mut before = before.iter().flatten().peekable();
        let is_known = before.peek().is_some() && found.changes.iter().all(is_measured);
        let head = Runs::of(heads).filter(|_| is_known);
        head.is_some_and(|head| before.all(|before| head.could_be(before, tolerance)))
    }

    fn ranges(&self, what: &BTreeSet<Kind>, heads: &[&Report], bases: &[&Report]) -> Vec<Range> {
        let range = |kind: &Kind| {
            let Kind::Figure(figure) = *kind else {
                return None;
            };
            let of = |reports: &[&Report]| {
                let values = || reports.iter().filter_map(|report| figure.of(report));
                Some([values().min()?, values().max()?])
            };
            let of_baseline = || self.baseline?.range(figure);
            Some(Range {
                figure,
                unit: figure.unit(),
                before: of(bases).or_else(of_baseline),
                after: of(heads)?,
            })
        };
        what.iter().filter_map(range).collect()
    }
}

impl Comparison {
    /// Runs of the same code differ by as much as it changed.
    fn only_varies(&mut self, runs: usize, has_baseline: bool) {
        self.status = Status::Varies;
        // Without a baseline there is still one to record.
        self.recorded = self.recorded.map(|_| has_baseline);
        // What changed, and where, says nothing then.
        self.changes = Vec::new();
        self.sites = Vec::new();
        self.notes.push(format!(
            "varies: {runs} runs of the same code differ; a smaller change does not show"
        ));
    }
}

/// What differs between any two of the reports.
fn differences(reports: &[&Report], tolerance: Option<&Tolerance>) -> BTreeSet<Kind> {
    let rule = Rule {
        tolerance,
        blocks: None,
    };
    let found: Vec<_> = reports.iter().map(|report| Baseline::of(report)).collect();
    let pairs = found.iter().enumerate().flat_map(|(index, one)| {
        let others = found[index + 1..].iter();
        others.flat_map(|other| changes(one, other, &rule))
    });
    pairs.map(|change| change.what).collect()
}

/// Whether the least that a figure changed by is more than the runs differ by. A word
/// that is another one in all runs is.
fn is_further_than_apart(changes: &[&Change]) -> bool {
    let number = |value: &Value| match value {
        Value::Number(number) => Some(i128::from(*number)),
        Value::Word(_) => None,
    };
    let pairs = changes
        .iter()
        .map(|change| Some((number(&change.before)?, number(&change.after)?)));
    let Some(pairs) = pairs.collect::<Option<Vec<_>>>() else {
        return true;
    };
    let distances = pairs.iter().map(|(before, after)| (after - before).abs());
    let after = || pairs.iter().map(|(_, after)| *after);
    let apart = after()
        .max()
        .zip(after().min())
        .map(|(most, least)| most - least);
    distances.min() > apart
}

/// The verdicts or laws of the runs, if they are among what differs.
fn words(what: &BTreeSet<Kind>, heads: &[&Report], bases: &[&Report]) -> String {
    let is_word = |kind: &Kind| !matches!(kind, Kind::Figure(_));
    if !what.iter().any(is_word) {
        return String::new();
    }
    let told = |reports: &[&Report]| {
        let words = reports.iter().map(|report| {
            let law = report.law.as_deref();
            let law = law.map(|law| format!(" ({law})")).unwrap_or_default();
            format!("{}{law}", report.verdict.word())
        });
        words.collect::<Vec<_>>().join(", ")
    };
    if bases.len() > 1 {
        format!(": {} before, {} now", told(bases), told(heads))
    } else {
        format!(": {}", told(heads))
    }
}

#[cfg(test)]
mod tests;
