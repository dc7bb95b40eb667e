//! One scenario among the evidence, and what it is held to.

use super::{Against, Comparison, Evidence, Reports, Status};
use crate::baseline::Baseline;
use crate::compare::{Change, Effect, Rule, changes};
use crate::config::{Entry, Tolerance};
use crate::kind::Kind;
use crate::sites;
use highwater_reports::figure::Figure;
use highwater_reports::report::Report;
use std::collections::BTreeSet;
use std::path::Path;

/// One scenario among the evidence.
#[derive(Clone)]
pub(super) struct Subject<'a> {
    pub(super) head: Option<&'a Report>,
    pub(super) base: Option<&'a Report>,
    pub(super) baseline: Option<&'a Baseline>,
    pub(super) evidence: &'a Evidence,
    /// What measuring again found of it, and of the base.
    pub(super) head_again: Vec<&'a Report>,
    pub(super) base_again: Vec<&'a Report>,
    /// Why it was not measured again, if it was to be.
    pub(super) not_again: Option<&'a str>,
}

/// What it is held to, and how it compares with that.
pub(super) struct Held {
    pub(super) against: Against,
    pub(super) status: Status,
    pub(super) changes: Vec<Change>,
    pub(super) recorded: Option<bool>,
}

impl<'a> Subject<'a> {
    pub(super) fn at(path: &Path, evidence: &'a Evidence) -> Self {
        let base = evidence.base.as_ref();
        let again = &evidence.again;
        let of = |runs: &'a [Reports]| {
            let runs = runs.iter().filter_map(|reports| reports.get(path));
            runs.collect()
        };
        Self {
            head: evidence.reports.get(path),
            base: base.and_then(|(_, reports)| reports.get(path)),
            baseline: evidence.baselines.as_ref().and_then(|all| all.get(path)),
            evidence,
            head_again: of(&again.reports),
            base_again: of(&again.base),
            not_again: again.not_again.get(path).map(String::as_str),
        }
    }

    pub(super) fn name(&self) -> String {
        let report = self.head.or(self.base);
        let recorded = || self.baseline.map(|known| known.scenario.clone());
        report
            .map(Report::full_name)
            .or_else(recorded)
            .unwrap_or_default()
    }

    /// How it compares with the base and with its baseline, measured once.
    pub(super) fn held(&self, tolerance: Option<&Tolerance>, blocks: &BTreeSet<Kind>) -> Held {
        let head = self.head.map(Baseline::of);
        let base = self.base.map(Baseline::of);
        let by_base = self.evidence.base.as_ref().map(|_| {
            let blocks = Some(blocks);
            compared(base.as_ref(), head.as_ref(), &Rule { tolerance, blocks })
        });
        let by_baseline = self.evidence.baselines.as_ref().map(|_| {
            let blocks = None;
            compared(self.baseline, head.as_ref(), &Rule { tolerance, blocks })
        });
        let recorded = by_baseline
            .as_ref()
            .map(|(status, _)| *status == Status::Same);
        let (against, (status, changes)) = combined(by_base, by_baseline);
        Held {
            against,
            status,
            changes,
            recorded,
        }
    }

    pub(super) fn judge(&self, entry: Option<&Entry>, blocks: &BTreeSet<Kind>) -> Comparison {
        let tolerance = entry.and_then(|entry| entry.tolerance.as_ref());
        let found = self.held(tolerance, blocks);
        let (failures, mut notes) = self.promises(entry, blocks);
        match (found.status, self.head) {
            (Status::New, Some(head)) => notes.push(in_short(&Baseline::of(head))),
            (Status::Gone, _) => notes.push("there is no report of it any more".to_owned()),
            _ => {}
        }
        if let Some(tolerance) = tolerance {
            notes.push(format!("tolerance: {}", tolerance.reason.as_str()));
        }
        notes.extend(self.head.iter().flat_map(|report| report.accepted_texts()));
        if let Some(reason) = self.not_again {
            notes.push(format!("it could not be measured again: {reason}"));
        }
        let curve = |report: Option<&Report>| {
            let points = report.iter().flat_map(|report| &report.curve);
            points.map(|point| point.live_bytes).collect()
        };
        let rose = |figure| {
            let kind = Kind::Figure(figure);
            let mut changes = found.changes.iter();
            changes.any(|change| change.what == kind && change.effect == Effect::Worse)
        };
        let is_of_the_peak = rose(Figure::Peak) && !rose(Figure::Live);
        let mut comparison = Comparison {
            scenario: self.name(),
            status: if failures.is_empty() {
                found.status
            } else {
                Status::Failed
            },
            against: found.against,
            recorded: found.recorded,
            changes: found.changes,
            runs: self.head.iter().chain(&self.head_again).count() as u64,
            ranges: Vec::new(),
            sites: sites::changes(
                diagnosed(self.base, &self.base_again),
                diagnosed(self.head, &self.head_again),
                is_of_the_peak,
            ),
            failures,
            notes,
            location: self.head.and_then(|report| report.location.clone()),
            leak: None,
            curve_before: curve(self.base),
            curve: curve(self.head),
        };
        self.judge_again(entry, blocks, &mut comparison);
        let leaking = diagnosed(self.head, &self.head_again);
        let leaking = leaking.filter(|_| comparison.status.blocks());
        comparison.leak = leaking.and_then(|report| sites::leak(report, &self.evidence.root));
        comparison
    }

    /// What was promised and not held, and what there is to say of it.
    pub(super) fn promises(
        &self,
        entry: Option<&Entry>,
        blocks: &BTreeSet<Kind>,
    ) -> (Vec<String>, Vec<String>) {
        let Some(report) = self.head else {
            return Default::default();
        };
        let expected = entry.and_then(|entry| entry.expect_failure.as_ref());
        match (expected, report.is_failure()) {
            (Some(reason), true) => {
                let note = format!("fails, as expected: {}", reason.as_str());
                (Vec::new(), vec![note])
            }
            (Some(reason), false) => {
                let failure = format!("did not fail, and must: {}", reason.as_str());
                (vec![failure], Vec::new())
            }
            (None, true) if fails_by_what_blocks(report, blocks) => {
                (report.failures.clone(), Vec::new())
            }
            (None, true) => (Vec::new(), report.failures.clone()),
            (None, false) => Default::default(),
        }
    }
}

/// The first of these reports that has call stacks.
fn diagnosed<'a>(first: Option<&'a Report>, again: &[&'a Report]) -> Option<&'a Report> {
    let mut all = first.into_iter().chain(again.iter().copied());
    all.find(|report| report.diagnosis.is_some())
}

/// What there is to say of a scenario that can't be compared.
fn in_short(found: &Baseline) -> String {
    let figure = |figure: Figure| {
        let value = *found.figures.get(&figure)?;
        Some(format!("{} {}", figure.name(), figure.display(value)))
    };
    let is_shown = |figure: &Figure| figure.can_have_a_ceiling() && !figure.is_of_steps();
    let figures = Figure::all().filter(is_shown);
    let figures: Vec<_> = figures.filter_map(figure).collect();
    format!("{}, {}", figures.join(", "), found.verdict)
}

/// Whether one of the failures is of a kind that blocks. What is neither growing
/// nor above a ceiling, as a damaged heap, always is.
fn fails_by_what_blocks(report: &Report, blocks: &BTreeSet<Kind>) -> bool {
    let grows = usize::from(report.fails_for_growth());
    let breaches = report.breaches.len();
    let others = report.failures.len() > grows + breaches;
    others
        || (grows > 0 && blocks.contains(&Kind::Growing))
        || (breaches > 0 && blocks.contains(&Kind::Ceiling))
}

type Compared = (Status, Vec<Change>);

fn compared(before: Option<&Baseline>, after: Option<&Baseline>, rule: &Rule<'_>) -> Compared {
    match (before, after) {
        (Some(before), Some(after)) => {
            let changes = changes(before, after, rule);
            (status(&changes), changes)
        }
        (None, Some(_)) => (Status::New, Vec::new()),
        (Some(_), None) => (Status::Gone, Vec::new()),
        (None, None) => (Status::Same, Vec::new()),
    }
}

fn status(changes: &[Change]) -> Status {
    let has = |effect| changes.iter().any(|change| change.effect == effect);
    if changes.iter().any(|change| change.blocks) {
        Status::Regression
    } else if has(Effect::Worse) || has(Effect::Different) {
        Status::Changed
    } else if has(Effect::Better) {
        Status::Improvement
    } else {
        Status::Same
    }
}

/// What counts of the two comparisons. The base comes first, for it was measured
/// on the same machine; the baseline, where the base has nothing to say.
fn combined(base: Option<Compared>, baseline: Option<Compared>) -> (Against, Compared) {
    let Some((status, changes)) = base else {
        return (
            Against::Baseline,
            baseline.unwrap_or((Status::New, Vec::new())),
        );
    };
    match baseline {
        Some((Status::Same, _)) if status == Status::Regression => {
            (Against::Base, (Status::Accepted, changes))
        }
        Some((recorded, others)) if recorded > status || changes.is_empty() => {
            (Against::Baseline, (status.max(recorded), others))
        }
        Some((recorded, _)) => (Against::Base, (status.max(recorded), changes)),
        None => (Against::Base, (status, changes)),
    }
}
