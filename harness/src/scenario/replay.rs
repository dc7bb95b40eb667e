//! Runs a scenario again in call-stack mode: when it failed, when call stacks may decide what
//! memory as a whole left open, or on request.
//!
//! A first run that took call stacks needs no second, except for what the call sites held at the
//! peak: how high it is must be known before.

use super::Scenario;
use super::phases::once;
use super::under_way::Run;
use crate::alloc::{self, Trace, unscoped};
use crate::diagnosis::{Diagnosis, Subject};
use crate::options::{CallStacks, call_stacks};
use crate::report::{Breach, Ceiling, Report};
use crate::scope::panics::message_of;
use crate::text::Thousands;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Whether a run with call stacks is to follow: it was asked for, or what failed is
/// something that sites explain, and they are not known yet.
#[track_caller]
pub(crate) fn is_wanted(scenario: &Scenario, report: &Report) -> bool {
    let of_memory = |breach: &Breach| breach.ceiling.is_of_memory();
    let is_asked_for = match call_stacks() {
        CallStacks::Always | CallStacks::Never => false,
        CallStacks::Replay => true,
        CallStacks::Auto | CallStacks::OnFailure => {
            scenario.diagnose
                || report.is_coarse
                || report.verdict.is_growing()
                || report.breaches.iter().any(of_memory)
        }
    };
    let is_known = |diagnosis: &Diagnosis| diagnosis.has_peak() || !is_peak_alone(report);
    is_asked_for && !report.diagnosis.as_ref().is_some_and(is_known)
}

/// The scenario once more, with call stacks, and what they tell; or why they tell nothing.
#[track_caller]
pub(crate) fn diagnose<S>(
    run: &Run<'_>,
    setup: &impl Fn() -> S,
    step: &impl Fn(&mut S, u64),
    report: &mut Report,
) {
    let again = || traced(run, setup, step, Some(report.peak_bytes));
    match catch_unwind(AssertUnwindSafe(again)) {
        Ok(again) => adopt(report, again),
        Err(payload) => {
            report.diagnosis_obstacle = Some(format!(
                "no call stacks: the second run, in which they are taken, panicked: {}",
                message_of(payload.as_ref())
            ));
        }
    }
}

/// Takes over what the second run tells.
fn adopt(report: &mut Report, again: Report) {
    if !again.has_sites {
        report.diagnosis_obstacle = Some(unavailable().to_owned());
        return;
    }
    if report.coverage.evidence.is_none() && decides(report, &again) {
        report.verdict = again.verdict;
        report.extended_steps = again.extended_steps;
    }
    if again.growth_bytes != report.growth_bytes
        && (again.diagnosis.is_some() || report.is_inconclusive())
        && !is_peak_alone(report)
    {
        report.diagnosis_obstacle = Some(format!(
            "the second run, with call stacks, grew by {} B and the first by {} B: \
             what the first left in statics or threads changed the second; in a \
             process of its own, by `#[highwater::test]`, they are alike",
            Thousands(again.growth_bytes),
            Thousands(report.growth_bytes)
        ));
    }
    report.diagnosis = again.diagnosis;
}

/// Whether the verdict of the second run takes the place of the first one's.
///
/// What grew in the first run may have filled statics: if the second grows otherwise, by more
/// than a part of what there is, it proves nothing.
fn decides(first: &Report, again: &Report) -> bool {
    if first.verdict.is_growing() {
        return again.verdict.is_overruled();
    }
    let tolerance = (first.growth_bytes.unsigned_abs() / 2).max(first.peak_bytes / 8);
    let is_alike = first.growth_bytes.abs_diff(again.growth_bytes) <= tolerance;
    again.verdict.is_growing() || first.is_coarse && is_alike
}

/// If the peak, or what the steps allocate, is all that failed, the diagnosis is about that.
pub(crate) fn choose_subject(report: &mut Report) {
    let diagnosis = report.diagnosis.take();
    report.diagnosis = diagnosis.map(|diagnosis| {
        if is_peak_alone(report) {
            diagnosis.about_the_peak(report.peak_bytes)
        } else if let Some(subject) = subject_of_steps(report) {
            diagnosis.about_the_steps(subject)
        } else {
            diagnosis
        }
    });
}

/// What of the steps the diagnosis is about, if nothing but ceilings on that and on the peak
/// was passed.
fn subject_of_steps(report: &Report) -> Option<Subject> {
    let mut ceilings = report.breaches.iter().map(|breach| breach.ceiling);
    let is_alone = ceilings
        .clone()
        .all(|ceiling| ceiling.is_of_step() || ceiling == Ceiling::Peak || !ceiling.is_of_memory());
    let has = |wanted| report.breaches.iter().any(|known| known.ceiling == wanted);
    let of_steps = if has(Ceiling::StepBlocks) {
        Subject::StepBlocks
    } else {
        Subject::StepBytes
    };
    let is_of_steps = ceilings.any(Ceiling::is_of_step);
    (is_of_steps && is_alone && !report.verdict.is_growing()).then_some(of_steps)
}

/// Why no call stacks were taken.
fn unavailable() -> &'static str {
    if cfg!(not(feature = "diagnosis")) {
        "no call stacks: highwater was built without its feature `diagnosis`"
    } else if cfg!(not(highwater_stacks)) {
        "no call stacks: they are taken on Linux and macOS alone, on x86-64 and AArch64"
    } else {
        "no call stacks: this scenario runs in a step of another, whose call stacks are taken, or \
         while a heap profile is recorded"
    }
}

/// Whether it was too much at one moment, and nothing else of memory is wrong.
fn is_peak_alone(report: &Report) -> bool {
    let of_memory = |breach: &&Breach| breach.ceiling.is_of_memory();
    let mut breaches = report.breaches.iter().filter(of_memory).peekable();
    breaches.peek().is_some()
        && breaches.all(|breach| breach.ceiling == Ceiling::Peak)
        && !report.verdict.is_growing()
}

/// From set-up to drop, with call stacks where they can be taken.
#[track_caller]
pub(crate) fn traced<S>(
    run: &Run<'_>,
    setup: &impl Fn() -> S,
    step: &impl Fn(&mut S, u64),
    peak_bytes: Option<u64>,
) -> Report {
    let trace = unscoped(Trace::start);
    // Where the process is traced, levels are its own.
    let live = if alloc::is_whole_process() {
        run.scope.live().0
    } else {
        0
    };
    if let (Some(trace), Some(peak_bytes)) = (&trace, peak_bytes) {
        trace.note_peak_at(live + peak_bytes);
    }
    if let (Some(trace), Some(limit)) = (&trace, run.scenario.stop_at) {
        trace.stop_above(live + limit.bytes());
    }
    once(run, setup, step, trace.as_ref())
}
