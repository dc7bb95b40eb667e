//! The smallest leak that a run would have called growing.
//!
//! A leak is thought into the run: so many bytes, or blocks, every so many steps,
//! on top of what was seen. Where a unit falls within the period is not known, and
//! neither is which step of a part would have been its lowest then. So each floor
//! becomes a range, and the leak shows if the rule says growing wherever in their
//! ranges the floors lie. The figure errs on the large side alone.

use super::rule::{self, SEGMENTS, Series};
use crate::floors::{Figure, Window};

/// A leak of `units` every `per_steps` steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Leak {
    pub(crate) units: f64,
    pub(crate) per_steps: f64,
}

/// Rates are tried in this proportion.
const STEP: f64 = 1.05;

/// So many rates in a row must show, and the last of them is the figure: it is up
/// to a fifth too large, and no lucky rounding makes it too small.
const IN_A_ROW: u32 = 5;

/// The least rate of single units a step that would have been called growing in
/// `figure`; none if no rate below 2^40 would.
pub(super) fn smallest(windows: &[Window], figure: Figure) -> Option<f64> {
    let [_, .., last] = windows else { return None };
    let series = Series::new(windows, figure);
    // Slower than one in the whole run nothing shows.
    let slowest = 1.0 / last.to_step as f64;
    let rates = std::iter::successors(Some(slowest), |rate| Some(rate * STEP));
    let mut in_a_row = 0;
    { rates }
        .take_while(|rate| *rate < 2_f64.powi(40))
        .find(|rate| {
            let leak = Leak {
                units: 1.0,
                per_steps: 1.0 / rate,
            };
            in_a_row = if shows(&series, leak) {
                in_a_row + 1
            } else {
                0
            };
            in_a_row == IN_A_ROW
        })
}

/// Whether a block of `bytes` every `per_steps` steps would have been called
/// growing, in bytes or in blocks.
pub(crate) fn block_shows(windows: &[Window], bytes: u64, per_steps: u64) -> bool {
    let of = |figure, units: u64| {
        let leak = Leak {
            units: units as f64,
            per_steps: per_steps as f64,
        };
        windows.len() >= 2 && shows(&Series::new(windows, figure), leak)
    };
    of(Figure::Blocks, 1) || of(Figure::Bytes, bytes)
}

fn shows(series: &Series<'_>, leak: Leak) -> bool {
    let lows = series.lows();
    let starts = series.segment_starts();
    let whole = |step: u64| (step as f64 / leak.per_steps).floor();
    let least: [_; SEGMENTS] = std::array::from_fn(|place| {
        let (low, start) = (lows[place], starts[place]);
        let leaked = leak.units * whole(start);
        (start as f64, low.level as f64 + leaked)
    });
    let most: [_; SEGMENTS] = std::array::from_fn(|place| {
        let low = lows[place];
        let leaked = leak.units * (whole(low.step) + 1.0);
        (low.step as f64, low.level as f64 + leaked)
    });
    let always_rises = (least[1..].iter())
        .zip(&most)
        .all(|(next, before)| next.1 > before.1);
    always_rises
        && [least, most]
            .iter()
            .all(|floors| rule::is_rising_evenly(floors) && rule::law_by_shape(floors).is_growing())
}
