//! The parent's part: which allocations fail, one child after another, and what became of each.

use super::groups::{self, Group};
use super::outcome::{Lost, Said};
use super::unhandled::{Outcome, Tried, Unhandled};
use super::{AllocationFailures, Task, text};
use crate::alloc::{Plan, Trace, unscoped};
use crate::isolation::forked::{self, Ended};
use crate::symbols::Names;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::time::{Duration, Instant};

/// Of more allocations so many are tried.
const BUDGET: u64 = 1_000;

/// Of so many groups is said where what leaks comes from; no more are shown.
const GROUPS: usize = 5;

/// How long a run may take, beside ten times what the first one took.
const USUAL: Duration = Duration::from_secs(30);
/// How long the first one may take.
const FIRST: Duration = Duration::from_secs(600);

/// What a child runs; none if it can't.
pub(super) type InChild<'a> = dyn FnMut(&Task<'_>) -> Option<Said> + 'a;

/// Tries each allocation.
///
/// # Panics
/// With the report if a failure is not handled, or with the reason why nothing can be told.
#[track_caller]
pub(super) fn each(in_child: &mut InChild<'_>) -> AllocationFailures {
    match all(in_child) {
        Ok(tried) => tried,
        Err(message) => panic!("{message}"),
    }
}

/// # Errors
/// With the report, or with the reason why nothing can be told.
fn all(in_child: &mut InChild<'_>) -> Result<AllocationFailures, String> {
    let no_process = |error: io::Error| {
        unscoped(|| format!("`fail_each_allocation`: a process could not be forked: {error}"))
    };
    let plan = Plan::new().map_err(no_process)?;
    let begun = Instant::now();
    let first = run(&task(&plan, 0), FIRST, in_child).map_err(no_process)?;
    let limit = USUAL + Duration::from_secs(begun.elapsed().as_secs() * 10);
    let left = match outcome(&first, FIRST) {
        Ok(left) => left,
        Err(outcome) => return Err(unscoped(|| text::of_first(&outcome))),
    };
    let allocations = plan.counted();
    if allocations == 0 {
        return Err(unscoped(text::without_allocations));
    }
    let mut tried = Tried {
        allocations,
        runs: 0,
        left,
        unhandled: Vec::new(),
    };
    for number in numbers(allocations) {
        plan.clear();
        let ended = run(&task(&plan, number), limit, in_child).map_err(no_process)?;
        tried.runs += 1;
        if let Some(outcome) = unhandled(&plan, &ended, limit, left) {
            let refused = unscoped(|| plan.refused());
            unscoped(|| {
                tried.unhandled.push(Unhandled {
                    number,
                    refused,
                    outcome,
                });
            });
        }
        if ended.is_over_time {
            // The next ones would take as long.
            break;
        }
    }
    if tried.unhandled.is_empty() {
        return Ok(AllocationFailures {
            allocations,
            tried: tried.runs,
            left,
        });
    }
    Err(report(&tried, &plan, in_child))
}

fn task(plan: &Plan, number: u64) -> Task<'_> {
    Task {
        plan,
        number,
        trace: None,
    }
}

/// The report of what was not handled. Runs the first leak of each of the first groups once
/// more, to say where what leaks comes from.
fn report(tried: &Tried, plan: &Plan, in_child: &mut InChild<'_>) -> String {
    let mut names = unscoped(Names::new);
    let mut groups = unscoped(|| groups::of(&tried.unhandled, &mut names));
    let is_leak = |group: &&mut Group<'_>| matches!(group.first.outcome, Outcome::Leaked { .. });
    let mut leaks = groups.iter_mut().take(GROUPS).filter(is_leak).peekable();
    // Before the children are there, for in there nobody gives it back.
    let trace = leaks.peek().and_then(|_| unscoped(Trace::start));
    if let Some(trace) = &trace {
        let mut lost = |number| {
            lost(
                &Task {
                    plan,
                    number,
                    trace: Some(trace),
                },
                in_child,
            )
        };
        let before = lost(0);
        for group in leaks {
            let lost = lost(group.first.number);
            group.origins = unscoped(|| groups::origins(&lost, &before, &mut names));
        }
    }
    unscoped(|| text::of(tried, &groups))
}

/// What is live after a run, as far as it says so.
fn lost(task: &Task<'_>, in_child: &mut InChild<'_>) -> Vec<Lost> {
    task.plan.clear();
    let ended = run(task, FIRST, in_child);
    let said = unscoped(|| ended.ok().and_then(|ended| Said::read(&ended.said)));
    match said {
        Some(Said::Returned { lost, .. }) => lost,
        _ => Vec::new(),
    }
}

/// The numbers of the allocations to fail: each, or as many as there may be, evenly spread.
fn numbers(allocations: u64) -> impl Iterator<Item = u64> {
    let count = allocations.min(BUDGET);
    // The last is the last, and the first is the first.
    let spread = move |index: u64| match count {
        0 | 1 => 1,
        _ => {
            let number = u128::from(index) * u128::from(allocations - 1) / u128::from(count - 1);
            1 + u64::try_from(number).unwrap_or(u64::MAX)
        }
    };
    (0..count).map(spread)
}

/// One child, in which the allocation with this number fails.
fn run(task: &Task<'_>, limit: Duration, in_child: &mut InChild<'_>) -> io::Result<Ended> {
    forked::run(limit, || {
        let said = in_child(task);
        unscoped(|| said.map(|said| said.bytes()).unwrap_or_default())
    })
}

/// What is live after a run that returned, or what became of it.
fn outcome(ended: &Ended, limit: Duration) -> Result<(u64, u64), Outcome> {
    let printed = || unscoped(|| ended.last_line.clone());
    if ended.is_over_time {
        return Err(Outcome::OverTime(limit));
    }
    match (Said::read(&ended.said), ended.status.signal()) {
        (_, Some(libc::SIGABRT)) => Err(Outcome::Aborted(printed())),
        (_, Some(signal)) => Err(Outcome::Signal(signal, printed())),
        (Some(Said::Returned { bytes, blocks, .. }), None) => Ok((bytes, blocks)),
        (Some(Said::Panicked(text)), None) => Err(Outcome::Panicked(text)),
        (Some(Said::Broken(text)), None) => Err(Outcome::Broken(text)),
        (None, None) => Err(Outcome::Exited(ended.status.code().unwrap_or(0))),
    }
}

/// What became of a run whose failure was not handled.
fn unhandled(plan: &Plan, ended: &Ended, limit: Duration, left: (u64, u64)) -> Option<Outcome> {
    match unscoped(|| outcome(ended, limit)) {
        Err(outcome) => Some(outcome),
        Ok(_) if !plan.is_refused() => Some(Outcome::NotReached),
        Ok((bytes, blocks)) => {
            let is_leak = bytes > left.0 || blocks > left.1;
            is_leak.then(|| Outcome::Leaked {
                bytes: bytes.saturating_sub(left.0),
                blocks: blocks.saturating_sub(left.1),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::numbers;

    #[test]
    fn few_are_all_tried_and_many_are_spread() {
        assert_eq!(numbers(1).collect::<Vec<_>>(), [1]);
        let all: Vec<_> = numbers(1_000).collect();
        assert_eq!(all, (1..=1_000).collect::<Vec<_>>());
        for allocations in [1_001, 1_002, 12_345, u64::MAX] {
            let some: Vec<_> = numbers(allocations).collect();
            assert_eq!((some.len(), some[0]), (1_000, 1));
            assert_eq!(some.last(), Some(&allocations));
            assert!(some.is_sorted_by(|one, next| one < next));
            let widest = some.windows(2).map(|pair| pair[1] - pair[0]).max();
            assert!(widest <= Some(allocations / 999 + 1));
        }
    }
}
