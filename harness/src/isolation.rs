//! A test in a process of its own.
//!
//! `#[highwater::test]` calls [`isolated`], which starts the same test program once more for
//! this one test and reports its outcome to the test runner. In the child everything that
//! allocates belongs to the test, whichever thread it runs on. A child that aborts, exhausts its
//! memory or hangs does not affect other tests.
//!
//! `parent.rs` starts the child, relays what it prints and waits for it; `child.rs` is
//! the other end. They share a page of memory, written by `progress.rs`, which shows where the
//! child was even if it was killed. They also share a pipe with `records.rs`, for what the child
//! reports itself. `failure.rs` words the message about a dead child. `environment.rs` gives
//! every child an environment of the same size. `output.rs` cuts off what the test runner
//! prints. `forked.rs` has children that are forked and not started anew, for
//! `each_allocation.rs`, in which each allocation of some work fails once. `system.rs` has the
//! calls of the system. Where tests are not given children,
//! `no_child.rs` and `no_system.rs` stand in, and tests stay in the process.

#[cfg(highwater_unix)]
mod child;
mod each_allocation;
#[cfg(highwater_unix)]
mod environment;
#[cfg(highwater_unix)]
mod failure;
#[cfg(highwater_linux)]
mod forked;
#[cfg(not(highwater_unix))]
mod no_child;
#[cfg(highwater_unix)]
mod output;
mod page;
#[cfg(highwater_unix)]
mod parent;
pub(crate) mod progress;
mod records;
#[cfg_attr(not(highwater_unix), path = "isolation/no_system.rs")]
mod system;

use crate::alloc;
use crate::scope::panics::message_of;
use crate::text::duration;
#[cfg(highwater_unix)]
#[doc(hidden)]
pub use child::started_for;
#[cfg(highwater_unix)]
use child::{is_listened_to, restart, runs_again, tell};
pub use each_allocation::{AllocationFailures, fail_each_allocation, fail_each_allocation_with};
#[cfg(not(highwater_unix))]
#[doc(hidden)]
pub use no_child::started_for;
#[cfg(not(highwater_unix))]
use no_child::{is_listened_to, restart, run_program, run_test, runs_again, tell};
#[cfg(highwater_unix)]
use parent::{run_program, run_test};
use std::cell::Cell;
use std::ffi::OsString;
use std::time::Duration;

/// A test that wants a process of its own. What the attribute writes.
#[derive(Clone, Copy, Debug)]
#[doc(hidden)]
pub struct Isolated {
    /// The path of the module, from the crate on.
    pub module: &'static str,
    /// The function's name, as the test runner prints it.
    pub name: &'static str,
    /// How long the process may take, in milliseconds, if it is not the usual.
    pub time_limit_ms: Option<u64>,
    /// Whether to stay in this process.
    pub in_process: bool,
    /// Whether randomness is the system's, and not from a fixed seed.
    pub real_random: bool,
    /// Whether any panic makes the test pass.
    pub any_panic_passes: bool,
}

/// Runs `body` in a process of its own, and panics if that fails.
///
/// # Panics
/// With what the body panicked with, or with what became of the process.
#[doc(hidden)]
#[track_caller]
pub fn isolated(test: &Isolated, body: fn()) {
    let job = Job {
        name: test.path(),
        arguments: None,
        time_limit: test.time_limit_ms.map(Duration::from_millis),
        real_random: test.real_random,
    };
    match why_in_process(test.in_process) {
        Some(Stay::Because(reason)) => {
            in_process_for(reason, test.real_random, body);
        }
        Some(Stay::InTheChild) => body(),
        None => run_test(&job, test.any_panic_passes, body),
    }
}

impl Isolated {
    /// What the test runner calls it: all but the crate's name.
    fn path(&self) -> String {
        match self.module.split_once("::") {
            Some((_, inside)) => format!("{inside}::{}", self.name),
            None => self.name.to_owned(),
        }
    }
}

/// A closure that a program which is no test runner runs in a child of itself: the same
/// program, started with these arguments, comes to the same call.
#[derive(Clone, Debug)]
#[doc(hidden)]
pub struct Child {
    /// What it is called in messages. The call in the child must have the same name.
    pub name: String,
    /// What the program is started with.
    pub arguments: Vec<OsString>,
    /// How long the process may take, if it is not the usual.
    pub time_limit: Option<Duration>,
    /// Whether randomness is the system's, and not from a fixed seed.
    pub real_random: bool,
}

/// What became of a [`Child`].
#[derive(Clone, Debug)]
#[doc(hidden)]
pub struct Ended {
    /// What the closure printed, on both of its outputs.
    pub output: String,
    /// Why it did not come to its end, if it did not: the text of its panic, or what
    /// became of the process.
    pub outcome: Result<(), String>,
}

impl Child {
    /// Runs `body` in a child and waits for it. In that child it runs the body and ends
    /// the process.
    pub fn run(&self, body: impl FnOnce() + Send) -> Ended {
        let job = Job {
            name: self.name.clone(),
            arguments: Some(self.arguments.clone()),
            time_limit: self.time_limit,
            real_random: self.real_random,
        };
        match why_in_process(false) {
            Some(Stay::Because(reason)) => {
                in_process_for(reason, self.real_random, || in_this_process(body))
            }
            Some(Stay::InTheChild) => in_this_process(body),
            None => run_program(&job, body),
        }
    }
}

fn in_this_process(body: impl FnOnce()) -> Ended {
    let run = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body));
    Ended {
        output: String::new(),
        outcome: run.map_err(|payload| message_of(payload.as_ref())),
    }
}

/// What is to be run in a child.
// Not needed where there are no children.
#[allow(dead_code)]
struct Job {
    name: String,
    /// Those of a program; a test runner's follow from the name.
    arguments: Option<Vec<OsString>>,
    time_limit: Option<Duration>,
    real_random: bool,
}

impl Job {
    /// How long the process may take.
    ///
    /// # Panics
    /// If `HIGHWATER_TIME_LIMIT` is no duration.
    // Not needed where there are no children.
    #[allow(dead_code)]
    #[track_caller]
    fn time_limit(&self) -> Duration {
        const USUAL: Duration = Duration::from_secs(600);
        let asked = std::env::var_os("HIGHWATER_TIME_LIMIT").filter(|asked| !asked.is_empty());
        let asked = asked.map(|asked| {
            duration::parse(&asked.to_string_lossy())
                .unwrap_or_else(|problem| panic!("highwater: HIGHWATER_TIME_LIMIT: {problem}"))
        });
        self.time_limit.or(asked).unwrap_or(USUAL)
    }
}

/// Why a test is not given a child.
enum Stay {
    InTheChild,
    Because(&'static str),
}

thread_local! {
    /// Why the test of this thread, which wants a process of its own, has none.
    static IN_PROCESS: Cell<Option<InProcess>> = const { Cell::new(None) };
}

/// A test that wants a process of its own and has none.
#[derive(Clone, Copy)]
struct InProcess {
    reason: &'static str,
    real_random: bool,
}

/// Runs the body of a test that has no process of its own, for this reason.
fn in_process_for<T>(reason: &'static str, real_random: bool, body: impl FnOnce() -> T) -> T {
    struct Back(Option<InProcess>);
    impl Drop for Back {
        fn drop(&mut self) {
            IN_PROCESS.set(self.0);
        }
    }
    let test = InProcess {
        reason,
        real_random,
    };
    let _back = Back(IN_PROCESS.replace(Some(test)));
    body()
}

fn why_in_process(asked: bool) -> Option<Stay> {
    if alloc::is_whole_process() {
        return Some(Stay::InTheChild);
    }
    let because = |reason| Some(Stay::Because(reason));
    if asked {
        because("the test asks for it by `in_process`")
    } else if std::env::var_os("HIGHWATER_IN_PROCESS").is_some_and(|value| value == "1") {
        because("HIGHWATER_IN_PROCESS=1 asks for it")
    } else if cfg!(miri) {
        because("Miri runs no other program")
    } else if !cfg!(highwater_unix) {
        because("on this system tests are not given processes of their own")
    } else {
        system::sanitizer().map(Stay::Because)
    }
}

/// Why the test of this thread, which wants a process of its own, has none; none if it
/// has one, or wants none.
pub(crate) fn in_process_reason() -> Option<&'static str> {
    IN_PROCESS.get().map(|test| test.reason)
}

/// Whether scenarios of this thread may be given random numbers that are the same in every run.
/// In a process of its own, a test has been given them from the start.
pub(crate) fn may_answer_randomness() -> bool {
    !alloc::is_whole_process() && !IN_PROCESS.get().is_some_and(|test| test.real_random)
}

/// A scenario that is to be run again with call stacks, in a process where nothing was
/// run before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The how manieth scenario of the test it is, from 0 on.
    pub(crate) ordinal: usize,
    pub(crate) name: String,
    /// Whether it failed, or is only to be explained.
    pub(crate) failed: bool,
    pub(crate) peak_bytes: u64,
}

/// Asks for a second run of this test, with call stacks, for one of its scenarios. In the
/// second run it says how that scenario came out. Does nothing where no second run can be.
pub(crate) fn wants_call_stacks(ordinal: usize, name: &str, failed: bool, peak_bytes: u64) {
    let wanted = Wanted {
        ordinal,
        name: name.to_owned(),
        failed,
        peak_bytes,
    };
    tell(&records::Record::Wanted(wanted));
}

/// Ends this run of the test; the second one follows at once. Not in the second run.
/// Returns where this run can't be ended: then it goes on as if there were no second one.
pub(crate) fn restart_with_call_stacks() {
    restart();
}

/// Whether a second run of the test can follow this one, in a new process.
pub(crate) fn can_run_again() -> bool {
    is_listened_to() && !is_second_run()
}

/// Whether the first run asked for call stacks, and this one takes them.
pub(crate) fn is_second_run() -> bool {
    runs_again().is_some()
}

/// What the first run said of the scenario with this number, if this is the second.
pub(crate) fn second_run(ordinal: usize) -> Option<Wanted> {
    let mut all = runs_again()?.iter();
    all.find(|wanted| wanted.ordinal == ordinal).cloned()
}

#[cfg(test)]
mod tests;
