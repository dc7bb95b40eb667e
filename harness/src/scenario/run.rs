//! Runs a [`Scenario`]: its parts in their order, and the runs that may follow.

use super::accepted::{accepted_by_environment, accepted_leaks};
use super::phases::{goes_to, guarded, once};
use super::runtime::forget_futures;
#[cfg(feature = "tokio")]
use super::runtime::{OnRuntime, is_in_async_code};
use super::under_way::Run;
use super::{Scenario, replay};
use crate::alloc::{self, unscoped};
use crate::isolation;
use crate::isolation::progress::{self, Position};
use crate::options;
use crate::report::{Accepted, Ceiling, Repetition, Report, SelfTest};
use crate::scope::panics;
use crate::verdict::Verdict;
use std::cell::{Cell, RefCell};
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};

/// How often set-up and drop are repeated to see what is left each time.
const REPETITIONS: usize = 3;

/// The size of the blocks that a self-test leaks.
const LEAKED_BYTES: usize = 64;

impl Scenario {
    /// Runs the scenario, writes its report to `target/highwater/` and returns
    /// it. A failure does not panic here: read the report, or call [`Report::assert`].
    ///
    /// A run has these parts, in this order:
    ///
    /// 1. *rehearsal*: set-up, one step, drop. It fills statics and thread-locals that are
    ///    filled at their first use. What is live then is not charged to the run, and threads
    ///    that it started still count in the run
    /// 2. *set-up*, then the *warm-up* steps, if any were asked for
    /// 3. the requested *steps*: growth, peak and totals are those at their end
    /// 4. the *extension*: more steps, for the verdict alone
    /// 5. the *drop* of the state: what is live then is residue
    /// 6. *repetitions*, if there was residue: set-up, a sixteenth of the requested
    ///    steps and drop, three times. If each leaves more, the scenario fails
    ///
    /// Between these parts it waits until the scenario's other threads rest, for at most a second,
    /// so that its figures don't depend on how far a thread has come that starts or ends (Linux).
    /// Random numbers that libc's `getrandom` gives to its threads follow from its name, and are
    /// the same in every run (Linux with glibc, feature `threads`).
    ///
    /// In a process of its own, as `#[highwater::test]` gives one, everything that happens in
    /// the process counts. In a plain test the calling thread counts, with those that are
    /// started in the scenario: see [`Report::coverage`]. Output of a step counts there if the
    /// test runner keeps it in memory, as plain `cargo test` does.
    ///
    /// `setup` makes the state. `step` is given the state and the number of the
    /// step, from 0 on, warm-up included. Both may be called again, for another state.
    ///
    /// # Panics
    /// - If no counting allocator is installed. The message shows the lines to add.
    /// - If `setup`, a requested step or the state's drop panics. The message says where. A
    ///   panic in the extension only ends the extension.
    /// - As [`Scope::enter`](crate::Scope::enter) does.
    /// - If there is a [`future_ceiling`](Self::future_ceiling), which is for `run_async`.
    /// - If `HIGHWATER_STEPS` or `HIGHWATER_SITES` has a value that is not allowed.
    /// - If `cargo highwater` runs the test and the report can't be written, or if another
    ///   scenario of the test has the same name and other figures.
    ///
    /// Without `cargo highwater`, a report that can't be written is only a line on standard
    /// error.
    #[track_caller]
    pub fn run<S>(&self, setup: impl Fn() -> S, step: impl Fn(&mut S, u64)) -> Report {
        refuse_future_ceiling(self);
        run(self, &setup, &step)
    }

    /// Runs a scenario whose set-up and steps are async, as [`run`](Self::run) does
    /// otherwise.
    ///
    /// They run on a current-thread tokio runtime with what tokio's features give
    /// it. It is made in the set-up, so that what it allocates counts, and the
    /// tasks spawned on it too; it is dropped after the state. After each step, tasks run
    /// until none can go on: a task that is spawned and not awaited is done before the next
    /// step, unless it waits for something. A task that never waits is interrupted after some
    /// 60,000 polls.
    ///
    /// # Panics
    /// As [`run`](Self::run) does, if the runtime cannot be made, and if it is called in async
    /// code that tokio runs, such as that of a `#[tokio::test]`.
    #[cfg(feature = "tokio")]
    #[track_caller]
    // By value, as `run` takes them.
    #[allow(clippy::needless_pass_by_value)]
    pub fn run_async<S>(
        &self,
        setup: impl AsyncFn() -> S,
        step: impl AsyncFn(&mut S, u64),
    ) -> Report {
        assert!(
            !is_in_async_code(),
            "highwater: memory scenario `{}` makes a runtime of its own.\n\
             It cannot do so in async code that another runtime runs, as in a \
             `#[tokio::test]`.\n\n\
             Write the step as the test:\n\n    \
             #[highwater::test(steps = 10_000, state = Service::new().await)]\n    \
             async fn orders_are_bounded(service: &mut Service) {{ ... }}\n\n\
             or call `run_async` in a plain test:\n\n    \
             #[test]\n    \
             fn orders_are_bounded() {{ Scenario::new(\"orders\").run_async(...).assert(); }}\n",
            self.full_name()
        );
        run(
            self,
            &|| OnRuntime::new(&setup),
            &|on_runtime: &mut OnRuntime<S>, i| on_runtime.step(&step, i),
        )
    }
}

/// All parts of a run, in their order, and what may follow it.
#[track_caller]
fn run<S>(scenario: &Scenario, setup: &impl Fn() -> S, step: &impl Fn(&mut S, u64)) -> Report {
    let asked = options::steps().map(|steps| scenario.clone().steps(steps));
    let scenario = asked.as_ref().unwrap_or(scenario);
    forget_futures();
    panics::keep_output_out_of_scopes();
    unscoped(|| progress::scenario_starts(&scenario.full_name()));
    let run = Run::begin(scenario);
    let position = Cell::new(Position::Outside);
    goes_to(&position, Position::Rehearsal, (0, 0));
    guarded(scenario, &position, || {
        let mut state = setup();
        if scenario.warm_up > 0 || scenario.steps > 0 {
            step(&mut state, 0);
        }
    });
    run.rest();

    let mut report = if run.is_traced() {
        let peak = run.first.as_ref().map(|first| first.peak_bytes);
        replay::traced(&run, setup, step, peak)
    } else {
        once(&run, setup, step, None)
    };
    report.location = Some(Location::caller());
    report.test = test();
    if report.residue_bytes > 0 {
        goes_to(&position, Position::Repetition, (0, 0));
        report.repetition = repeat(&run, setup, step);
    }
    let asks =
        scenario.self_test || std::env::var_os("HIGHWATER_SELF_TEST").is_some_and(|v| v == "1");
    if asks && report.verdict.is_bounded() {
        goes_to(&position, Position::SelfTest, (0, 0));
        report.self_test = Some(self_test(&run, setup, step, &report));
    }
    report.accepted = unscoped(|| accepted(scenario, &report));
    diagnose(&run, setup, step, &mut report);
    report.accepted = unscoped(|| accepted(scenario, &report));
    drop(run);
    progress::scenario_ends();
    report.write();
    report
}

/// A ceiling on futures where there are none would never be passed.
#[track_caller]
fn refuse_future_ceiling(scenario: &Scenario) {
    assert!(
        !scenario.has_ceiling(Ceiling::Future),
        "highwater: memory scenario `{}` has a ceiling on the future of a step, and its steps \
         are not async.\n\
         Run it with `run_async`, or remove `future_ceiling`.",
        scenario.full_name()
    );
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
    accepted.extend(accepted_leaks(report));
    accepted
}

/// The test that this thread runs, as libtest names it: it gives the thread that name.
fn test() -> Option<String> {
    let name = std::thread::current().name()?.to_owned();
    (name != "main").then_some(name)
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
        let is_complete = catch_unwind(AssertUnwindSafe(repetition)).ok()?;
        if !is_complete {
            return None;
        }
        run.rest();
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
/// thread that the step starts, where such threads are tracked.
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

/// Gets call stacks for a report that is to have some: from a second process, where
/// that can be had, or from a second run in this one.
#[track_caller]
fn diagnose<S>(
    run: &Run<'_>,
    setup: &impl Fn() -> S,
    step: &impl Fn(&mut S, u64),
    report: &mut Report,
) {
    let asks = || {
        let name = run.scenario.full_name();
        // What call stacks are to decide has not failed yet.
        let is_open = report.is_left_open || report.is_inconclusive() && report.is_coarse;
        let failed = report.is_failure() && (!is_open || !report.breaches.is_empty())
            || report.verdict.is_overruled()
            // It failed in the first run, where nobody knew its call sites.
            || report.is_accepted(Accepted::LEAK);
        isolation::wants_call_stacks(run.ordinal, &name, failed, report.peak_bytes);
    };
    if run.first.is_some() {
        asks();
    } else if replay::is_wanted(run.scenario, report) {
        if isolation::can_run_again() {
            asks();
        } else {
            let has_failed = report.verdict.is_growing() || !report.breaches.is_empty();
            run.has_failed.set(has_failed);
            replay::diagnose(run, setup, step, report);
        }
    }
    replay::choose_subject(report);
}
