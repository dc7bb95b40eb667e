//! What happens when a [`Scenario`] is run: its parts, and where a panic in them
//! came from.

use crate::alloc::{Trace, unscoped, with_stacks_from};
use crate::byte_size::Thousands;
use crate::holders::State;
use crate::process::Turn;
use crate::recorder::{Recorder, Stop};
use crate::replay::{self, Sites};
use crate::report::{Repetition, Report, SelfTest};
use crate::scenario::Scenario;
use crate::scope::Scope;
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::hint::black_box;
use std::panic::{self, AssertUnwindSafe, Location, catch_unwind};
use std::sync::Once;

/// How often set-up and drop are repeated to see what is left each time.
const REPETITIONS: usize = 3;

/// The size of the blocks that a self-test leaks.
const LEAKED_BYTES: usize = 64;

/// All parts of a run, in their order, and what may follow it.
#[track_caller]
pub(crate) fn run<S>(
    scenario: &Scenario,
    setup: &impl Fn() -> S,
    step: &impl Fn(&mut S, u64),
) -> Report {
    let asked = replay::steps().map(|steps| scenario.clone().steps(steps));
    let scenario = asked.as_ref().unwrap_or(scenario);
    keep_panic_output_out_of_scopes();
    let turn = Turn::take(scenario.needs_the_process_alone());
    let rehearsal = Scope::enter(&scenario.name);
    rehearsal.refuse_above(hard_limit(scenario));
    guarded(scenario, &Cell::new(Place::Rehearsal), || {
        let mut state = setup();
        if scenario.warm_up > 0 || scenario.steps > 0 {
            step(&mut state, 0);
        }
    });
    drop(rehearsal);

    let mut report = if replay::sites() == Sites::Always || scenario.stop_at.is_some() {
        replay::traced(scenario, setup, step, &turn, None)
    } else {
        once(scenario, setup, step, &turn, None)
    };
    report.location = Some(Location::caller());
    report.test = test();
    if report.residue_bytes > 0 {
        report.repetition = repeat(scenario, setup, step);
    }
    let asks =
        scenario.self_test || std::env::var_os("HIGHWATER_SELF_TEST").is_some_and(|v| v == "1");
    if asks && report.verdict.is_bounded() {
        report.self_test = Some(self_test(scenario, setup, step, &turn, &report));
    }
    if replay::is_wanted(scenario, &report) {
        report.diagnosis = replay::replayed(scenario, setup, step, &turn, &report);
    }
    drop(turn);
    report.write();
    report
}

/// The test that this thread runs, as libtest names it: it gives the thread that name.
fn test() -> Option<String> {
    let name = std::thread::current().name()?.to_owned();
    (name != "main").then_some(name)
}

/// From set-up to drop.
#[track_caller]
pub(crate) fn once<S>(
    scenario: &Scenario,
    setup: &impl Fn() -> S,
    step: &impl Fn(&mut S, u64),
    turn: &Turn,
    trace: Option<&Trace>,
) -> Report {
    let place = Cell::new(Place::Setup);
    let mut recorder = Recorder::new(scenario, turn, trace);
    let scope = Scope::enter(&scenario.name);
    scope.refuse_above(hard_limit(scenario));
    if let Some(trace) = trace {
        scope.follow(trace);
    }
    let mut state = guarded(scenario, &place, setup);
    let mut requested_end = scenario.warm_up.saturating_add(scenario.steps);
    let mut is_extension = false;
    // All steps are called from one place, so that their call stacks are alike.
    for i in 0.. {
        if i == scenario.warm_up {
            recorder.start(&scope);
        }
        if i == requested_end {
            recorder.requested_steps_done(&scope, &State::of(&state));
            is_extension = true;
        }
        if is_extension && !recorder.wants_more() {
            break;
        }
        place.set(Place::Step(i));
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| call(step, &mut state, i, trace))) {
            if !is_extension {
                escalate(scenario, &place, payload.as_ref());
            }
            unscoped(|| recorder.extension_panicked(&message_of(payload.as_ref())));
            drop(payload);
            break;
        }
        if i >= scenario.warm_up {
            let ending = recorder.after_step(&scope);
            let is_over = matches!(ending, Some(Stop::MemoryBudget | Stop::Limit));
            if is_over && !is_extension {
                requested_end = i + 1;
            }
        }
    }
    guarded(scenario, &place, || {
        place.set(Place::Drop);
        drop(state);
    });
    recorder.state_dropped(&scope);
    drop(scope);
    recorder.into_report(scenario)
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

/// What live bytes may never pass; see [`Scenario::memory_budget`].
fn hard_limit(scenario: &Scenario) -> u64 {
    scenario.memory_budget.bytes().saturating_mul(2)
}

/// What set-up, some steps and drop leave behind each time. Not what the last one
/// leaves: a static may keep that until the next one takes its place. None if one
/// of them panics.
fn repeat<S>(
    scenario: &Scenario,
    setup: &impl Fn() -> S,
    step: &impl Fn(&mut S, u64),
) -> Option<Repetition> {
    let steps = scenario.steps.div_ceil(16);
    let mut scopes = Vec::with_capacity(REPETITIONS);
    for _ in 0..REPETITIONS {
        let scope = Scope::enter(&scenario.name);
        scope.refuse_above(hard_limit(scenario));
        let repetition = || {
            let mut state = setup();
            for i in 0..steps {
                step(&mut state, i);
            }
        };
        catch_unwind(AssertUnwindSafe(repetition)).ok()?;
        scopes.push(scope.handle());
    }
    let left = scopes[..REPETITIONS - 1]
        .iter()
        .map(|scope| scope.usage().live_bytes);
    Some(Repetition {
        residue_bytes: left.min().unwrap_or(0),
        steps,
    })
}

/// The same scenario with a leak, which the verdict must find.
#[track_caller]
// Whole blocks, and never less than none.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn self_test<S>(
    scenario: &Scenario,
    setup: &impl Fn() -> S,
    step: &impl Fn(&mut S, u64),
    turn: &Turn,
    sound: &Report,
) -> SelfTest {
    let Some(rate) = sound.verdict.detectable_blocks_per_step() else {
        return SelfTest::impossible();
    };
    let rate = rate * 2.0;
    let leaked = RefCell::new(Vec::new());
    let leaking = |state: &mut S, i: u64| {
        step(state, i);
        let blocks = |steps: u64| (steps as f64 * rate) as u64;
        for _ in blocks(i)..blocks(i + 1) {
            let block = black_box(Box::new([0_u8; LEAKED_BYTES]));
            unscoped(|| leaked.borrow_mut().push(block));
        }
    };
    let scenario = Scenario {
        ceilings: Vec::new(),
        ..scenario.clone()
    };
    let verdict = once(&scenario, setup, &leaking, turn, None).verdict;
    SelfTest::with_leak(LEAKED_BYTES as u64, rate, verdict)
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

/// A panic's message, its backtrace and the buffer that a test runner captures
/// them in are nothing that the scenario allocates: the hook that prints them
/// runs outside every scope.
fn keep_panic_output_out_of_scopes() {
    static INSTALLED: Once = Once::new();
    // A hook cannot be set by a thread that is panicking; the next run will.
    if !std::thread::panicking() {
        INSTALLED.call_once(|| {
            let print = panic::take_hook();
            panic::set_hook(Box::new(move |info| unscoped(|| print(info))));
        });
    }
}

/// Where in a run a panic came from.
#[derive(Clone, Copy)]
enum Place {
    Rehearsal,
    Setup,
    Step(u64),
    Drop,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rehearsal => f.write_str("the rehearsal (set-up, step 0 and drop)"),
            Self::Setup => f.write_str("set-up"),
            Self::Step(i) => write!(f, "step {}", Thousands(*i)),
            Self::Drop => f.write_str("dropping the state"),
        }
    }
}

fn message_of(payload: &(dyn Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "(the panic carried no text)".to_owned())
}
