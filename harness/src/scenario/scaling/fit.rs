//! The law by which a figure grows with the size, and the bytes of a unit, with their bounds.

use crate::text::Thousands;
use crate::verdict::Law;

/// So many sizes that double are needed: three increments, with two ratios between them.
const FEWEST: usize = 4;

/// How far a ratio may be off.
const TOLERANCE: f64 = 0.05;

/// A figure of several runs lies between these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) least: u64,
    pub(super) most: u64,
}

/// A difference or a ratio of such figures.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Range {
    least: f64,
    most: f64,
}

/// Sizes of which each is twice the one before, and the others that are measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chain {
    doubling: Vec<u64>,
    others: Vec<u64>,
}

/// How a figure grows.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Growth {
    /// The slowest and the fastest law that it may have.
    pub(super) laws: (Law, Law),
    /// What a superlinear one is like.
    pub(super) like: Option<String>,
    pub(super) per_unit: f64,
    pub(super) bounds: (f64, f64),
    /// Whether it is far ahead of the line at some sizes, or behind.
    pub(super) is_stepped: bool,
}

impl Span {
    pub(super) fn at(figure: u64) -> Self {
        Self {
            least: figure,
            most: figure,
        }
    }

    pub(super) fn with(self, other: Self) -> Self {
        Self {
            least: self.least.min(other.least),
            most: self.most.max(other.most),
        }
    }

    /// By how much it is above another.
    fn above(self, other: Self) -> Range {
        Range {
            least: self.least as f64 - other.most as f64,
            most: self.most as f64 - other.least as f64,
        }
    }
}

impl Range {
    fn each(self, units: u64) -> Self {
        Self {
            least: self.least / units as f64,
            most: self.most / units as f64,
        }
    }

    fn with(self, other: Self) -> Self {
        Self {
            least: self.least.min(other.least),
            most: self.most.max(other.most),
        }
    }

    /// How many times another, which does not fall.
    fn over(self, other: Self) -> Self {
        let least = if other.most > 0.0 {
            self.least.max(0.0) / other.most
        } else {
            0.0
        };
        let most = if other.least > 0.0 {
            self.most.max(0.0) / other.least
        } else {
            f64::INFINITY
        };
        Self { least, most }
    }
}

impl Chain {
    /// The longest that is in these sizes, and the sizes halfway.
    ///
    /// # Errors
    /// If it is too short.
    pub(super) fn of(sizes: &[u64]) -> Result<Self, String> {
        let mut sizes: Vec<u64> = sizes.iter().copied().filter(|size| *size > 0).collect();
        sizes.sort_unstable();
        sizes.dedup();
        let from = |first: &u64| {
            let doubled = |size: &u64| size.checked_mul(2).filter(|next| sizes.contains(next));
            std::iter::successors(Some(*first), doubled).collect::<Vec<_>>()
        };
        let doubling = sizes.iter().map(from).max_by_key(Vec::len);
        let doubling = doubling.unwrap_or_default();
        if doubling.len() < FEWEST {
            return Err(too_few(&sizes));
        }
        let mut others: Vec<_> = sizes
            .into_iter()
            .filter(|size| !doubling.contains(size))
            .collect();
        for gap in doubling.windows(2) {
            let is_between = |size: &u64| (gap[0] + 1..gap[1]).contains(size);
            let halfway = gap[0] + gap[0] / 2;
            if is_between(&halfway) && !others.iter().any(is_between) {
                others.push(halfway);
            }
        }
        others.sort_unstable();
        Ok(Self { doubling, others })
    }

    /// The smallest and the largest size that is doubled or comes of it.
    fn ends(&self) -> (u64, u64) {
        (self.doubling[0], self.doubling[self.doubling.len() - 1])
    }

    /// All sizes, the smallest first.
    pub(super) fn sizes(&self) -> Vec<u64> {
        let all = self.doubling.iter().chain(&self.others);
        let mut all: Vec<_> = all.copied().collect();
        all.sort_unstable();
        all
    }
}

/// A figure at all sizes of a chain.
struct Curve<'a> {
    chain: &'a Chain,
    figures: &'a [(u64, Span)],
}

impl Curve<'_> {
    fn at(&self, size: u64) -> Span {
        let mut figures = self.figures.iter();
        let found = figures.find(|(known, _)| *known == size);
        found.map_or(Span::at(0), |(_, span)| *span)
    }

    /// What each doubling adds, with the size that was doubled.
    fn gaps(&self) -> Vec<(u64, Range)> {
        let gaps = self.chain.doubling.windows(2);
        gaps.map(|gap| (gap[0], self.at(gap[1]).above(self.at(gap[0]))))
            .collect()
    }

    /// What each unit adds from one size to a larger one.
    fn slope(&self, low: u64, high: u64) -> Range {
        let added = self.at(high).above(self.at(low));
        added.each(high - low)
    }

    /// By how much the figure is off the line between the sizes that double, at most, for each
    /// unit. What doubles at once, somewhere between two sizes, is off twice as much at its
    /// worst as it is halfway: ahead of the line just above the smaller size, where that is most
    /// for each unit, or behind it just below the larger one, where it is half of that.
    fn off_the_line(&self) -> f64 {
        let off = |size: &u64| {
            let doubling = &self.chain.doubling;
            let gap = doubling
                .windows(2)
                .find(|gap| (gap[0]..gap[1]).contains(size))?;
            let part = (size - gap[0]) as f64 / (gap[1] - gap[0]) as f64;
            let line = |low: u64, high: u64| low as f64 + (high as f64 - low as f64) * part;
            let (low, high) = (self.at(gap[0]), self.at(gap[1]));
            let ahead = self.at(*size).most as f64 - line(low.least, high.least);
            let behind = line(low.most, high.most) - self.at(*size).least as f64;
            Some(2.0 * ahead.max(behind).max(0.0) / gap[0] as f64)
        };
        self.chain.others.iter().filter_map(off).fold(0.0, f64::max)
    }

    /// What each unit adds up to the sizes below and above those that double, or from them.
    fn slopes_outside(&self) -> Vec<Range> {
        let (first, last) = self.chain.ends();
        let mut slopes = Vec::new();
        for other in &self.chain.others {
            for known in &self.chain.doubling {
                let (low, high) = (*known.min(other), *known.max(other));
                if (*other < first || *other > last) && high / 2 >= low {
                    slopes.push(self.slope(low, high));
                }
            }
        }
        slopes
    }
}

impl Growth {
    /// Of a figure that is known at all sizes of the chain.
    pub(super) fn of(chain: &Chain, figures: &[(u64, Span)]) -> Self {
        let curve = Curve { chain, figures };
        let (first, last) = chain.ends();
        let gaps = curve.gaps();
        let laws = laws(&gaps, curve.at(first));
        let overall = curve.slope(first, last);
        let per_unit = f64::midpoint(overall.least, overall.most);
        let slopes = gaps.iter().map(|(size, added)| added.each(*size));
        let slope = slopes.fold(overall, Range::with);
        let off = curve.off_the_line();
        let lowest = if slope.least < 0.0 { slope.least } else { 0.0 };
        let within = Range {
            least: (slope.least - off / 2.0).max(lowest),
            most: slope.most + off,
        };
        let bounds = curve.slopes_outside().into_iter().fold(within, Range::with);
        Self {
            laws,
            like: (laws.0 == Law::Superlinear).then(|| like(&gaps)),
            per_unit,
            bounds: (bounds.least, bounds.most),
            is_stepped: off > per_unit.abs() * TOLERANCE,
        }
    }

    /// The law, if only one is possible.
    pub(super) fn law(&self) -> Option<Law> {
        (self.laws.0 == self.laws.1).then_some(self.laws.0)
    }
}

/// What is to be done about sizes that do not double often enough.
fn too_few(sizes: &[u64]) -> String {
    let named = sizes.iter().map(|size| Thousands(*size).to_string());
    let named = named.collect::<Vec<_>>().join(", ");
    let what = if sizes.is_empty() {
        "there are no sizes".to_owned()
    } else {
        format!("of the sizes {named} no {FEWEST} are each twice the one before")
    };
    format!("{what}; give some such as 100, 200, 400, 800")
}

/// The slowest and the fastest law that fits what the doublings added; `first` is the figure
/// at the smallest size.
fn laws(gaps: &[(u64, Range)], first: Span) -> (Law, Law) {
    let last = &gaps[gaps.len() - (FEWEST - 1)..];
    if last.iter().all(|(_, added)| added.most <= 0.0) {
        return (Law::Constant, Law::Constant);
    }
    if last.iter().all(|(_, added)| added.least <= 0.0) {
        // It differs from run to run by more than from size to size.
        let most: f64 = last.iter().map(|(_, added)| added.most.max(0.0)).sum();
        let is_small = most <= first.least as f64 * TOLERANCE;
        let fastest = if is_small {
            Law::Constant
        } else {
            Law::Superlinear
        };
        return (Law::Constant, fastest);
    }
    let ratios = last.windows(2).map(|pair| pair[1].1.over(pair[0].1));
    let laws = ratios.map(|ratio| (law_of(ratio.least), law_of(ratio.most)));
    laws.fold((Law::Superlinear, Law::Constant), |all, law| {
        (all.0.min(law.0), all.1.max(law.1))
    })
}

/// The law of what adds so many times what the doubling before added.
fn law_of(ratio: f64) -> Law {
    if ratio > 2.0 * (1.0 + TOLERANCE) {
        Law::Superlinear
    } else if ratio >= 2.0 * (1.0 - TOLERANCE) {
        Law::Linear
    } else if ratio > 1.0 + TOLERANCE {
        Law::Sublinear
    } else if ratio >= 1.0 - TOLERANCE {
        Law::Logarithmic
    } else {
        Law::Saturating
    }
}

/// What a superlinear law is like: what a unit adds rises by the same with each doubling for
/// n log n, and doubles for a square.
fn like(gaps: &[(u64, Range)]) -> String {
    let last = &gaps[gaps.len() - (FEWEST - 1)..];
    let middle = |range: Range| f64::midpoint(range.least, range.most);
    let each = |at: usize| middle(last[at].1) / last[at].0 as f64;
    let again = (each(2) - each(1)) / (each(1) - each(0));
    if (again - 1.0).abs() <= 2.0 * TOLERANCE {
        return "n log n".to_owned();
    }
    let power = (middle(last[2].1) / middle(last[1].1)).log2();
    format!("n^{power:.1}")
}

#[cfg(test)]
mod tests;
