//! The messages for a test whose process did not reach its end.

use super::page::{Last, OverBudget};
use super::system;
use crate::text::duration;
use crate::text::{Blocks, Thousands};
use std::time::Duration;

/// How a process ended that was to run a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Death {
    /// The program did not come to the test.
    NeverStarted {
        status: String,
        printed: String,
    },
    /// It called `exit`.
    Exit(i32),
    Signal {
        signal: i32,
        has_ended: bool,
    },
    TimeLimit {
        limit: Duration,
        has_ended: bool,
    },
}

/// What is printed of it: what happened and where, and what was known by then.
pub(super) fn text(name: &str, death: &Death, last: &Last, output: &str) -> String {
    if let Death::NeverStarted { status, printed } = death {
        return never_started(name, status, printed);
    }
    let head = match &last.scenario {
        Some(scenario) => format!("memory scenario `{scenario}` failed"),
        None => format!("`{name}` failed"),
    };
    let mut text = format!("{head}: {}", reason(death, last, output));
    if last.live_blocks > 0 {
        text += &format!(
            "\n\n  live then: {} B in {}",
            Thousands(last.live_bytes),
            Blocks(last.live_blocks)
        );
    }
    if let Some(report) = &last.report {
        text += "\n\nthe report so far:\n\n";
        text += report.trim_end();
    }
    if let Some(over) = &last.over_budget {
        text += &over_budget(over);
    }
    if let Death::TimeLimit {
        has_ended: false, ..
    } = death
    {
        text += "\n\n";
        text += &match &last.stack_at_limit {
            Some(stack) => format!("its thread was at\n{}", stack_text(stack)),
            None => "where its thread was is not known: it did not answer".to_owned(),
        };
    }
    text.truncate(text.trim_end().len());
    text + "\n"
}

fn never_started(test: &str, status: &str, printed: &str) -> String {
    let printed = printed.trim();
    let printed = if printed.is_empty() {
        "nothing"
    } else {
        printed
    };
    format!(
        "highwater: the test program was started again for `{test}` alone, and did not run it \
         ({status}). With `in_process` in the attribute, or HIGHWATER_IN_PROCESS=1, the test \
         runs in this process. What was printed:\n{printed}\n"
    )
}

fn reason(death: &Death, last: &Last, output: &str) -> String {
    let at = last.position;
    if let Some(size) = last.stopped_at {
        return format!(
            "{at} went on allocating and was stopped: {} B more would take live memory above \
             twice the memory budget. Find out why it allocates so much, or raise \
             `Scenario::memory_budget`",
            Thousands(size)
        );
    }
    match death {
        Death::Exit(code) => format!("{at} called exit with code {code}"),
        Death::Signal {
            signal,
            has_ended: true,
        } => format!(
            "the process was ended by signal {} after the test's body had returned",
            signal_text(*signal)
        ),
        Death::Signal { signal, .. } => {
            let overflow = output.contains("has overflowed its stack");
            let why = if overflow { ": a stack overflowed" } else { "" };
            format!(
                "the process was ended by signal {} in {at}{why}",
                signal_text(*signal)
            )
        }
        Death::TimeLimit {
            limit,
            has_ended: true,
        } => format!(
            "the process did not end within {}, after the test's body had returned",
            duration::text(*limit)
        ),
        Death::TimeLimit { limit, .. } => format!(
            "did not end within {}: it was in {at}. The limit is `time_limit` in the attribute, \
             or HIGHWATER_TIME_LIMIT",
            duration::text(*limit)
        ),
        Death::NeverStarted { .. } => String::new(),
    }
}

fn over_budget(over: &OverBudget) -> String {
    format!(
        "\n\nthe allocation that passed the memory budget of {} B: {} B more, with {} B live, \
         at\n{}",
        Thousands(over.limit),
        Thousands(over.size),
        Thousands(over.live),
        stack_text(&over.stack)
    )
}

/// The names of a stack's addresses. The child is the same program as this one, at another
/// address.
fn stack_text(stack: &[u64]) -> String {
    let start = system::program().start;
    let addresses = stack
        .iter()
        .filter_map(|address| usize::try_from(*address).ok());
    let addresses: Vec<_> = addresses.map(|address| start + address).collect();
    crate::symbols::stack_text(&addresses)
}

/// Where the first of two runs was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum First {
    /// In a child, as the second.
    InAChild,
    /// In the process that the test runner has made, which starts the second one and is
    /// still there meanwhile.
    Alone,
}

/// Scenarios that failed in the first run, and not in the second.
pub(super) fn unsteady(names: &[String], says: Option<&str>, first: First) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    let (processes, differs) = match first {
        First::InAChild => (
            "processes that were started alike",
            "files that the first run left",
        ),
        First::Alone => (
            "a new process",
            "addresses, and what the first run left or still has, such as files and ports",
        ),
    };
    let mut text = format!(
        "memory scenario {} is unsteady: it failed in one run and passed in the next, in \
         {processes}. Find out what differs between two runs: time, threads that race, \
         randomness, {differs}",
        names.join(", ")
    );
    if let Some(says) = says {
        text += "\n\nthe second run said:\n\n";
        text += says.trim_end();
    }
    text + "\n"
}

pub(super) fn signal_text(signal: i32) -> String {
    let names = [
        (libc::SIGABRT, "SIGABRT"),
        (libc::SIGBUS, "SIGBUS"),
        (libc::SIGFPE, "SIGFPE"),
        (libc::SIGHUP, "SIGHUP"),
        (libc::SIGILL, "SIGILL"),
        (libc::SIGINT, "SIGINT"),
        (libc::SIGKILL, "SIGKILL"),
        (libc::SIGPIPE, "SIGPIPE"),
        (libc::SIGQUIT, "SIGQUIT"),
        (libc::SIGSEGV, "SIGSEGV"),
        (libc::SIGSYS, "SIGSYS"),
        (libc::SIGTERM, "SIGTERM"),
        (libc::SIGTRAP, "SIGTRAP"),
        (libc::SIGXCPU, "SIGXCPU"),
    ];
    match names.iter().find(|(number, _)| *number == signal) {
        Some((_, name)) => format!("{signal} ({name})"),
        None => signal.to_string(),
    }
}
