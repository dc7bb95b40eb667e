//! What is known of the call sites between two steps, for a range that is drawn over the curve.
//!
//! The graph of such a range is not drawn here: there are more ranges than anyone looks at. The
//! page has each site's live bytes at the steps that a range can begin and end at, and its script
//! draws the graph from them.

use crate::report::{Diagnosis, Report, Site};

/// Of how many sites the series are on the page, those that change most.
const DRAWN: usize = 200;

/// The steps that a range can begin and end at, and what was live then.
pub(super) struct Brush<'a> {
    pub(super) steps: &'a [u64],
    /// Of the whole run, at sites or not.
    pub(super) bytes: &'a [u64],
    /// The sites that are drawn, and by how much each goes up and down at most.
    pub(super) sites: Vec<(&'a Site, i128)>,
    /// How many others change, and the sum of what was live of them.
    pub(super) others: (usize, Vec<i128>),
    /// Which of the steps is the last of the requested ones.
    pub(super) end: usize,
}

impl<'a> Brush<'a> {
    /// None if sites are known at the end alone, as in reports of older libraries, or if nothing
    /// changes.
    pub(super) fn of(diagnosis: &'a Diagnosis) -> Option<Self> {
        let steps = diagnosis.series_steps.as_slice();
        let is_ascending = steps.is_sorted_by(|before, after| before < after);
        if steps.len() < 2 || !is_ascending || diagnosis.series_bytes.len() != steps.len() {
            return None;
        }
        let is_known = |site: &&Site| site.series_bytes.len() == steps.len();
        let known = diagnosis.sites.iter().filter(is_known);
        let mut sites: Vec<_> = known.map(|site| (site, swing(site))).collect();
        sites.retain(|(_, swing)| *swing > 0);
        // What swings alike stays in the order of the report.
        sites.sort_by_key(|(_, swing)| std::cmp::Reverse(*swing));
        let mut others = sites.split_off(sites.len().min(DRAWN));
        let mut sum = vec![0; steps.len()];
        // What has no call stack is not among call stacks that are not drawn.
        others.retain(|(site, _)| !site.frames.is_empty());
        for (site, _) in &others {
            for (sum, bytes) in sum.iter_mut().zip(&site.series_bytes) {
                *sum += i128::from(*bytes);
            }
        }
        let is_requested = |step: &&u64| **step <= diagnosis.last_step;
        let requested = steps.iter().filter(is_requested).count();
        (!sites.is_empty()).then_some(Self {
            steps,
            bytes: &diagnosis.series_bytes,
            sites,
            others: (others.len(), sum),
            end: requested.saturating_sub(1).max(1),
        })
    }

    /// Whether live bytes changed as on this report's curve, as far as it has the same steps.
    pub(super) fn is_as_on_the_curve(&self, report: &Report) -> bool {
        let known = self.steps.iter().zip(self.bytes);
        let mut both = known.filter_map(|(step, bytes)| {
            let point = report.curve.iter().find(|at| at.step == *step)?;
            Some(i128::from(point.live_bytes) - i128::from(*bytes))
        });
        let first = both.next();
        both.all(|difference| Some(difference) == first)
    }
}

fn swing(site: &Site) -> i128 {
    let bytes = || site.series_bytes.iter().copied().map(i128::from);
    bytes().max().unwrap_or(0) - bytes().min().unwrap_or(0)
}

/// As the script reads it.
pub(super) fn list<T: ToString>(figures: &[T]) -> String {
    let figures: Vec<_> = figures.iter().map(T::to_string).collect();
    format!("[{}]", figures.join(","))
}
