//! A scenario that runs: what was asked of it, its scope, and its lease of the process.

use super::Scenario;
use super::process::ProcessLease;
use crate::alloc::{self, Trace};
use crate::isolation::{self, Wanted};
use crate::options::{self, CallStacks};
use crate::scope::Scope;
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// A scenario that runs: its scope, from the rehearsal to the diagnosis.
pub(crate) struct Run<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) scope: Scope,
    lease: ProcessLease,
    limits_before: (u64, u64),
    /// What the first run of the test said of this scenario, if this is the second, in
    /// which call stacks are taken.
    pub(super) first: Option<Wanted>,
    /// How many scenarios the process ran before it.
    pub(super) ordinal: usize,
    /// Whether a run before this one failed, and call stacks are to explain it.
    pub(super) has_failed: Cell<bool>,
    /// Whether no run with call stacks follows: this one is to show what shows without.
    pub(super) is_self_test: Cell<bool>,
    /// Whether its other threads went on when they were waited for.
    pub(super) never_rests: Cell<bool>,
    /// In a process that it shares, random numbers are the same in every run for this thread
    /// and those that it starts.
    _randomness: Option<alloc::AnsweredThread>,
}

impl<'a> Run<'a> {
    #[track_caller]
    pub(super) fn begin(scenario: &'a Scenario) -> Self {
        static RUNS: AtomicUsize = AtomicUsize::new(0);
        let ordinal = RUNS.fetch_add(1, Relaxed);
        let waits = scenario.needs_the_process_alone() && !alloc::is_whole_process();
        let lease = ProcessLease::take(waits);
        let scope = Scope::of_run(&scenario.name);
        let mut run = Self {
            scenario,
            scope,
            lease,
            limits_before: (0, 0),
            first: isolation::second_run(ordinal),
            ordinal,
            has_failed: Cell::new(false),
            is_self_test: Cell::new(false),
            never_rests: Cell::new(false),
            _randomness: isolation::may_answer_randomness()
                .then(|| alloc::AnsweredThread::begin(&scenario.full_name())),
        };
        let failed_first = run.first.as_ref().is_some_and(|first| first.failed);
        run.has_failed.set(failed_first);
        run.limits_before = run.refuse_above_budget();
        run
    }

    /// Allocations fail that would take what is live now above twice the memory budget:
    /// see [`Scenario::memory_budget`].
    pub(super) fn refuse_above_budget(&self) -> (u64, u64) {
        let budget = self.scenario.memory_budget.bytes();
        let live = self.scope.live().0;
        let limit = live.saturating_add(budget.saturating_mul(2));
        self.scope.refuse_above(live.saturating_add(budget), limit)
    }

    /// Whether this run is the one in which call stacks are taken.
    #[track_caller]
    pub(super) fn is_traced(&self) -> bool {
        let has_limit = self.scenario.needs_call_stacks();
        let is_tracked = Trace::is_of_process();
        if has_limit && alloc::is_whole_process() && !is_tracked && isolation::can_run_again() {
            // From the start of the process, or other threads would be untracked.
            isolation::restart_with_call_stacks();
        }
        let is_asked_for = match options::call_stacks() {
            CallStacks::Always => true,
            // What was asked for has the peak, which the first run does not know beforehand.
            CallStacks::Auto => is_tracked && !self.scenario.diagnose,
            CallStacks::Replay | CallStacks::OnFailure | CallStacks::Never => false,
        };
        self.first.is_some() || has_limit || is_asked_for
    }

    /// Whether a run with call stacks can follow this one in a new process, where nothing is
    /// left of it.
    pub(crate) fn may_be_followed(&self) -> bool {
        !self.is_self_test.get() && isolation::can_run_again() && options::allow_call_stacks()
    }

    /// Whether call stacks are to be explained, however this run comes out.
    pub(crate) fn is_to_explain(&self) -> bool {
        let asked = matches!(
            options::call_stacks(),
            CallStacks::Always | CallStacks::Replay
        );
        let has_limit = self.scenario.needs_call_stacks();
        asked || self.has_failed.get() || self.scenario.diagnose || has_limit
    }

    /// The figures of the process can be charged to it.
    pub(crate) fn has_process(&self) -> bool {
        alloc::is_whole_process() || self.lease.was_alone()
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        self.scope
            .refuse_above(self.limits_before.0, self.limits_before.1);
    }
}
