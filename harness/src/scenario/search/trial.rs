//! One trial: a sequence of operations is repeated on one state, and its live memory judged.

use crate::alloc::unscoped;
use crate::scope::Scope;
use crate::verdict::floors::{Floors, memory_levels};
use crate::verdict::{self, Ending, Limits, Seen, Traffic};

/// The fewest repetitions after which anything is concluded.
const FEWEST: u64 = 64;

/// What a sequence may add to live bytes after the fewest repetitions.
const MOST_BYTES: u64 = 64 << 20;

/// What came of a trial.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Outcome {
    /// Live memory rises each time.
    Leaks,
    /// It came to rest.
    Rests,
    /// Neither showed, for this reason.
    Open(String),
}

/// A trial, and what it measured.
pub(super) struct Trial {
    pub(super) outcome: Outcome,
    pub(super) repetitions: u64,
    /// The bytes and blocks by which live memory rose with each of the last repetitions, at
    /// least half of all, if that was the same each time.
    pub(super) each: Option<(i64, i64)>,
    /// By how many bytes and blocks it rose in all, and how many bytes the drop of the state did
    /// not free.
    pub(super) risen_bytes: u64,
    pub(super) risen_blocks: u64,
    pub(super) left_bytes: u64,
}

/// The same rise from repetition to repetition, and since which.
#[derive(Default)]
struct Rise {
    last: (u64, u64),
    each: (i64, i64),
    since: u64,
}

impl Rise {
    fn note(&mut self, repetition: u64, live: (u64, u64)) {
        let by = |now: u64, before: u64| now.wrapping_sub(before).cast_signed();
        let each = (by(live.0, self.last.0), by(live.1, self.last.1));
        if each != self.each {
            (self.each, self.since) = (each, repetition);
        }
        self.last = live;
    }
}

/// Repeats what `sequence` does to a state until it is clear whether live memory rises. A rise
/// is called a leak after `late` repetitions: until then a cache may fill.
pub(super) fn repeat<S>(
    scope: &Scope,
    late: u64,
    setup: &impl Fn() -> S,
    sequence: impl Fn(&mut S),
) -> Trial {
    let most = late * 2;
    let limits = Limits {
        call_stacks: most,
        late,
        most,
    };
    let mut floors = unscoped(|| Floors::new(late, most));
    let mut rise = Rise::default();
    let (bytes_before, blocks_before) = scope.live();
    let mut state = setup();
    let (start_bytes, start_blocks) = scope.live();
    let mut repetitions = 0;
    let outcome = loop {
        sequence(&mut state);
        repetitions += 1;
        let (bytes, blocks) = scope.live();
        let live = (
            bytes.saturating_sub(bytes_before),
            blocks.saturating_sub(blocks_before),
        );
        floors.observe(repetitions, &memory_levels(live.0, live.1));
        rise.note(repetitions, live);
        let is_large = repetitions >= FEWEST && bytes > start_bytes.saturating_add(MOST_BYTES);
        if is_large || repetitions >= FEWEST && repetitions.is_power_of_two() {
            let outcome = unscoped(|| judge(&floors, repetitions, limits, is_large));
            if let Some(outcome) = outcome {
                break outcome;
            }
        }
    };
    let (end_bytes, end_blocks) = scope.live();
    drop(state);
    let is_even = rise.since <= repetitions / 2;
    let trial = Trial {
        outcome,
        repetitions,
        each: is_even.then_some(rise.each),
        risen_bytes: end_bytes.saturating_sub(start_bytes),
        risen_blocks: end_blocks.saturating_sub(start_blocks),
        left_bytes: scope.live().0.saturating_sub(bytes_before),
    };
    unscoped(|| drop(floors));
    trial
}

/// What can be said so far; none if more repetitions are needed.
fn judge(floors: &Floors, repetitions: u64, limits: Limits, is_last: bool) -> Option<Outcome> {
    let seen = Seen {
        windows: floors.windows(),
        traffic: Traffic {
            steps: repetitions,
            ..Traffic::default()
        },
        sites: &[],
        has_failed: false,
    };
    match verdict::ending(&seen, limits) {
        Some(Ending::Growing) => return Some(Outcome::Leaks),
        Some(Ending::Bounded) => return Some(Outcome::Rests),
        Some(Ending::ForCallStacks) | None => {}
    }
    if !is_last && repetitions < limits.most {
        return None;
    }
    let verdict = verdict::judge(&seen).verdict;
    Some(if verdict.is_growing() && is_last {
        Outcome::Leaks
    } else {
        Outcome::Open(verdict.reason().to_owned())
    })
}
