//! Whether two revisions could be the same, by how far the runs of each differ.
//!
//! A figure that differs from run to run has a range. Two ranges that meet, or are no further
//! apart than ranges of such figures are wide, are no evidence of a change.

use crate::baseline::Baseline;
use crate::config::Tolerance;
use highwater_reports::figure::Figure;
use highwater_reports::report::Report;
use std::collections::BTreeSet;

/// What the runs of one revision found.
pub(super) struct Runs {
    found: Baseline,
    verdicts: BTreeSet<String>,
    laws: BTreeSet<Option<String>>,
}

impl Runs {
    /// None if it was not run.
    pub(super) fn of(reports: &[&Report]) -> Option<Self> {
        let (first, others) = reports.split_first()?;
        let verdicts = reports
            .iter()
            .map(|report| report.verdict.word().to_owned());
        Some(Self {
            found: Baseline::of_runs(first, others),
            verdicts: verdicts.collect(),
            laws: reports.iter().map(|report| report.law.clone()).collect(),
        })
    }

    pub(super) fn recorded(known: &Baseline) -> Self {
        Self {
            found: known.clone(),
            verdicts: BTreeSet::from([known.verdict.clone()]),
            laws: BTreeSet::from([known.law.clone()]),
        }
    }

    /// Whether it could be the same code as the `other`: their verdicts are all the same, a law
    /// was found in both, and no figure is further apart than it varies.
    pub(super) fn could_be(&self, other: &Self, tolerance: Option<&Tolerance>) -> bool {
        let mut verdicts = self.verdicts.union(&other.verdicts);
        let mut figures = Figure::all().filter(|figure| !figure.is_bound());
        verdicts.nth(1).is_none()
            && !self.laws.is_disjoint(&other.laws)
            && figures.all(|figure| self.is_near(other, figure, tolerance))
    }

    fn is_near(&self, other: &Self, figure: Figure, tolerance: Option<&Tolerance>) -> bool {
        let ranges = [self, other].map(|runs| runs.found.range(figure));
        let [Some([least, most]), Some([low, high])] = ranges else {
            // It could be the same where neither has it.
            return ranges == [None; 2];
        };
        let apart =
            u64::try_from(low.saturating_sub(most).max(least.saturating_sub(high))).unwrap_or(0);
        let wide = self.found.spread(figure).max(other.found.spread(figure));
        let tolerated = tolerance.map_or(0, |tolerance| tolerance.of(figure));
        // What is known only up to a bound may lie as much higher.
        let bound = |runs: &Self| {
            let range = figure.bound().and_then(|bound| runs.found.range(bound));
            range.map_or(0, |[_, most]| most)
        };
        let known = tolerated.max(bound(self)).max(bound(other));
        apart <= wide.max(known.unsigned_abs())
    }
}
