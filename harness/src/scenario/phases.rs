//! The parts of a run, from set-up to drop, and where a panic in them came from.

use super::Scenario;
use super::recorder::Recorder;
use super::runtime::{RUNTIME_BYTES, alive_tasks, state_on_runtime};
use super::stack::Stack;
use super::under_way::Run;
use crate::alloc::{MeasuredSteps, Trace, unscoped, with_stacks_from};
use crate::holders::State;
use crate::isolation::progress::{self, Position};
use crate::report::Report;
use crate::scope::Scope;
use crate::scope::panics::message_of;
use std::any::{Any, type_name};
use std::cell::Cell;
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// From set-up to drop.
#[track_caller]
pub(crate) fn once<S>(
    run: &Run<'_>,
    setup: &impl Fn() -> S,
    step: &impl Fn(&mut S, u64),
    trace: Option<&Trace>,
) -> Report {
    let scenario = run.scenario;
    let position = Cell::new(Position::Outside);
    let own = Scope::enter(&scenario.name);
    let on_runtime = state_on_runtime(type_name::<S>());
    let tasks = on_runtime.map(|_| alive_tasks as fn() -> u64);
    let mut recorder = recording(run, &own, trace, tasks);
    goes_to(&position, Position::SetUp, (0, 0));
    let mut state = guarded(scenario, &position, setup);
    if on_runtime.unwrap_or(type_name::<S>()) == type_name::<()>() {
        recorder.has_no_state();
    }
    let mut warm_up = scenario.warm_up;
    let mut requested_end = warm_up.saturating_add(scenario.steps);
    let mut is_extension = false;
    if recorder.is_over() {
        (warm_up, requested_end) = (0, 0);
    }
    let mut stack = Stack::begin(run, &own, |steps| {
        let nothing = |_: &mut S, _| steps.mark();
        on(Some(steps), &nothing, &mut state, 0, trace);
    });
    // All steps are called from one place, so that their call stacks are alike.
    for i in 0.. {
        if i == warm_up {
            recorder.start();
        }
        if i == requested_end {
            let runtime_bytes = on_runtime.map_or(0, |_| RUNTIME_BYTES);
            recorder.requested_steps_done(&State::of(&state, runtime_bytes), stack.end(i));
            is_extension = true;
        }
        if is_extension && !recorder.wants_more() {
            break;
        }
        goes_to(&position, Position::Step(i), recorder.last_seen());
        let on = || on(stack.steps(), step, &mut state, i, trace);
        if let Err(payload) = catch_unwind(AssertUnwindSafe(on)) {
            if !is_extension {
                escalate(scenario, &position, payload.as_ref());
            }
            unscoped(|| recorder.extension_panicked(&message_of(payload.as_ref())));
            break;
        }
        if i + 1 == requested_end {
            run.rest();
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
    guarded(scenario, &position, || {
        goes_to(&position, Position::Drop, (0, 0));
        drop(state);
    });
    unscoped(|| {
        recorder.state_dropped();
        recorder.into_report()
    })
}

/// Records a run, from now on.
fn recording<'a>(
    run: &'a Run<'a>,
    own: &'a Scope,
    trace: Option<&'a Trace>,
    tasks: Option<fn() -> u64>,
) -> Recorder<'a> {
    let mut recorder = unscoped(|| Recorder::new(run, own, trace, tasks));
    if let Some(trace) = trace {
        own.follow(trace);
    }
    recorder.begin();
    recorder
}

/// Runs a step on the stack that is measured, if it is: in one way, whatever the step is.
fn on<S>(
    measured: Option<&MeasuredSteps>,
    step: &impl Fn(&mut S, u64),
    state: &mut S,
    i: u64,
    trace: Option<&Trace>,
) {
    match measured {
        Some(steps) => steps.run(|| call(step, state, i, trace)),
        None => call(step, state, i, trace),
    }
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

/// Notes where the run is now, for this process and for who finds it dead; with the live
/// bytes and blocks.
pub(super) fn goes_to(position: &Cell<Position>, now: Position, (bytes, blocks): (u64, u64)) {
    position.set(now);
    progress::at(now, bytes, blocks);
}

/// Runs `work`; a panic in it becomes one that says where the run was.
#[track_caller]
pub(super) fn guarded<T>(
    scenario: &Scenario,
    position: &Cell<Position>,
    work: impl FnOnce() -> T,
) -> T {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(value) => value,
        Err(payload) => escalate(scenario, position, payload.as_ref()),
    }
}

/// Panics with what a part of the scenario panicked with, and where the run was.
#[track_caller]
fn escalate(scenario: &Scenario, position: &Cell<Position>, payload: &(dyn Any + Send)) -> ! {
    panic!(
        "memory scenario `{}`: {} panicked: {}",
        scenario.full_name(),
        position.get(),
        message_of(payload)
    )
}
