//! Judges the memory of a run: as a whole, and by call stack where call stacks are taken.
//!
//! The whole is judged first. A leak that is small compared with the swings of memory does not
//! show there. It shows at the call stack that allocates it, where nothing else swings. So a
//! growing call stack makes the run growing, unless another falls by as much: then a cache may
//! be replacing the entries of one code path by those of another. A bounded verdict also needs
//! that a leak of a small share of what the steps allocate would have shown.

use super::detectability::{least_visible, smallest};
use super::series::Series;
use super::text::{level_reason, little_reason, open_reason, rising_reason};
use super::traffic::Traffic;
use super::{Law, Outcome, Verdict};
use crate::verdict::floors::{PARTS, Quantity, Window};

const MEMORY: [Quantity; 2] = [Quantity::Bytes, Quantity::Blocks];

const TOO_SHORT: &str = "the run was too short to compare windows; ask for at least 32 steps";

/// What there is to judge.
pub(crate) struct Seen<'a> {
    pub(crate) windows: &'a [Window],
    pub(crate) traffic: Traffic,
    /// The windows of each call stack, where they are taken.
    pub(crate) sites: &'a [&'a [Window]],
    /// Whether something else failed already, so that nobody asks what could hide.
    pub(crate) has_failed: bool,
}

/// After how many steps of a run what may be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// What swings so that much could hide is for call stacks, which need no run as long.
    pub(crate) call_stacks: u64,
    /// What rises is called growing.
    pub(crate) late: u64,
    /// The run ends: what does not grow goes on until no leak that counts could hide.
    pub(crate) most: u64,
}

impl Limits {
    /// The usual ones, for so many requested steps.
    pub(crate) fn of(requested: u64) -> Self {
        /// In so many steps a leak of one block in a hundred shows under most noise.
        const ENOUGH: u64 = 524_288;

        Self {
            call_stacks: requested.saturating_mul(4),
            late: requested.saturating_mul(16),
            most: requested.saturating_mul(64).max(ENOUGH),
        }
    }
}

/// The verdict of a run that will not be extended any more.
pub(crate) struct Judged {
    pub(crate) verdict: Verdict,
    /// The call stack that it is about, if it is about one.
    pub(crate) site: Option<usize>,
    /// Whether each call stack is bounded by itself.
    are_sites_bounded: bool,
}

/// Judges a run as it is.
pub(crate) fn judge(seen: &Seen<'_>) -> Judged {
    let whole = judge_one(seen.windows, seen.traffic);
    let one = |site: &&[Window]| judge_one(site, seen.traffic);
    let sites: Vec<_> = seen.sites.iter().map(one).collect();
    let are_sites_bounded = sites.iter().all(Verdict::is_bounded);
    let (mut verdict, site) = if sites.is_empty() {
        (whole, None)
    } else {
        by_sites(whole, &sites, seen)
    };
    if verdict.is_bounded() {
        let (share, binds) = shares(&verdict, seen.traffic);
        verdict.detectable_shares = share;
        if binds || seen.has_failed {
            let limit = verdict.limit(seen.traffic);
            verdict.reason.push_str(&limit);
        } else {
            let reason = verdict.too_coarse(seen.traffic);
            verdict = verdict.but_inconclusive(reason);
        }
    }
    Judged {
        verdict,
        site,
        are_sites_bounded,
    }
}

/// Why a run may end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Bounded,
    Growing,
    /// More steps of the same tell less than call stacks would.
    ForCallStacks,
}

/// Whether the run may end. Growth is called `late` alone: until then a cache may fill. If its
/// rate is not clear then, it may be chance, and more steps tell; one more doubling is enough if
/// most of all there is was added of late. What swings, and does not seem to grow, is for call
/// stacks, and that earlier.
pub(crate) fn ending(seen: &Seen<'_>, limits: Limits) -> Option<Ending> {
    let all = MEMORY.map(|figure| Series::new(seen.windows, figure));
    let is_at_rest =
        |series: &Series<'_>| series.law() != Some(Law::Constant) || series.ends_level();
    let steps = seen.traffic.steps;
    let late = limits.late;
    let is_moving = steps < late && !all.iter().all(Series::is_level);
    // The verdict costs more.
    if is_moving && steps < limits.call_stacks {
        return None;
    }
    let judged = judge(seen);
    let is_coarse = || is_coarse(&judged.verdict, seen.windows);
    if is_moving {
        let swings = judged.verdict.law.is_none() && is_coarse();
        return swings.then_some(Ending::ForCallStacks);
    }
    if judged.verdict.is_growing() {
        let windows = judged.site.map_or(seen.windows, |site| seen.sites[site]);
        let all = MEMORY.map(|figure| Series::new(windows, figure));
        let is_clear = steps >= late && all.iter().any(Series::is_clearly_growing);
        let is_confirmed = steps / 2 >= late;
        if is_clear || is_confirmed && all.iter().any(Series::is_mostly_growth) {
            return Some(Ending::Growing);
        }
        return is_confirmed.then_some(Ending::ForCallStacks);
    }
    let is_bounded = judged.verdict.is_bounded() && judged.are_sites_bounded;
    if is_bounded && all.iter().all(is_at_rest) {
        return Some(Ending::Bounded);
    }
    (steps >= limits.call_stacks && is_coarse()).then_some(Ending::ForCallStacks)
}

/// Whether call stacks may tell more: the verdict is not bounded, or much less would have
/// shown had memory been level.
pub(crate) fn is_coarse(verdict: &Verdict, windows: &[Window]) -> bool {
    const MUCH: f64 = 4.0;
    let Some(least) = least_visible(windows) else {
        return false;
    };
    let is_large = |limit: Option<f64>| limit.is_none_or(|limit| limit > MUCH * least);
    verdict.is_growing()
        || is_large(verdict.detectable_bytes)
        || is_large(verdict.detectable_blocks)
}

/// Judges the whole, or one call stack. What moves, but not so that its law can be told, is
/// bounded if it cannot have risen by more than what may hide.
fn judge_one(windows: &[Window], traffic: Traffic) -> Verdict {
    let mut verdict = of_memory(windows);
    let [_, .., last] = windows else {
        return verdict;
    };
    if verdict.is_bounded() || verdict.is_growing() {
        return verdict;
    }
    let most = MEMORY.map(|figure| {
        let series = Series::new(windows, figure);
        // Where the law is known, nothing is left open.
        series.law().map_or_else(|| series.most_per_step(), |_| 0.0)
    });
    let is_little = |(figure, most): (Quantity, f64)| {
        let may_hide = traffic.may_hide(figure);
        may_hide.is_some_and(|may_hide| most <= may_hide / 2.0)
    };
    if !MEMORY.into_iter().zip(most).all(is_little) {
        return verdict;
    }
    verdict.outcome = Outcome::Bounded;
    verdict.law = Some(Law::Constant);
    let limit =
        |figure: Quantity, most: f64| smallest(windows, figure).map(|limit| limit.max(2.0 * most));
    verdict.detectable_bytes = limit(MEMORY[0], most[0]);
    verdict.detectable_blocks = limit(MEMORY[1], most[1]);
    verdict.reason = little_reason(last);
    verdict
}

/// Judges memory by its floors, whatever could hide.
pub(crate) fn of_memory(windows: &[Window]) -> Verdict {
    let [_, .., last] = windows else {
        return Verdict::inconclusive(TOO_SHORT);
    };
    let [bytes, blocks] = MEMORY.map(|figure| Series::new(windows, figure));
    let law = worse(bytes.law(), blocks.law());
    let mut verdict = Verdict {
        bytes: bytes.slope(),
        blocks: blocks.slope(),
        swing: last.swing(),
        ..Verdict::inconclusive(open_reason(last, &[&bytes, &blocks]))
    };
    let Some(law) = law else { return verdict };
    verdict.law = Some(law);
    if law.is_growing() {
        verdict.outcome = Outcome::Growing;
        verdict.reason = rising_reason(law, windows, &[&bytes, &blocks], &verdict.rates());
        return verdict;
    }
    verdict.outcome = Outcome::Bounded;
    [verdict.detectable_bytes, verdict.detectable_blocks] =
        MEMORY.map(|figure| smallest(windows, figure));
    verdict.reason = if law == Law::Constant {
        verdict.settled_by = settled_by(windows);
        level_reason(windows, &[bytes, blocks])
    } else {
        rising_reason(law, windows, &[&bytes, &blocks], &verdict.rates())
    };
    verdict
}

/// Judges one figure alone, that is not of memory, by the same rule. Beside the
/// verdict is by how much the figure rises with each step.
pub(crate) fn judge_alone(windows: &[Window], figure: Quantity) -> (Verdict, f64) {
    let [_, .., last] = windows else {
        return (Verdict::inconclusive(TOO_SHORT), 0.0);
    };
    let series = Series::new(windows, figure);
    let mut verdict = Verdict::inconclusive(open_reason(last, &[&series]));
    let law = series.law();
    verdict.law = law;
    let Some(law) = law else {
        return (verdict, 0.0);
    };
    verdict.outcome = if law.is_growing() {
        Outcome::Growing
    } else {
        Outcome::Bounded
    };
    if law == Law::Constant {
        verdict.reason = level_reason(windows, &[series]);
        return (verdict, 0.0);
    }
    let slope = series.slope();
    let rate = Some(slope).filter(|slope| slope.per_step > 0.0);
    let rate = rate.map_or_else(String::new, |slope| format!("by {slope} a step "));
    verdict.reason = rising_reason(law, windows, &[&series], &rate);
    (verdict, slope.per_step)
}

/// The verdict of call stacks, and the one that it is about.
fn by_sites(whole: Verdict, verdicts: &[Verdict], seen: &Seen<'_>) -> (Verdict, Option<usize>) {
    let rise = |verdict: &Verdict| (verdict.bytes.per_step, verdict.blocks.per_step);
    let growing = verdicts.iter().enumerate().filter(|(_, v)| v.is_growing());
    let most =
        growing.max_by(|(_, a), (_, b)| rise(a).partial_cmp(&rise(b)).unwrap_or_else(|| 0.cmp(&0)));
    if let Some((index, site)) = most {
        if whole.is_growing() {
            return (whole, None);
        }
        if is_compensated(seen, index) {
            let reason = "its live memory rises, while that of other call stacks falls by as much; \
                          more steps would show whether it replaces them";
            return (whole.but_inconclusive(reason.to_owned()), Some(index));
        }
        return (site.clone(), Some(index));
    }
    if whole.is_growing() && MEMORY.into_iter().any(|figure| is_explained(seen, figure)) {
        return (whole, None);
    }
    // The whole shows enough by itself.
    if whole.is_bounded() && !is_coarse(&whole, seen.windows) {
        return (whole, None);
    }
    let open = verdicts.iter().position(|site| !site.is_bounded());
    // What moves from one call stack to another, as a buffer does that several make larger,
    // comes to rest at each.
    let is_carried = |figure| is_carried_by_sites(seen, figure);
    if open.is_some() || !whole.is_bounded() && MEMORY.into_iter().any(is_carried) {
        if whole.is_growing() {
            let reason = "memory as a whole rises, but not at its call stacks; more steps would \
                          tell whether it happens to";
            return (whole.but_inconclusive(reason.to_owned()), open);
        }
        let is_open = !whole.is_bounded();
        return (whole, open.filter(|_| is_open));
    }
    (with_limits_of_sites(whole, verdicts), None)
}

/// The verdict of a run each of whose call stacks is bounded, with their limits where they are
/// lower.
fn with_limits_of_sites(whole: Verdict, verdicts: &[Verdict]) -> Verdict {
    let largest = |of: fn(&Verdict) -> Option<f64>| {
        let mut all = verdicts.iter().map(of);
        all.try_fold(0.0, |most: f64, limit| Some(most.max(limit?)))
    };
    let bytes = largest(Verdict::detectable_bytes_per_step);
    let blocks = largest(Verdict::detectable_blocks_per_step);
    let less = |whole: Option<f64>, sites: Option<f64>| match (whole, sites) {
        (Some(whole), Some(sites)) => Some(whole.min(sites)),
        (whole, sites) => whole.or(sites),
    };
    let limits = (
        less(whole.detectable_bytes, bytes),
        less(whole.detectable_blocks, blocks),
    );
    let mut verdict = whole;
    verdict.is_by_site = limits != (verdict.detectable_bytes, verdict.detectable_blocks);
    (verdict.detectable_bytes, verdict.detectable_blocks) = limits;
    if !verdict.is_bounded() {
        verdict.is_overruled = verdict.is_growing();
        (verdict.bytes, verdict.blocks) = Default::default();
        verdict.outcome = Outcome::Bounded;
        verdict.law = verdicts.iter().filter_map(|site| site.law).max();
        verdict.reason = format!(
            "live memory as a whole moves, but each of the {} call stacks that it is from is \
             bounded",
            verdicts.len()
        );
    }
    verdict
}

/// Whether what others allocated falls by as much as this call stack's rises.
fn is_compensated(seen: &Seen<'_>, index: usize) -> bool {
    MEMORY.into_iter().all(|figure| {
        let series = |windows| Series::new(windows, figure);
        let others = (seen.sites.iter().enumerate()).filter(|(other, _)| *other != index);
        let falls = others.map(|(_, site)| series(site).fall()).sum();
        series(seen.sites[index]).is_offset(&series(seen.windows), falls)
    })
}

/// Whether the whole rises because many call stacks do, each too rarely to grow by itself:
/// they rose within the last window, by at least half of it together. If not, what swings at
/// some of them happened to add up.
fn is_explained(seen: &Seen<'_>, figure: Quantity) -> bool {
    const MANY: usize = 8;

    let rises_of = |windows: &[Window]| Series::new(windows, figure).rises_within();
    let whole = rises_of(seen.windows);
    // Where the floor rests, it is the highest level that grows.
    let which = usize::from(whole[0] <= 0.0);
    let rises = seen.sites.iter().map(|site| rises_of(site)[which]);
    let rises: Vec<_> = rises.filter(|rise| *rise > 0.0).collect();
    rises.len() >= MANY && rises.iter().sum::<f64>() >= whole[which] / 2.0
}

/// Whether call stacks that do not swing rose over the last doubling by at least half of what
/// the floor of the whole did.
fn is_carried_by_sites(seen: &Seen<'_>, figure: Quantity) -> bool {
    let of = |windows: &'_ [Window]| Series::new(windows, figure).rise_to_the_end();
    let whole = of(seen.windows);
    let still = seen.sites.iter();
    let still = still.filter(|site| Series::new(site, figure).never_falls());
    whole > 0.0 && still.map(|site| of(site).max(0.0)).sum::<f64>() >= whole / 2.0
}

/// Of how many bytes and blocks that the steps allocate one would have shown had it leaked,
/// and whether that is enough.
fn shares(verdict: &Verdict, traffic: Traffic) -> ([Option<f64>; 2], bool) {
    let limits = [verdict.detectable_bytes, verdict.detectable_blocks];
    let share = |(figure, limit): (Quantity, Option<f64>)| {
        let traffic = traffic.a_step(figure);
        limit.filter(|_| traffic > 0.0).map(|limit| traffic / limit)
    };
    let binds = |(figure, limit): (Quantity, Option<f64>)| {
        let most = traffic.may_hide(figure);
        most.is_none_or(|most| limit.is_some_and(|limit| limit <= most))
    };
    let each = || MEMORY.into_iter().zip(limits);
    (
        [share((MEMORY[0], limits[0])), share((MEMORY[1], limits[1]))],
        each().all(binds),
    )
}

/// The first step of the first part from which on live bytes stayed in the range of the last
/// window; none if that is the very first, or the last window is not level.
fn settled_by(windows: &[Window]) -> Option<u64> {
    let last = windows.last()?;
    if !Series::new(windows, Quantity::Bytes).ends_level() {
        return None;
    }
    let (floor, highest) = (
        last.floor(Quantity::Bytes).level,
        last.highest(Quantity::Bytes),
    );
    let parts = windows
        .iter()
        .flat_map(|window| (0..PARTS).map(move |part| (window, part)));
    let parts: Vec<_> = parts.collect();
    let is_in_range = |(window, part): &&(&Window, usize)| {
        window.part(*part, Quantity::Bytes).level >= floor
            && window.part_highest(*part, Quantity::Bytes) <= highest
    };
    let settled = parts.iter().rev().take_while(is_in_range).count();
    let first = parts.len() - settled;
    (first > 0).then(|| parts[first].0.part_start(parts[first].1))
}

/// Growing outweighs unknown, unknown outweighs bounded.
fn worse(a: Option<Law>, b: Option<Law>) -> Option<Law> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.max(b)),
        (Some(law), None) | (None, Some(law)) if law.is_growing() => Some(law),
        _ => None,
    }
}
