//! What happens when a [`Scenario`] is run: its parts, and where a panic in them
//! came from.

use crate::accepted::accepted_by_environment;
use crate::alloc::{self, Trace, unscoped, with_stacks_from};
use crate::holders::State;
use crate::isolation::progress::{self, Place};
use crate::isolation::{self, Wanted};
use crate::options::{self, Sites};
use crate::panics::{self, message_of};
use crate::process::Turn;
use crate::recorder::Recorder;
use crate::replay;
use crate::report::{Accepted, Repetition, Report, SelfTest};
use crate::scenario::Scenario;
use crate::scope::Scope;
use crate::verdict::Verdict;
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// How often set-up and drop are repeated to see what is left each time.
const REPETITIONS: usize = 3;

/// The size of the blocks that a self-test leaks.
const LEAKED_BYTES: usize = 64;

/// A scenario that runs: its scope, from the rehearsal to the diagnosis.
pub(crate) struct Run<'a> {
    pub(crate) scenario: &'a Scenario,
    pub(crate) scope: Scope,
    pub(crate) turn: Turn,
    limits_before: (u64, u64),
    /// What the first run of the test said of this scenario, if this is the second, in
    /// which call stacks are taken.
    first: Option<Wanted>,
    /// The how manieth scenario of the process it is.
    ordinal: usize,
    /// Whether a run before this one failed, and call stacks are to explain it.
    has_failed: Cell<bool>,
    /// Whether no run with call stacks follows: this one is to show what shows without.
    is_self_test: Cell<bool>,
}

impl<'a> Run<'a> {
    #[track_caller]
    fn begin(scenario: &'a Scenario) -> Self {
        static RUNS: AtomicUsize = AtomicUsize::new(0);
        let ordinal = RUNS.fetch_add(1, Relaxed);
        let waits = scenario.needs_the_process_alone() && !alloc::is_whole_process();
        let turn = Turn::take(waits);
        let scope = Scope::of_run(&scenario.name);
        let mut run = Self {
            scenario,
            scope,
            turn,
            limits_before: (0, 0),
            first: isolation::second_run(ordinal),
            ordinal,
            has_failed: Cell::new(false),
            is_self_test: Cell::new(false),
        };
        let failed_first = run.first.as_ref().is_some_and(|first| first.failed);
        run.has_failed.set(failed_first);
        run.limits_before = run.refuse_above_budget();
        run
    }

    /// Allocations fail that would take what is live now above twice the memory budget:
    /// see [`Scenario::memory_budget`].
    fn refuse_above_budget(&self) -> (u64, u64) {
        let budget = self.scenario.memory_budget.bytes();
        let live = self.scope.live().0;
        let limit = live.saturating_add(budget.saturating_mul(2));
        self.scope.refuse_above(live.saturating_add(budget), limit)
    }

    /// Whether this run is the one in which call stacks are taken.
    #[track_caller]
    fn is_traced(&self) -> bool {
        let has_limit = self.scenario.stop_at.is_some();
        if has_limit && alloc::is_whole_process() && isolation::can_run_again() {
            // From the start of the process, or other threads would not be followed.
            isolation::restart_with_call_stacks();
        }
        self.first.is_some() || has_limit || options::sites() == Sites::Always
    }

    /// Gets call stacks for a report that is to have some: from a second process, where
    /// that can be had, or from a second run in this one.
    #[track_caller]
    fn diagnose<S>(
        &self,
        setup: &impl Fn() -> S,
        step: &impl Fn(&mut S, u64),
        report: &mut Report,
    ) {
        let asks = || {
            let name = self.scenario.full_name();
            // What call stacks are to decide has not failed yet.
            let is_open = report.is_left_open || report.is_inconclusive() && report.is_coarse;
            let failed = report.is_failure() && (!is_open || !report.breaches.is_empty())
                || report.verdict.is_overruled();
            isolation::wants_call_stacks(self.ordinal, &name, failed, report.peak_bytes);
        };
        if self.first.is_some() {
            asks();
            replay::about_the_peak(report);
        } else if replay::is_wanted(self.scenario, report) {
            if isolation::can_run_again() {
                asks();
            } else {
                let has_failed = report.verdict.is_growing() || !report.breaches.is_empty();
                self.has_failed.set(has_failed);
                replay::diagnose(self, setup, step, report);
            }
        }
    }

    /// Whether a run with call stacks can follow this one in a new process, where nothing is
    /// left of it.
    pub(crate) fn may_be_followed(&self) -> bool {
        !self.is_self_test.get() && isolation::can_run_again() && options::allow_call_stacks()
    }

    /// Whether call stacks are to be explained, however this run comes out.
    pub(crate) fn is_to_explain(&self) -> bool {
        self.has_failed.get() || replay::explains_all(self.scenario)
    }

    /// The figures of the process can be charged to it.
    pub(crate) fn has_process(&self) -> bool {
        alloc::is_whole_process() || self.turn.was_alone()
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        self.scope
            .refuse_above(self.limits_before.0, self.limits_before.1);
    }
}

/// All parts of a run, in their order, and what may follow it.
#[track_caller]
pub(crate) fn run<S>(
    scenario: &Scenario,
    setup: &impl Fn() -> S,
    step: &impl Fn(&mut S, u64),
) -> Report {
    let asked = options::steps().map(|steps| scenario.clone().steps(steps));
    let scenario = asked.as_ref().unwrap_or(scenario);
    panics::keep_output_out_of_scopes();
    unscoped(|| progress::scenario_starts(&scenario.full_name()));
    let run = Run::begin(scenario);
    let place = Cell::new(Place::Outside);
    goes_to(&place, Place::Rehearsal, (0, 0));
    guarded(scenario, &place, || {
        let mut state = setup();
        if scenario.warm_up > 0 || scenario.steps > 0 {
            step(&mut state, 0);
        }
    });

    let mut report = if run.is_traced() {
        let peak = run.first.as_ref().map(|first| first.peak_bytes);
        replay::traced(&run, setup, step, peak)
    } else {
        once(&run, setup, step, None)
    };
    report.location = Some(Location::caller());
    report.test = test();
    if report.residue_bytes > 0 {
        goes_to(&place, Place::Repetition, (0, 0));
        report.repetition = repeat(&run, setup, step);
    }
    let asks =
        scenario.self_test || std::env::var_os("HIGHWATER_SELF_TEST").is_some_and(|v| v == "1");
    if asks && report.verdict.is_bounded() {
        goes_to(&place, Place::SelfTest, (0, 0));
        report.self_test = Some(self_test(&run, setup, step, &report));
    }
    report.accepted = unscoped(|| accepted(scenario, &report));
    run.diagnose(setup, step, &mut report);
    report.accepted = unscoped(|| accepted(scenario, &report));
    drop(run);
    progress::scenario_ends();
    report.write();
    report
}

/// What is let through, for a reason that the scenario gives or its project.
fn accepted(scenario: &Scenario, report: &Report) -> Vec<Accepted> {
    let reason = |own: &Option<String>, variable| {
        let own = own.clone();
        own.or_else(|| accepted_by_environment(variable, &scenario.full_name()))
    };
    let mut accepted = Vec::new();
    let mut accept = |what, reason: Option<String>| {
        accepted.extend(reason.map(|reason| Accepted { what, reason }));
    };
    if report.is_inconclusive() {
        let own = &scenario.accept_inconclusive;
        let reason = reason(own, "HIGHWATER_ACCEPT_INCONCLUSIVE");
        accept(Accepted::INCONCLUSIVE, reason);
    }
    if report.residue_each_time().is_some() {
        let own = &scenario.accept_residue;
        accept(Accepted::RESIDUE, reason(own, "HIGHWATER_ACCEPT_RESIDUE"));
    }
    accepted
}

/// The test that this thread runs, as libtest names it: it gives the thread that name.
fn test() -> Option<String> {
    let name = std::thread::current().name()?.to_owned();
    (name != "main").then_some(name)
}

/// From set-up to drop.
#[track_caller]
pub(crate) fn once<S>(
    run: &Run<'_>,
    setup: &impl Fn() -> S,
    step: &impl Fn(&mut S, u64),
    trace: Option<&Trace>,
) -> Report {
    let scenario = run.scenario;
    let place = Cell::new(Place::Outside);
    let own = Scope::enter(&scenario.name);
    let mut recorder = unscoped(|| Recorder::new(run, &own, trace));
    if let Some(trace) = trace {
        own.follow(trace);
    }
    recorder.begin();
    goes_to(&place, Place::SetUp, (0, 0));
    let mut state = guarded(scenario, &place, setup);
    let mut warm_up = scenario.warm_up;
    let mut requested_end = warm_up.saturating_add(scenario.steps);
    let mut is_extension = false;
    if recorder.is_over() {
        (warm_up, requested_end) = (0, 0);
    }
    // All steps are called from one place, so that their call stacks are alike.
    for i in 0.. {
        if i == warm_up {
            recorder.start();
        }
        if i == requested_end {
            recorder.requested_steps_done(&State::of(&state));
            is_extension = true;
        }
        if is_extension && !recorder.wants_more() {
            break;
        }
        goes_to(&place, Place::Step(i), recorder.last_seen());
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| call(step, &mut state, i, trace))) {
            if !is_extension {
                escalate(scenario, &place, payload.as_ref());
            }
            unscoped(|| recorder.extension_panicked(&message_of(payload.as_ref())));
            drop(payload);
            break;
        }
        if i >= warm_up {
            let is_over = recorder.after_step();
            if is_over && !is_extension {
                requested_end = i + 1;
            }
        } else if recorder.is_over() {
            (warm_up, requested_end) = (i + 1, i + 1);
        }
    }
    guarded(scenario, &place, || {
        goes_to(&place, Place::Drop, (0, 0));
        drop(state);
    });
    unscoped(|| {
        recorder.state_dropped();
        recorder.into_report()
    })
}

/// Runs a step. Where its call stacks are taken, they end here: how the steps are
/// counted is no part of them.
#[inline(never)]
fn call<S>(step: &impl Fn(&mut S, u64), state: &mut S, i: u64, trace: Option<&Trace>) {
    if trace.is_some() {
        let mark = black_box(0_u8);
        with_stacks_from((&raw const mark) as usize, || step(state, i));
    } else {
        step(state, i);
    }
}

/// What set-up, some steps and drop leave behind each time: the least by which live memory
/// rises from one to the next. What a static keeps until something else takes its place
/// is no such rise. None if one of them panics, or passes the memory budget.
fn repeat<S>(
    run: &Run<'_>,
    setup: &impl Fn() -> S,
    step: &impl Fn(&mut S, u64),
) -> Option<Repetition> {
    let steps = run.scenario.steps.div_ceil(16);
    let budget = run.scenario.memory_budget.bytes();
    let mut before = run.scope.restart_peak().totals.live_bytes;
    let mut least = i64::MAX;
    for _ in 0..REPETITIONS {
        run.refuse_above_budget();
        let most = u64::try_from(before).unwrap_or(0).saturating_add(budget);
        let is_over = || run.scope.flushed_peak_bytes() > most;
        let repetition = || {
            let mut state = setup();
            (0..steps).all(|i| {
                step(&mut state, i);
                !is_over()
            })
        };
        let is_whole = catch_unwind(AssertUnwindSafe(repetition)).ok()?;
        if !is_whole {
            return None;
        }
        let after = run.scope.restart_peak().totals.live_bytes;
        least = least.min(after - before);
        before = after;
    }
    Some(Repetition {
        residue_bytes: u64::try_from(least).unwrap_or(0),
        steps,
    })
}

/// The same scenario with a leak, which the verdict must find. A run with a leak may be
/// one that shows less than the first; then the leak is made larger than what it shows.
#[track_caller]
fn self_test<S>(
    run: &Run<'_>,
    setup: &impl Fn() -> S,
    step: &impl Fn(&mut S, u64),
    sound: &Report,
) -> SelfTest {
    const TRIES: usize = 4;
    let mut shows = sound.verdict.detectable_blocks_per_step();
    let mut last = None;
    for _ in 0..TRIES {
        let Some(limit) = shows else { break };
        let rate = limit * 2.0;
        let verdict = with_leak(run, setup, step, rate);
        let own_limit = verdict.detectable_blocks_per_step();
        // One that stays bounded and shows less than was leaked has missed it.
        let is_decided = verdict.is_growing() || own_limit.is_some_and(|limit| limit <= rate);
        shows = own_limit.map(|limit| limit.max(rate));
        last = Some(SelfTest::with_leak(LEAKED_BYTES as u64, rate, verdict));
        if is_decided {
            break;
        }
    }
    last.unwrap_or_else(SelfTest::impossible)
}

/// The verdict of the scenario with so many blocks leaked in a step, every second one on a
/// thread that the step starts, where such threads are followed.
#[track_caller]
// Whole blocks, and never less than none.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn with_leak<S>(
    run: &Run<'_>,
    setup: &impl Fn() -> S,
    step: &impl Fn(&mut S, u64),
    rate: f64,
) -> Verdict {
    let has_threads = alloc::follows_threads() || alloc::is_whole_process();
    // Blocks of the scenario, in a list that is none of it.
    let plant = |count: u64| {
        let mut list = Vec::new();
        for _ in 0..count {
            let block = black_box(Box::new([0_u8; LEAKED_BYTES]));
            unscoped(|| list.push(block));
        }
        list
    };
    let leaked = RefCell::new(Vec::new());
    let leaking = |state: &mut S, i: u64| {
        step(state, i);
        let blocks = |steps: u64| (steps as f64 * rate) as u64;
        let planted = blocks(i)..blocks(i + 1);
        let elsewhere = planted.clone().filter(|n| n % 2 == 1 && has_threads);
        let elsewhere = elsewhere.count() as u64;
        let mut lists = [plant(planted.end - planted.start - elsewhere), Vec::new()];
        if elsewhere > 0 {
            let thread = std::thread::spawn(move || plant(elsewhere));
            lists[1] = thread.join().expect("nothing in it panics");
        }
        unscoped(|| leaked.borrow_mut().extend(lists.into_iter().flatten()));
    };
    run.is_self_test.set(true);
    let verdict = once(run, setup, &leaking, None).verdict;
    run.is_self_test.set(false);
    unscoped(|| drop(leaked));
    verdict
}

/// Notes where the run is now, for this process and for who finds it dead; with the live
/// bytes and blocks.
fn goes_to(place: &Cell<Place>, now: Place, (bytes, blocks): (u64, u64)) {
    place.set(now);
    progress::at(now, bytes, blocks);
}

/// Runs `work`; a panic in it becomes one that says where the run was.
#[track_caller]
fn guarded<T>(scenario: &Scenario, place: &Cell<Place>, work: impl FnOnce() -> T) -> T {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(value) => value,
        Err(payload) => escalate(scenario, place, payload.as_ref()),
    }
}

/// Panics with what a part of the scenario panicked with, and where the run was.
#[track_caller]
fn escalate(scenario: &Scenario, place: &Cell<Place>, payload: &(dyn Any + Send)) -> ! {
    panic!(
        "memory scenario `{}`: {} panicked: {}",
        scenario.full_name(),
        place.get(),
        message_of(payload)
    )
}
