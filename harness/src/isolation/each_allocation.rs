//! [`fail_each_allocation`]: a piece of work in which each allocation fails once.
//!
//! The work is run in forked children: first without a failure, to count its allocations, then
//! once for each of them. A child reports how the work ended, and what is live afterwards
//! (`outcome.rs`); the parent chooses which allocations to fail and judges (`tried.rs`), and
//! prints the failures that were not handled (`unhandled.rs`) by their call stacks (`groups.rs`,
//! `text.rs`). Where processes are not forked, `no_tried.rs` stands in, and says so.

#[cfg(highwater_linux)]
mod groups;
mod outcome;
#[cfg(highwater_linux)]
mod text;
#[cfg_attr(not(highwater_linux), path = "each_allocation/no_tried.rs")]
mod tried;
#[cfg(highwater_linux)]
mod unhandled;

use crate::alloc::{self, Plan, Trace};
use crate::scope::Scope;
use crate::scope::panics::{self, message_of};
use crate::text::Thousands;
use outcome::{Levels, Said};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `work` once for each allocation that it makes, with that allocation failing, and panics
/// with a report if one of these failures is not handled.
///
/// Each run is in a process of its own, forked from this one. A first one, without a failure,
/// counts the allocations: blocks that this thread allocates or resizes in `work` through Rust's
/// global allocator, and with the feature `c-heap` in C too. In the run for a failure that
/// allocation returns null, once; those after it succeed. Of more than 1,000 allocations, 1,000
/// are tried, evenly spread, the first and the last among them.
///
/// A failure is handled if `work` returns, and no more is live after its value was dropped than
/// in the run without a failure. It is not handled if the process aborts, as it does in code that
/// can't return an error, such as `Vec::push`; if it is ended by another signal or exits; if
/// `work` panics; if it leaks; or if it does not end within 30 s and ten times what the first run
/// took. The report groups failures by the call stack of the allocation.
///
/// What `work` and the runs change in memory stays in their processes. Files, sockets and the
/// like are this process's too. Call it in `#[highwater::test]`: there no other test holds a lock
/// at the moment of a fork, for which a run would wait until its time is up.
///
/// ```
/// # #[global_allocator]
/// # static ALLOC: highwater::Alloc = highwater::Alloc::system();
/// use std::collections::TryReserveError;
///
/// fn doubled(prices: &[u64]) -> Result<Vec<u64>, TryReserveError> {
///     let mut doubled = Vec::new();
///     doubled.try_reserve_exact(prices.len())?;
///     doubled.extend(prices.iter().map(|price| price * 2));
///     Ok(doubled)
/// }
///
/// # if cfg!(target_os = "linux") {
/// let tried = highwater::fail_each_allocation(|| doubled(&[1, 2, 3]));
/// assert_eq!(tried.allocations(), 1);
///
/// let aborts = || highwater::fail_each_allocation(|| vec![1, 2, 3]);
/// assert!(std::panic::catch_unwind(aborts).is_err());
/// # }
/// ```
///
/// # Panics
/// If a failure is not handled. If the first run does not return, or allocates nothing on this
/// thread. If a run does not come to its allocation, because `work` allocates differently from
/// run to run. Elsewhere than on Linux, where nothing is tried. As [`Scope::enter`] does.
#[track_caller]
pub fn fail_each_allocation<T>(work: impl FnOnce() -> T) -> AllocationFailures {
    fail_each_allocation_with(|| (), |()| drop(work()), |(), ()| ())
}

/// As [`fail_each_allocation`], for work on a state, which is checked afterwards.
///
/// Each run makes a state with `set_up`, does `work` on it, in which one allocation fails, and
/// gives the state and what `work` returned to `check`. If that panics, the failure has left the
/// state broken. Then the state is dropped. In `set_up`, in `check` and in the drop no allocation
/// fails; what they leave counts as a leak too. After a panic of `work` there is no check.
///
/// ```
/// # #[global_allocator]
/// # static ALLOC: highwater::Alloc = highwater::Alloc::system();
/// # if cfg!(target_os = "linux") {
/// highwater::fail_each_allocation_with(
///     || vec![1, 2, 3],
///     |prices| prices.try_reserve(100),
///     |prices, _| assert_eq!(*prices, [1, 2, 3]),
/// );
/// # }
/// ```
///
/// # Panics
/// As [`fail_each_allocation`] does, and if `check` fails.
#[track_caller]
pub fn fail_each_allocation_with<S, T>(
    set_up: impl FnOnce() -> S,
    work: impl FnOnce(&mut S) -> T,
    check: impl FnOnce(&mut S, T),
) -> AllocationFailures {
    panics::keep_output_out_of_scopes();
    // So that the allocator is known to be there, and is told of forks.
    drop(Scope::enter("fail_each_allocation"));
    let mut given = Some((set_up, work, check));
    tried::each(&mut |task| {
        // In each child they are there once.
        let (set_up, work, check) = given.take()?;
        Some(in_child(task, set_up, work, check))
    })
}

/// What a child is to do.
struct Task<'a> {
    plan: &'a Plan,
    /// Of the allocation to fail; 0 for none.
    number: u64,
    /// By which it says what is lost, if it is asked for that.
    trace: Option<&'a Trace>,
}

/// What a child runs, in a scope of its own.
fn in_child<S, T>(
    task: &Task<'_>,
    set_up: impl FnOnce() -> S,
    work: impl FnOnce(&mut S) -> T,
    check: impl FnOnce(&mut S, T),
) -> Said {
    let scope = Scope::enter("fail_each_allocation");
    if let Some(trace) = task.trace {
        scope.follow(trace);
    }
    scope.note_allocations();
    let before = alloc::unscoped(|| task.trace.map(Levels::of));
    let ending = caught(Said::Panicked, || {
        let mut state = set_up();
        task.plan.begin(task.number);
        let done = caught(Said::Panicked, || work(&mut state));
        task.plan.end();
        let value = done?;
        caught(Said::Broken, || check(&mut state, value))?;
        drop(state);
        Ok(())
    });
    let (bytes, blocks) = scope.live();
    alloc::unscoped(|| match ending.and_then(|ending| ending) {
        Ok(()) => Said::Returned {
            bytes,
            blocks,
            lost: before
                .zip(task.trace)
                .map(|(before, trace)| before.lost_since(trace))
                .unwrap_or_default(),
        },
        Err(said) => said,
    })
}

/// Runs `work`, and makes something of its panic.
fn caught<R>(of: fn(String) -> Said, work: impl FnOnce() -> R) -> Result<R, Said> {
    catch_unwind(AssertUnwindSafe(work))
        .map_err(|payload| alloc::unscoped(|| of(message_of(payload.as_ref()))))
}

/// How many failures [`fail_each_allocation`] has tried, all of which were handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllocationFailures {
    allocations: u64,
    tried: u64,
    /// Live bytes and blocks after the run without a failure.
    left: (u64, u64),
}

impl AllocationFailures {
    /// The allocations that the work makes if none fails.
    pub fn allocations(&self) -> u64 {
        self.allocations
    }

    /// How many of them were failed, each in a run of its own.
    pub fn tried(&self) -> u64 {
        self.tried
    }

    /// What is live after the run without a failure, such as a static that was used for the
    /// first time, in bytes. A failure that leaves no more than that is no leak.
    pub fn left_bytes(&self) -> u64 {
        self.left.0
    }
}

impl fmt::Display for AllocationFailures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (tried, all) = (Thousands(self.tried), Thousands(self.allocations));
        write!(f, "{tried} of {all} allocation failures tried, all handled")
    }
}
