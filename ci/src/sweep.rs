//! A memory report of the tests that a project already has, without touching them: each runs in
//! a process of its own, with a library that counts what C's `malloc` family gives out.
//!
//! - `library` compiles that library, whose source is `sweep/preload.rs`.
//! - `binaries` builds the tests as cargo does, and lists them.
//! - `process` runs one test and reads what was counted.
//! - [`program`] does the same for any program.
//! - [`text`] prints what was found.

mod binaries;
mod library;
mod process;
pub mod program;
pub mod text;

use crate::project::ProjectError;
use binaries::Binary;
use process::{Ended, Figures, Processes};
use schemars::JsonSchema;
use serde::Serialize;
use std::ffi::OsString;
use std::num::NonZero;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// What the main thread of a test binary whose allocations are seen allocates at least when no
/// test runs: a third of what libtest does.
const FEWEST_BLOCKS: u64 = 200;
/// A name that no test has.
const NO_TEST: &str = "no test has this name";

/// What was found of one test.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "Test of a sweep")]
pub struct Swept {
    /// The test's name, as its binary lists it.
    pub test: String,
    /// The package that it belongs to.
    pub package: String,
    /// The test binary: the package for its library, `package::name` for an integration test,
    /// and `package::bin/name` and so on for others.
    pub binary: String,
    /// Whether it passed.
    pub status: Status,
    /// What it allocated; what is left is beyond what an empty run of the binary leaves.
    #[serde(flatten)]
    pub found: Found,
}

/// What a process allocated.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Found {
    /// The maximum of the live bytes; not known if `no_figures` says why.
    pub peak_bytes: Option<u64>,
    /// All bytes allocated, with the growth of resized blocks; not known likewise.
    pub total_bytes: Option<u64>,
    /// All blocks allocated; not known likewise.
    pub total_blocks: Option<u64>,
    /// Bytes that were live when the process ended, of a test beyond those of an empty run of its
    /// binary; not known likewise.
    pub left_bytes: Option<u64>,
    /// The same of blocks; not known likewise.
    pub left_blocks: Option<u64>,
    /// Why the figures are not known.
    pub no_figures: Option<String>,
}

impl From<Result<Figures, String>> for Found {
    fn from(figures: Result<Figures, String>) -> Self {
        let of = |figure: fn(&Figures) -> u64| figures.as_ref().ok().map(figure);
        Self {
            peak_bytes: of(|figures| figures.peak_bytes),
            total_bytes: of(|figures| figures.total_bytes),
            total_blocks: of(|figures| figures.total_blocks),
            left_bytes: of(|figures| figures.left_bytes),
            left_blocks: of(|figures| figures.left_blocks),
            no_figures: figures.err(),
        }
    }
}

/// How a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Its process exited with 0.
    Passed,
    /// It did not.
    Failed,
}

/// A test that has just ended.
#[derive(Clone, Copy, Debug)]
pub struct Finished<'a> {
    /// What was found.
    pub test: &'a Swept,
    /// What it printed, if it failed.
    pub output: &'a [u8],
    /// How many tests have ended, this one with them.
    pub done: usize,
    /// How many there are.
    pub of: usize,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SweepError {
    /// The system is another.
    #[error(
        "`sweep` works on Linux x86-64 with glibc alone, and this `rustc` compiles for `{0}`; \
         `cargo highwater run` works here, with tests that use the library"
    )]
    Unsupported(String),
    /// `rustc` refused the counting library.
    #[error(
        "the counting library was not compiled: rustc ended with {0}, and what it said is above; \
         the library needs Rust 1.85 or later, its standard library for this machine, and a linker"
    )]
    Library(ExitStatus),
    /// Nothing is to be run.
    #[error(
        "there is no test to run; `cargo highwater sweep -- ARGUMENTS -- FILTER` chooses packages \
         and binaries as `cargo test` does, and leaves ignored tests and doctests out"
    )]
    NoTests,
    /// A binary does not work as libtest's do.
    #[error(
        "the test binary {binary} does not list its tests: `--list --format terse` ended with \
         {status}; leave it out, for instance by `cargo highwater sweep -- --lib`"
    )]
    NotListed {
        /// What it is called.
        binary: String,
        /// How it ended.
        status: ExitStatus,
    },
    /// The tests were not built.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// Cargo does not describe the packages.
    #[error("cargo could not describe the project: {}", .0.to_string().trim())]
    Cargo(#[from] cargo_metadata::Error),
}

/// Builds the tests, runs each in a process of its own, and returns what was found, worst first.
///
/// The counting library is kept in `directory`. `arguments` are those of `cargo test`; what
/// stands behind a `--` in them chooses among the tests of a binary. `finished` is called for
/// each test when it has ended.
///
/// # Errors
/// If the tests are not built or listed, if there is none, or if the system is another.
pub fn sweep(
    directory: &Path,
    arguments: &[OsString],
    finished: &(dyn Fn(Finished<'_>) + Sync),
) -> Result<Vec<Swept>, SweepError> {
    let library = library::compiled(directory)?;
    let (of_cargo, filters) = match arguments.iter().position(|argument| argument == "--") {
        Some(at) => (&arguments[..at], &arguments[at + 1..]),
        None => (arguments, &[][..]),
    };
    let processes = Processes::new(&library)?;
    let binaries = binaries::build(of_cargo)?;
    let mut jobs = Vec::new();
    for binary in &binaries {
        let names = binary.tests(filters)?;
        if !names.is_empty() {
            let empty = EmptyRun::of(&processes.run(binary, NO_TEST)?);
            jobs.extend(names.into_iter().map(|name| (binary, name, empty.clone())));
        }
    }
    if jobs.is_empty() {
        return Err(SweepError::NoTests);
    }
    let mut tests = all(&processes, &jobs, finished)?;
    tests.sort_by(|one, other| worst_first(one).cmp(&worst_first(other)));
    Ok(tests)
}

/// Runs the jobs, as many at a time as there are cores.
fn all(
    processes: &Processes,
    jobs: &[(&Binary, String, EmptyRun)],
    finished: &(dyn Fn(Finished<'_>) + Sync),
) -> Result<Vec<Swept>, ProjectError> {
    let next = AtomicUsize::new(0);
    let tests = Mutex::new(Vec::with_capacity(jobs.len()));
    let work = || {
        while let Some((binary, name, empty)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            let ended = processes.run(binary, name)?;
            let test = swept(binary, name, empty, &ended);
            // Nobody panics while it is locked, and if so, what is in there is whole.
            let mut tests = tests.lock().unwrap_or_else(PoisonError::into_inner);
            finished(Finished {
                test: &test,
                output: &ended.output,
                done: tests.len() + 1,
                of: jobs.len(),
            });
            tests.push(test);
        }
        Ok(())
    };
    let workers = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let ends = workers.into_iter().map(|worker| match worker.join() {
            Ok(end) => end,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        ends.collect::<Result<(), ProjectError>>()
    })?;
    Ok(tests.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// What an empty run of a binary says of its tests.
#[derive(Clone, Debug)]
enum EmptyRun {
    /// What it leaves behind: bytes and blocks.
    Left(u64, u64),
    /// Why its tests have no figures.
    Unseen(&'static str),
}

impl EmptyRun {
    fn of(empty: &Ended) -> Self {
        match &empty.figures {
            None => {
                Self::Unseen("the binary is linked statically, or does not load other libraries")
            }
            Some(figures) if figures.main_blocks < FEWEST_BLOCKS => {
                Self::Unseen("the binary, or a library loaded first, has an allocator of its own")
            }
            Some(figures) => Self::Left(figures.left_bytes, figures.left_blocks),
        }
    }
}

fn swept(binary: &Binary, name: &str, empty: &EmptyRun, ended: &Ended) -> Swept {
    Swept {
        test: name.to_owned(),
        package: binary.package.clone(),
        binary: binary.id.clone(),
        status: if ended.status.success() {
            Status::Passed
        } else {
            Status::Failed
        },
        found: figures(empty, ended).into(),
    }
}

/// The figures of a test, beyond what an empty run leaves; or why there are none.
fn figures(empty: &EmptyRun, ended: &Ended) -> Result<Figures, String> {
    let (bytes, blocks) = match empty {
        EmptyRun::Unseen(reason) => return Err((*reason).to_owned()),
        EmptyRun::Left(bytes, blocks) => (bytes, blocks),
    };
    match &ended.figures {
        Some(figures) if figures.total_blocks > 0 => Ok(Figures {
            left_bytes: figures.left_bytes.saturating_sub(*bytes),
            left_blocks: figures.left_blocks.saturating_sub(*blocks),
            ..figures.clone()
        }),
        Some(_) => Err("the test ran on the main thread, with the test runner".to_owned()),
        None if ended.status.code().is_some() => Err(
            "its process ended by `_exit`, became another program, or could not write them"
                .to_owned(),
        ),
        None => Err(format!("its process ended by {}", ended.how())),
    }
}

/// Failures; then those that leave most, and of those the highest peaks; then those that have
/// no figures; and by name where that is the same.
fn worst_first(test: &Swept) -> impl Ord + '_ {
    let most_first = std::cmp::Reverse;
    (
        test.status != Status::Failed,
        most_first(test.found.left_bytes),
        most_first(test.found.left_blocks),
        most_first(test.found.peak_bytes),
        (&test.binary, &test.test),
    )
}
