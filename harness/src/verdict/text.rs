//! The reasons of a verdict, in words.

use super::rule::Slope;
use super::series::Series;
use super::traffic::Traffic;
use super::{Law, Verdict};
use crate::text::{Bound, Rate, Thousands};
use crate::verdict::floors::{Quantity, Window};
use std::fmt;

impl Verdict {
    /// By how much it rises, and jumps beside that, as a part of a sentence; empty where what
    /// moves falls back as far as it rose.
    pub(super) fn rates(&self) -> String {
        let rates = [(self.bytes, "B"), (self.blocks, "blocks")];
        let rising = rates.iter().filter(|(slope, _)| slope.per_step > 0.0);
        // An error that is as large is of few jumps, of which none knows how often they come.
        let is_rate = |(slope, _): &&(Slope, _)| slope.error < slope.per_step / 2.0;
        let each: Vec<_> = { rising.clone().filter(is_rate) }
            .map(|(slope, unit)| format!("{slope} {unit}"))
            .collect();
        let jumps = { rising.clone() }.filter(|(slope, _)| slope.jump >= 1.0);
        let jumps: Vec<_> = jumps
            .map(|(slope, unit)| format!("{} {unit}", Rounded(slope.jump)))
            .collect();
        match (each.as_slice(), jumps.as_slice()) {
            ([], _) if rising.count() > 0 => "in few jumps ".to_owned(),
            ([], _) => String::new(),
            (each, []) => format!("by {} a step ", each.join(" and ")),
            (each, jumps) => format!(
                "by {} a step and jumps of up to {} ",
                each.join(" and "),
                jumps.join(" and ")
            ),
        }
    }

    /// What would have shown, as the end of a sentence.
    pub(crate) fn detectability(&self) -> String {
        match self.visible() {
            None => "; no leak could have been told from this".to_owned(),
            Some(leak) => format!("; a leak of {leak} would have shown"),
        }
    }

    /// The smallest leak that would have shown. It is told as a share of what the steps
    /// allocate, where they allocate more than that.
    fn visible(&self) -> Option<String> {
        let [bytes_share, blocks_share] = self.detectable_shares;
        let share = |share: Option<f64>| share.filter(|share| *share >= 2.0);
        let blocks = self
            .detectable_blocks
            .map(|rate| match share(blocks_share) {
                Some(share) => format!("one block in {} ({} a step)", OneIn(share), Bound(rate)),
                None => format!("{} blocks a step", Bound(rate)),
            });
        let bytes = self.detectable_bytes.map(|rate| match share(bytes_share) {
            Some(share) => format!("one byte in {} ({} B a step)", OneIn(share), Bound(rate)),
            None => format!("{} B a step", Bound(rate)),
        });
        match (blocks, bytes) {
            (Some(blocks), Some(bytes)) => {
                Some(format!("{blocks} or, in blocks that grow, {bytes}"))
            }
            (Some(blocks), None) => Some(blocks),
            (None, bytes) => bytes.map(|bytes| format!("{bytes}, in blocks that grow,")),
        }
    }

    /// The limit of what is bounded.
    pub(super) fn limit(&self, traffic: Traffic) -> String {
        if traffic.blocks == 0 && traffic.bytes == 0 {
            return "; the steps allocate nothing".to_owned();
        }
        let by = if self.is_by_site {
            ", told by call stack"
        } else {
            ""
        };
        format!("{}{by}", self.detectability())
    }

    /// Why what looks bounded is not called that.
    pub(super) fn too_coarse(&self, traffic: Traffic) -> String {
        let shown = match self.visible() {
            None => "no leak would have shown".to_owned(),
            Some(leak) => format!("no leak below {leak} would have shown"),
        };
        format!(
            "{}, but {shown}, while a step allocates {} blocks and {} B on average; more steps \
             would show smaller leaks",
            self.reason,
            Rate(traffic.a_step(Quantity::Blocks)),
            Rate(traffic.a_step(Quantity::Bytes)),
        )
    }
}

/// Prints a whole number.
struct Rounded(f64);

// Not below zero, and past a u64 nobody looks closely.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
impl fmt::Display for Rounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Thousands(self.0 as u64))
    }
}

/// Prints how many there are for one, with two digits, rounded down.
struct OneIn(f64);

// Not below zero, and past a u64 nobody looks closely.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
impl fmt::Display for OneIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = 10_f64.powf((self.0.log10().floor() - 1.0).max(0.0));
        write!(
            f,
            "{}",
            Thousands(((self.0 / unit + 1e-9).floor() * unit) as u64)
        )
    }
}

pub(super) fn open_reason(last: &Window, series: &[&Series<'_>]) -> String {
    let (from, to) = (Thousands(last.after_step), Thousands(last.to_step));
    match series.iter().find_map(|series| series.rests_by_chance()) {
        Some((before, now, unit)) => format!(
            "the floor comes to rest, but the highest level rises ever more, from {} to {} {unit} \
             in the last doubling, {from} to {to} steps; more steps would tell whether the floor \
             rests by chance",
            Thousands(before),
            Thousands(now),
        ),
        None => format!(
            "the floor moved in the last doubling, {from} to {to} steps, and it is not clear \
             whether it continues; more steps would show that",
        ),
    }
}

pub(super) fn little_reason(last: &Window) -> String {
    format!(
        "the floor moved by little in the last doubling, {} to {} steps",
        Thousands(last.after_step),
        Thousands(last.to_step)
    )
}

pub(super) fn rising_reason(
    law: Law,
    windows: &[Window],
    series: &[&Series<'_>],
    rates: &str,
) -> String {
    let grows = |series: &&&Series<'_>| series.law().is_some_and(Law::is_growing);
    let mut growing = series.iter().filter(grows).peekable();
    let is_above = growing.peek().is_some() && growing.all(|series| series.grows_above_its_floor());
    let what = if is_above {
        "the average level"
    } else {
        "the floor"
    };
    let how = match law {
        Law::Saturating => "rises less with every doubling",
        Law::Logarithmic => "rises like a logarithm",
        Law::Sublinear => "rises steadily, slower than in proportion to the steps",
        Law::Superlinear => "rises faster than in proportion to the steps",
        Law::Constant | Law::Linear => "rises in proportion to the steps",
    };
    let last = windows.len() - 1;
    format!(
        "{what} {how}, {rates}from {} to {} steps",
        Thousands(windows[last - 1].after_step),
        Thousands(windows[last].to_step),
    )
}

pub(super) fn level_reason(windows: &[Window], series: &[Series<'_>]) -> String {
    let doublings = series
        .iter()
        .map(Series::level_doublings)
        .min()
        .unwrap_or(0);
    let last = windows.len() - 1;
    let from = Thousands(windows[last - doublings.min(last)].after_step);
    let to = Thousands(windows[last].to_step);
    let of_last = Thousands(windows[last].after_step);
    if let Some(step) = series.iter().find_map(Series::steps_up_at) {
        return format!(
            "the floor rose once in the last doubling, {of_last} to {to} steps, near step {}",
            Thousands(step)
        );
    }
    if series.iter().any(Series::falls) {
        return format!("the floor falls over the last doubling, {of_last} to {to} steps");
    }
    match doublings {
        0 => format!("the floor came to rest within the last doubling, {of_last} to {to} steps"),
        1 => format!("the floor has not risen over the last doubling, {from} to {to} steps"),
        n => format!("the floor has not risen over the last {n} doublings, {from} to {to} steps"),
    }
}
