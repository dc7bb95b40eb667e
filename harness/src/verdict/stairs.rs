//! Growth by jumps: in each of the last windows, and without falling.
//!
//! A buffer that grows by doubling makes no new block. It jumps once in each window, twice as
//! far each time. Between its jumps nothing moves, so floors alone do not show it.

use super::Law;
use super::series::{LARGE, Series};
use crate::verdict::floors::{PARTS, Window};

/// A rise in jumps.
#[derive(Clone, Copy)]
pub(super) struct Stairs {
    /// The power of 2 by which the rises grow with each doubling.
    exponent: f64,
    /// Whether each doubling added more than the one before.
    is_ever_faster: bool,
    /// What part of the level the last two doublings added.
    share: f64,
    /// Whether it jumped in about as many parts of each window. What fills and comes to rest
    /// does not.
    is_alike: bool,
    /// In how many parts of a window it jumped at most.
    pub(super) most: usize,
    /// Whether it also rises between its jumps, by little.
    pub(super) creeps: bool,
}

impl Stairs {
    /// So few jumps in a window may be anything: the records of noise come as rarely.
    pub(super) const FEW: usize = 2;

    /// Jumps are growth if they are a large part of all there is, as those of a buffer that
    /// doubles; few of them only if they get larger in proportion to the steps. The records
    /// of what swings are small beside its level.
    pub(super) fn law(self) -> Option<Law> {
        let law = Law::of_exponent(self.exponent);
        if !law.is_growing() {
            return Some(law).filter(|_| !self.creeps);
        }
        let is_few = self.most <= Self::FEW;
        let least = if is_few { Law::Linear } else { Law::Sublinear };
        let goes_on = self.is_ever_faster && self.is_alike;
        (goes_on && self.share >= LARGE && law >= least).then_some(law)
    }
}

/// Whether each rise from one level to the next is larger than the one before.
fn rises_ever_faster(levels: &[f64]) -> bool {
    let mut rises = levels.windows(2).map(|pair| pair[1] - pair[0]);
    let mut before = rises.next().unwrap_or(0.0);
    rises.all(|rise| rise > std::mem::replace(&mut before, rise))
}

/// The power of 2 by which the rises grow with each doubling, from levels at four
/// doublings; none if the level did not rise over both halves.
fn exponent_over_four(levels: &[f64]) -> Option<f64> {
    let (early, late) = (levels[2] - levels[0], levels[4] - levels[2]);
    (early > 0.0 && late > 0.0).then(|| (late / early).log2() / 2.0)
}

impl Series<'_> {
    /// How it rises, if it rises in each of the last windows and never falls: like a buffer
    /// that grows by doubling and jumps twice as far each time, or like several of them. A
    /// cache that fills rises all the time, then no more.
    pub(super) fn stairs(&self) -> Option<Stairs> {
        /// Over how many windows it must be so to be no coincidence.
        const WINDOWS: usize = 4;

        let first = self.windows.len().checked_sub(WINDOWS + 1)?;
        let windows = &self.windows[first..];
        let jumps = windows
            .windows(2)
            .map(|pair| self.jumps(&pair[0], &pair[1]));
        let jumps = jumps.collect::<Option<Vec<_>>>()?;
        // A jump that is just before the end of one window and just after that of the
        // next leaves out a floor, but not the level at the end, or the other way.
        let floors = windows.iter().map(|window| self.floor(window).level as f64);
        let ends = windows
            .iter()
            .map(|window| window.part(PARTS - 1, self.figure).level as f64);
        let (floors, ends) = (floors.collect::<Vec<_>>(), ends.collect::<Vec<_>>());
        let exponents = (exponent_over_four(&floors)?, exponent_over_four(&ends)?);
        let alike = |pair: &[(usize, bool)]| pair[0].0.abs_diff(pair[1].0) <= 2;
        Some(Stairs {
            is_alike: jumps.windows(2).all(alike),
            exponent: f64::midpoint(exponents.0, exponents.1),
            is_ever_faster: rises_ever_faster(&ends),
            share: (ends[4] - ends[2]) / ends[4],
            most: jumps.iter().map(|jumps| jumps.0).max().unwrap_or(0),
            creeps: jumps.iter().any(|jumps| jumps.1),
        })
    }

    /// In how many parts of a window the floor jumped, and whether it creeps beside that;
    /// none if it did not, or fell. What is small beside the largest jump is neither.
    fn jumps(&self, before: &Window, window: &Window) -> Option<(usize, bool)> {
        /// Small: less than this part of the largest.
        const SMALL: f64 = 1.0 / 16.0;

        let mut level = before.part(PARTS - 1, self.figure).level as f64;
        let changes = [0, 1, 2, 3, 4, 5, 6, 7].map(|part| {
            let next = window.part(part, self.figure).level as f64;
            next - std::mem::replace(&mut level, next)
        });
        let small = SMALL * changes.into_iter().fold(0.0, f64::max);
        let jumps = changes.iter().filter(|change| **change > small).count();
        let rest = changes.iter().filter(|change| **change <= small);
        let never_falls = rest.clone().all(|change| *change >= -small);
        (never_falls && jumps > 0).then(|| (jumps, rest.sum::<f64>().abs() > small))
    }
}
