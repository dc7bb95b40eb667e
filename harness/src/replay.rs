//! Running a scenario again, with call stacks, when it failed or that is asked for.
//!
//! Otherwise nothing in here costs anything: call stacks are taken in a run of their own.
//! `HIGHWATER_SITES` says when, and `HIGHWATER_STEPS` how many steps a run has.

use crate::alloc::Trace;
use crate::diagnosis::Diagnosis;
use crate::process::Turn;
use crate::report::{Breach, Ceiling, Report};
use crate::run::once;
use crate::scenario::Scenario;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// When call stacks are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sites {
    Always,
    Replay,
    OnFailure,
    Never,
}

/// What `HIGHWATER_SITES` asks for.
///
/// # Panics
/// If it asks for something else.
#[track_caller]
pub(crate) fn sites() -> Sites {
    let asked = std::env::var_os("HIGHWATER_SITES").unwrap_or_default();
    match asked.to_str() {
        Some("always") => Sites::Always,
        Some("replay") => Sites::Replay,
        Some("" | "on-failure") => Sites::OnFailure,
        Some("never") => Sites::Never,
        _ => panic!(
            "highwater: HIGHWATER_SITES is {asked:?}; it may be `always`, `replay`, \
             `on-failure` or `never`"
        ),
    }
}

/// Whether a run with call stacks is to follow: it was asked for, or what failed is
/// something that sites explain, and they are not known yet.
#[track_caller]
pub(crate) fn is_wanted(scenario: &Scenario, report: &Report) -> bool {
    let of_memory = |breach: &Breach| breach.ceiling.unit() == "bytes";
    let is_asked_for = match sites() {
        Sites::Always | Sites::Never => false,
        Sites::Replay => true,
        Sites::OnFailure => {
            scenario.diagnose
                || report.verdict.is_growing()
                || report.breaches.iter().any(of_memory)
        }
    };
    is_asked_for && report.diagnosis.is_none()
}

/// The steps that `HIGHWATER_STEPS` asks for, whatever the scenario says.
///
/// # Panics
/// If it asks for what is no number.
#[track_caller]
pub(crate) fn steps() -> Option<u64> {
    let asked = std::env::var_os("HIGHWATER_STEPS").filter(|asked| !asked.is_empty())?;
    match asked.to_str().map(str::parse) {
        Some(Ok(steps)) => Some(steps),
        _ => panic!(
            "highwater: HIGHWATER_STEPS is {asked:?}; it may be a number of steps, such as 10000"
        ),
    }
}

/// The scenario once more, with call stacks, and what they tell. What a static keeps from
/// the first run may keep the same steps from growing again; then they go on where that
/// ended. None where call stacks can't be taken, or the scenario panics this time.
pub(crate) fn replayed<S>(
    scenario: &Scenario,
    setup: &impl Fn() -> S,
    step: &impl Fn(&mut S, u64),
    turn: &Turn,
    first: &Report,
) -> Option<Diagnosis> {
    let replay = |first_step: u64| {
        let peak = (first_step == 0).then_some(first.peak_bytes);
        let step = |state: &mut S, i: u64| step(state, first_step + i);
        let again = || traced(scenario, setup, &step, turn, peak);
        let mut again = catch_unwind(AssertUnwindSafe(again)).ok()?;
        if let Some(diagnosis) = &mut again.diagnosis {
            diagnosis.starts_at(first_step);
        }
        Some(again)
    };
    let again = replay(0)?;
    if is_peak_alone(first) {
        let diagnosis = again.diagnosis;
        return diagnosis.map(|diagnosis| diagnosis.about_the_peak(first.peak_bytes));
    }
    if again.growth_bytes == first.growth_bytes || first.residue_bytes == 0 {
        return again.diagnosis;
    }
    let later = replay(scenario.warm_up + first.extended_steps)?;
    if later.growth_bytes >= again.growth_bytes {
        later.diagnosis
    } else {
        again.diagnosis
    }
}

/// Whether it was too much at one moment, and nothing else of memory is wrong.
fn is_peak_alone(report: &Report) -> bool {
    let of_memory = |breach: &&Breach| breach.ceiling.unit() == "bytes";
    let mut breaches = report.breaches.iter().filter(of_memory).peekable();
    breaches.peek().is_some()
        && breaches.all(|breach| breach.ceiling == Ceiling::Peak)
        && !report.verdict.is_growing()
}

/// From set-up to drop, with call stacks where they can be taken.
#[track_caller]
pub(crate) fn traced<S>(
    scenario: &Scenario,
    setup: &impl Fn() -> S,
    step: &impl Fn(&mut S, u64),
    turn: &Turn,
    peak_bytes: Option<u64>,
) -> Report {
    let trace = Trace::start();
    if let (Some(trace), Some(peak_bytes)) = (&trace, peak_bytes) {
        trace.note_peak_at(peak_bytes);
    }
    if let (Some(trace), Some(limit)) = (&trace, scenario.stop_at) {
        trace.stop_above(limit.bytes());
    }
    once(scenario, setup, step, turn, trace.as_ref())
}
