//! One figure through the windows of a run, as plain numbers.
//!
//! Each window has its floor. Each of its parts has the least, the highest and the average
//! level. The last three quarters of the run are twelve sixteenths of equal length.

use super::line::Point;
use crate::verdict::floors::{Low, PARTS, Quantity, Window};
use std::ops::Range;

/// A large part of the level to be added by two doublings.
pub(super) const LARGE: f64 = 0.4;

/// Sixteenths of the run from its first quarter to its end: four of the window
/// before the last, eight of the last.
pub(super) const SEGMENTS: usize = PARTS / 2 + PARTS;

/// One figure through the windows of a run.
pub(super) struct Series<'a> {
    pub(super) windows: &'a [Window],
    pub(super) figure: Quantity,
}

impl<'a> Series<'a> {
    pub(super) fn new(windows: &'a [Window], figure: Quantity) -> Self {
        Self { windows, figure }
    }

    pub(super) fn floor(&self, window: &Window) -> Low {
        window.floor(self.figure)
    }

    /// The rise from each window's floor to the next, the latest first.
    pub(super) fn rises(&self) -> impl Iterator<Item = f64> {
        let level = |window| self.floor(window).level as f64;
        let pairs = self.windows.windows(2).rev();
        pairs.map(move |pair| level(&pair[1]) - level(&pair[0]))
    }

    /// Over how many doublings, up to the end, the floor has not risen.
    pub(super) fn level_doublings(&self) -> usize {
        self.rises().take_while(|rise| *rise <= 0.0).count()
    }

    /// The first step of the part of the last window from which on all floors lie above
    /// all before it, if there is one.
    pub(super) fn steps_up_at(&self) -> Option<u64> {
        let last = self.windows.last()?;
        let floors: [u64; PARTS] = std::array::from_fn(|part| last.part(part, self.figure).level);
        let is_step = |from: &usize| {
            let (before, after) = floors.split_at(*from);
            after.iter().min() > before.iter().max()
        };
        let from = (1..PARTS).find(is_step)?;
        Some(last.part_start(from))
    }

    /// Whether the floors of the last window's parts fall all the time.
    pub(super) fn falls_all_the_time(&self) -> bool {
        self.windows.last().is_some_and(|last| {
            let floor = |part| last.part(part, self.figure).level;
            (1..PARTS).all(|part| floor(part) < floor(part - 1))
        })
    }

    /// Whether it falls all through the last window, and in the end all of it lies below
    /// where it began.
    pub(super) fn falls(&self) -> bool {
        let ends_below = |last: &Window| {
            last.part_highest(PARTS - 1, self.figure) < last.part(0, self.figure).level
        };
        self.falls_all_the_time() && self.windows.last().is_some_and(ends_below)
    }

    /// The average level of a window.
    pub(super) fn mean(&self, window: &Window) -> f64 {
        let parts = (0..PARTS).map(|part| window.part_mean(part, self.figure));
        parts.sum::<f64>() / PARTS as f64
    }

    /// By how much its average falls from one window to the next, if it falls all through the
    /// last one; else zero.
    pub(super) fn fall(&self) -> f64 {
        if self.falls_all_the_time() {
            -self.rise_of_means()
        } else {
            0.0
        }
    }

    /// Whether what others allocated falls by as much as this rises: some fall all the time, by
    /// at least half of that together, or the whole would have risen more. Needs two windows.
    pub(super) fn is_offset(&self, whole: &Series<'_>, falls: f64) -> bool {
        let [.., before, last] = whole.windows else {
            return false;
        };
        let rise = self.rise_of_means();
        let room = last.highest(self.figure) as f64 - whole.floor(before).level as f64;
        rise <= 0.0 || falls >= rise / 2.0 || rise > 2.0 * room.max(0.0)
    }

    /// The highest levels of the sixteenths, each over the middle of it. Needs two windows.
    pub(super) fn highs(&self) -> [Point; SEGMENTS] {
        let [.., before, last] = self.windows else {
            return [(0.0, 0.0); SEGMENTS];
        };
        let means = self.means();
        std::array::from_fn(|index| {
            let highest = |window: &Window, part| window.part_highest(part, self.figure);
            let level = match index.checked_sub(PARTS / 2) {
                Some(part) => highest(last, part),
                None => highest(before, 2 * index).max(highest(before, 2 * index + 1)),
            };
            (means[index].0, level as f64)
        })
    }

    /// By how much the average level of the last window is above that of the one before.
    /// Needs two windows.
    pub(super) fn rise_of_means(&self) -> f64 {
        let [.., before, last] = self.windows else {
            return 0.0;
        };
        self.mean(last) - self.mean(before)
    }

    /// By how much the floor at the end is above that at the end of the window before.
    pub(super) fn rise_to_the_end(&self) -> f64 {
        let [.., before, last] = self.windows else {
            return 0.0;
        };
        let end = |window: &Window| window.part(PARTS - 1, self.figure).level as f64;
        end(last) - end(before)
    }

    /// Whether it does not fall in the last two windows, from one part to the next.
    pub(super) fn never_falls(&self) -> bool {
        let first = self.windows.len().saturating_sub(2);
        let parts = self.windows[first..].iter();
        let parts = parts.flat_map(|window| (0..PARTS).map(move |part| (window, part)));
        let mut highest = 0;
        parts.into_iter().all(|(window, part)| {
            let is_above = window.part(part, self.figure).level >= highest;
            highest = window.part_highest(part, self.figure);
            is_above
        })
    }

    /// By how much the floor, and the highest level, of the last window's second half are
    /// above those of its first.
    pub(super) fn rises_within(&self) -> [f64; 2] {
        let Some(last) = self.windows.last() else {
            return [0.0; 2];
        };
        let floor = |parts: Range<usize>| {
            let lows = parts.map(|part| last.part(part, self.figure).level);
            lows.min().unwrap_or(0) as f64
        };
        let highest = |parts: Range<usize>| {
            let highs = parts.map(|part| last.part_highest(part, self.figure));
            highs.max().unwrap_or(0) as f64
        };
        let (first, second) = (0..PARTS / 2, PARTS / 2..PARTS);
        [
            floor(second.clone()) - floor(first.clone()),
            highest(second) - highest(first),
        ]
    }

    /// By how much the floor, the level at the end or the highest one rose at most with each
    /// step of the last two doublings. Needs two windows.
    pub(super) fn most_per_step(&self) -> f64 {
        let [.., before, last] = self.windows else {
            return 0.0;
        };
        let first = self.windows.len().saturating_sub(3);
        let rise_of = |level: &dyn Fn(&Window) -> u64| {
            let from = self.windows[first..].iter().map(level).min().unwrap_or(0);
            level(last).saturating_sub(from)
        };
        let rises = [
            rise_of(&|window| self.floor(window).level),
            rise_of(&|window| window.part(PARTS - 1, self.figure).level),
            rise_of(&|window| window.highest(self.figure)),
        ];
        let most = rises.into_iter().max().unwrap_or(0);
        most as f64 / (last.to_step - before.after_step) as f64
    }

    /// The average levels of the sixteenths, each over the middle of it. Needs two windows.
    pub(super) fn means(&self) -> [Point; SEGMENTS] {
        let [.., before, last] = self.windows else {
            return [(0.0, 0.0); SEGMENTS];
        };
        let starts = self.segment_starts();
        std::array::from_fn(|index| {
            let mean = |window: &Window, part| window.part_mean(part, self.figure);
            let level = match index.checked_sub(PARTS / 2) {
                Some(part) => mean(last, part),
                None => f64::midpoint(mean(before, 2 * index), mean(before, 2 * index + 1)),
            };
            let end = starts.get(index + 1).map_or(last.to_step + 1, |next| *next);
            (f64::midpoint(starts[index] as f64, end as f64 - 1.0), level)
        })
    }

    pub(super) fn quarters(&self, window: &Window) -> [u64; 4] {
        [0, 2, 4, 6].map(|part| {
            let low = window.part(part, self.figure);
            low.lower(window.part(part + 1, self.figure)).level
        })
    }

    /// The floors of the sixteenths and where they were reached, oldest first.
    /// Needs two windows.
    pub(super) fn lows(&self) -> [Low; SEGMENTS] {
        let [.., before, last] = self.windows else {
            return [Low { level: 0, step: 0 }; SEGMENTS];
        };
        std::array::from_fn(|index| {
            if let Some(part) = index.checked_sub(PARTS / 2) {
                return last.part(part, self.figure);
            }
            let low = before.part(2 * index, self.figure);
            low.lower(before.part(2 * index + 1, self.figure))
        })
    }

    /// The first steps of the sixteenths. Needs two windows.
    pub(super) fn segment_starts(&self) -> [u64; SEGMENTS] {
        let [.., before, last] = self.windows else {
            return [0; SEGMENTS];
        };
        std::array::from_fn(|index| match index.checked_sub(PARTS / 2) {
            Some(part) => last.part_start(part),
            None => before.part_start(2 * index),
        })
    }
}
