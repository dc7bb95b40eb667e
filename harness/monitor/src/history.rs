//! What is kept of a figure: its lowest, highest and average level in stretches of time that
//! get longer with their age. The memory for that is taken once, and stays the same for ever.
//!
//! There are [`LEVELS`] rings of [`CELLS`] cells. A cell of the first ring covers one interval,
//! and a cell of each further ring covers two of the ring before. So with an interval of a
//! minute the first ring covers the last four hours, and the last one a year.

use highwater::__private::{Course, Stretch};
use std::collections::VecDeque;

/// How many stretches a ring holds: five windows of eight parts each, and the start.
pub(crate) const CELLS: usize = 256;

/// How many rings there are.
const LEVELS: usize = 12;

/// The stretches of one length.
#[derive(Debug)]
struct Ring {
    cells: VecDeque<Stretch>,
    /// How many there were ever.
    count: u64,
    /// The first half of the next cell.
    half: Option<Stretch>,
}

/// The levels of one figure since it was first seen.
#[derive(Debug)]
pub(crate) struct History {
    rings: Vec<Ring>,
}

/// The latest cells of one ring: a length of time up to now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Period<'a> {
    history: &'a History,
    level: usize,
    cells: usize,
}

impl Ring {
    fn push(&mut self, cell: Stretch) {
        if self.cells.len() == CELLS {
            self.cells.pop_front();
        }
        self.cells.push_back(cell);
        self.count += 1;
    }

    /// Its cells, each with the number of intervals when it ended, if it covers so many.
    fn cells_with_ends(&self, intervals: u64) -> impl Iterator<Item = (u64, &Stretch)> {
        let first = self.count - self.cells.len() as u64;
        let numbered = (first + 1..).zip(&self.cells);
        numbered.map(move |(number, cell)| (number * intervals, cell))
    }
}

impl History {
    pub(crate) fn new() -> Self {
        let ring = |_| Ring {
            cells: VecDeque::with_capacity(CELLS),
            count: 0,
            half: None,
        };
        Self {
            rings: (0..LEVELS).map(ring).collect(),
        }
    }

    /// Adds what was seen in the next interval.
    pub(crate) fn push(&mut self, mut cell: Stretch) {
        for ring in &mut self.rings {
            ring.push(cell);
            let Some(first) = ring.half.take() else {
                ring.half = Some(cell);
                return;
            };
            cell = joined(first, cell);
        }
    }

    /// All that was seen, or the year before now if that is less.
    pub(crate) fn whole(&self) -> Period<'_> {
        let fits = |ring: &Ring| ring.count <= CELLS as u64;
        let level = self.rings.iter().position(fits).unwrap_or(LEVELS - 1);
        Period {
            history: self,
            level,
            cells: self.rings[level].cells.len(),
        }
    }

    /// The lengths of time up to now that are looked at, the longest first. The first is all
    /// that was seen. None has fewer than the fewest cells.
    pub(crate) fn periods(&self) -> impl Iterator<Item = Period<'_>> {
        let whole = self.whole();
        let of_ring = |level| [(level, CELLS), (level, CELLS / 4 * 3)];
        let of_rings = (0..=whole.level).rev().flat_map(of_ring);
        let of_first = [2, 4, 8].map(|part| [(0, CELLS / part), (0, CELLS / part / 4 * 3)]);
        let of_first = of_first.into_iter().flatten();
        let shorter = of_rings.chain(of_first).map(|(level, cells)| Period {
            history: self,
            level,
            cells,
        });
        let intervals = whole.intervals();
        let shorter = shorter.filter(move |period| period.intervals() < intervals);
        let all = std::iter::once(whole).chain(shorter);
        all.filter(|period| period.cells >= Period::FEWEST)
    }
}

impl<'a> Period<'a> {
    /// The fewest cells that can be judged.
    pub(crate) const FEWEST: usize = Course::FEWEST;

    /// How many intervals one of its cells covers.
    pub(crate) fn intervals_per_cell(self) -> u64 {
        1 << self.level
    }

    pub(crate) fn cells(self) -> usize {
        self.cells
    }

    /// How many intervals it covers.
    pub(crate) fn intervals(self) -> u64 {
        (self.cells as u64) << self.level
    }

    /// Its number among all that begin at the start: it changes with each new cell.
    pub(crate) fn number(self) -> (usize, u64) {
        (self.level, self.ring().count)
    }

    /// Its cells, the oldest first.
    pub(crate) fn stretches(self) -> impl ExactSizeIterator<Item = Stretch> {
        let cells = &self.ring().cells;
        cells.range(cells.len() - self.cells..).copied()
    }

    /// The lowest level in it.
    pub(crate) fn lowest(self) -> u64 {
        let levels = self.stretches().map(|cell| cell.lowest);
        levels.min().unwrap_or(0)
    }

    /// The lowest level in its last sixteenth.
    pub(crate) fn last_floor(self) -> u64 {
        self.floor_now(0.0)
    }

    /// Where a figure that rises by so much a cell stands now, swings aside: the lowest level in
    /// the last sixteenth, if each had risen until now.
    // It does not fall, and past a u64 nobody looks closely.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub(crate) fn floor_now(self, rate: f64) -> u64 {
        let last = (self.cells / 16).max(1).min(self.cells);
        let levels = self.stretches().skip(self.cells - last);
        let now = (0..last).rev().zip(levels);
        let now = now.map(|(age, cell)| cell.lowest.saturating_add((rate * age as f64) as u64));
        now.min().unwrap_or(0)
    }

    /// The highest level before it that lasted, for an eighth of its length or longer.
    pub(crate) fn highest_floor_before(self) -> u64 {
        let start = (self.ring().count << self.level) - self.intervals();
        let eighth = (self.cells / 8).ilog2() as usize + self.level;
        let longer = self.history.rings.iter().enumerate().skip(eighth);
        let cells = longer.flat_map(|(level, ring)| ring.cells_with_ends(1 << level));
        let before = cells.filter(|(end, _)| *end <= start);
        before.map(|(_, cell)| cell.lowest).max().unwrap_or(0)
    }

    fn ring(self) -> &'a Ring {
        &self.history.rings[self.level]
    }
}

/// Two stretches of the same length as one.
pub(crate) fn joined(first: Stretch, second: Stretch) -> Stretch {
    Stretch {
        lowest: first.lowest.min(second.lowest),
        highest: first.highest.max(second.highest),
        mean: first.mean.midpoint(second.mean),
    }
}

#[cfg(test)]
mod tests {
    use super::{CELLS, History, LEVELS};
    use highwater::__private::Stretch;

    fn history(intervals: u64, level: impl Fn(u64) -> u64) -> History {
        let mut history = History::new();
        for interval in 0..intervals {
            let level = level(interval);
            history.push(Stretch {
                lowest: level,
                highest: level,
                mean: level,
            });
        }
        history
    }

    #[test]
    fn the_whole_is_everything_up_to_a_year() {
        for (intervals, cells, per_cell) in [(0, 0, 1), (7, 7, 1), (256, 256, 1), (257, 128, 2)] {
            let history = history(intervals, |_| 0);
            let whole = history.whole();
            let found = (whole.cells(), whole.intervals_per_cell());
            assert_eq!(found, (cells, per_cell), "{intervals}");
        }
        let year = (CELLS as u64) << (LEVELS - 1);
        let history = history(year + 5_000, |_| 0);
        assert_eq!(history.whole().intervals(), year);
    }

    #[test]
    fn cells_are_joined_from_the_intervals_that_they_cover() {
        let history = history(1_000, |interval| interval * 10);
        let whole = history.whole();
        assert_eq!(whole.intervals_per_cell(), 4);
        let last = whole.stretches().last().expect("there are some");
        assert_eq!((last.lowest, last.highest), (9_960, 9_990));
        assert_eq!(last.mean, 9_975);
        assert_eq!(whole.lowest(), 0);
        assert_eq!(whole.last_floor(), 9_400);
    }

    #[test]
    fn periods_get_shorter_down_to_the_fewest_cells() {
        let history = history(1_000, |_| 0);
        let lengths: Vec<_> = history.periods().map(super::Period::intervals).collect();
        assert_eq!(
            lengths,
            [1_000, 768, 512, 384, 256, 192, 128, 96, 64, 48, 32]
        );
    }

    #[test]
    fn what_lasted_before_a_period_is_known() {
        // High for 200 intervals, with a spike that does not last; then low.
        let history = history(1_000, |interval| match interval {
            300 => 900,
            100..500 => 500,
            _ => 100,
        });
        let periods: Vec<_> = history.periods().collect();
        let mut before = periods.iter().map(|period| period.highest_floor_before());
        assert_eq!(before.next(), Some(0));
        assert!(before.all(|level| level == 500));
    }
}
