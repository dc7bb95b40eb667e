//! A memory report of the tests that a project already has, without touching them: each runs in
//! a process of its own, with a library that counts what C's `malloc` family gives out.
//!
//! - `library` compiles that library, whose source is in `sweep/preload/`, and checks it.
//! - `binaries` builds the tests as cargo does, and lists them; `elf` says what cannot be seen of
//!   one.
//! - [`found`] is what is known of a test then.
//! - `job` is what runs in a process of its own.
//! - `process` runs one test and reads what was counted.
//! - [`stacks`] names the call sites of what is left.
//! - [`program`] does the same for any program.
//! - [`recorded`] keeps what is known of tests in files; [`changes`] compares with it.
//! - [`text`] prints what was found, [`junit`] writes it for CI systems, and [`scaffold`] makes a
//!   scenario of it.

pub mod accepted;
mod binaries;
pub mod changes;
mod compiler;
mod elf;
pub mod found;
mod job;
pub mod junit;
mod library;
mod process;
pub mod program;
pub mod recorded;
pub mod scaffold;
pub mod stacks;
pub(crate) mod symbols;
pub mod text;

use crate::project::{AGAIN_TIMES, ProjectError};
use binaries::Listed;
use found::{Keep, Status, Swept};
use job::{EmptyRun, Job, What, whole};
use process::{Expected, Processes};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use symbols::Symbols;

/// Arguments of libtest that choose ignored tests.
const IGNORED: [&str; 2] = ["--ignored", "--include-ignored"];
/// A name that no test has.
const NO_TEST: &str = "no test has this name";

/// How much of a project was swept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All that `cargo test` without arguments runs.
    All,
    /// Some binaries.
    Binaries,
    /// Some tests of binaries.
    Tests,
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
    /// The system's loader would not find the library at its path, and neither at that of a copy in
    /// the directory for temporary files.
    #[error(
        "`LD_PRELOAD` can name no file whose path has a space, a `:` or a `$`, as `{}` and `{}` \
         have; set `TMPDIR` or `CARGO_TARGET_DIR` to a directory without them",
        .0.display(), .1.display()
    )]
    NotPreloadable(PathBuf, PathBuf),
    /// `rustc` does not say what it is asked.
    #[error("`rustc {argument}` ended with {status}: {said}; `RUSTC` names another compiler")]
    Compiler {
        /// The question.
        argument: &'static str,
        /// How it ended.
        status: ExitStatus,
        /// What it printed on standard error.
        said: String,
    },
    /// Nothing is to be run.
    #[error(
        "there is no test to run; `cargo highwater sweep -- ARGUMENTS -- FILTER` chooses packages \
         and binaries as `cargo test` does, and leaves ignored tests and doctests out"
    )]
    NoTests,
    /// Tests are to be chosen, and no binary lists them.
    #[error(
        "there is no test to run; {0}: {1}; behind the second `--`, a sweep takes names of tests, \
         `--exact` and `--skip NAME`"
    )]
    NotListed(String, String),
    /// Ignored tests are asked for.
    #[error(
        "`{0}` chooses ignored tests, and a sweep leaves them out: take `{0}` away, and the test's \
         `#[ignore]` to have it swept"
    )]
    Ignored(&'static str),
    /// The library does not count right on this machine.
    #[error(
        "the counting library does not count right on this machine, so nothing was run: {0}; \
         `cargo highwater run` works here, with tests that use the library"
    )]
    Untrusted(String),
    /// There is no such test, or there are several.
    #[error(
        "{0}; `cargo highwater sweep -- --lib` or `-- --test NAME` chooses a binary, and without \
         more, `sweep --top 1000` lists the tests"
    )]
    NoSuchTest(String),
    /// The test is not one of libtest's.
    #[error(
        "`{test}` of {binary} is no function with `#[test]`, because that binary has \
         `harness = false`: no scenario can call it; write one with `highwater::Scenario`"
    )]
    NoFunction {
        /// The test.
        test: String,
        /// Its binary.
        binary: String,
    },
    /// A file of baselines is not what was written.
    #[error(
        "{}: {problem}restore the file, or delete it and run `cargo highwater sweep --bless`",
        .path.display()
    )]
    Recorded {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column, and a line break at its end.
        problem: String,
    },
    /// The tests were not built.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// Cargo does not describe the packages.
    #[error("cargo could not describe the project: {}", .0.to_string().trim())]
    Cargo(#[from] cargo_metadata::Error),
}

/// A revision of the project.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// What it is called in messages.
    pub name: &'a str,
    /// Where cargo is run.
    pub directory: &'a Path,
    /// Where it builds, if that is not where this project does.
    pub target: Option<&'a Path>,
}

/// What is to be swept, and how.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Where the counting library is kept.
    pub directory: &'a Path,
    /// Paths of sources below it are told from there.
    pub root: &'a Path,
    /// What is swept.
    pub place: Place<'a>,
    /// Those of `cargo test`; what stands behind a `--` in them chooses among the tests of a
    /// binary.
    pub arguments: &'a [OsString],
    /// The most live bytes of a test.
    pub limit: Option<u64>,
}

/// Tests that are built and listed.
#[derive(Debug)]
pub struct Sweep {
    processes: Processes,
    jobs: Vec<Job>,
    /// The binaries that are not run.
    skipped: Vec<Swept>,
    symbols: Mutex<Symbols>,
    /// How much of the project this is.
    pub extent: Extent,
    /// Whether the tests are built with debug assertions, as by default.
    pub is_debug: bool,
}

impl Sweep {
    /// Makes sure of the counting library, and builds and lists the tests.
    ///
    /// # Errors
    /// If the library does not count right here, the tests are not built, or there is none.
    pub fn prepare(asked: Asked<'_>) -> Result<Self, SweepError> {
        let arguments = asked.arguments;
        let (of_cargo, filters) = match arguments.iter().position(|argument| argument == "--") {
            Some(at) => (&arguments[..at], &arguments[at + 1..]),
            None => (arguments, &[][..]),
        };
        let is_asked = |word: &&str| filters.iter().any(|filter| filter == word);
        if let Some(word) = IGNORED.into_iter().find(is_asked) {
            return Err(SweepError::Ignored(word));
        }
        let mut processes = library::checked(asked.directory)?;
        let mut jobs = Vec::new();
        let mut skipped = Vec::new();
        for binary in binaries::build(asked.place, of_cargo)? {
            let binary = Arc::new(binary);
            let job = |what| Job {
                binary: binary.clone(),
                what,
            };
            match binary.tests(filters) {
                Listed::Tests(names) if names.is_empty() => {}
                Listed::Tests(names) => {
                    let empty = EmptyRun::of(&binary, &processes.run(&binary, NO_TEST, None)?);
                    let tests = names
                        .into_iter()
                        .map(|name| job(What::Test(name, empty.clone())));
                    jobs.extend(tests);
                }
                Listed::Whole(reason) if filters.is_empty() => jobs.push(job(What::Whole(reason))),
                Listed::Whole(reason) => {
                    let reason = format!("{reason}, so that no filter can choose among them");
                    skipped.push(whole(
                        &binary,
                        Status::Skipped,
                        &reason,
                        Err(reason.clone()),
                    ));
                }
                Listed::NotStarted(reason) => jobs.push(job(What::NotStarted(reason))),
            }
        }
        if jobs.is_empty() {
            return Err(skipped.pop().map_or(SweepError::NoTests, |test: Swept| {
                SweepError::NotListed(test.binary, test.whole.unwrap_or_default())
            }));
        }
        processes.limit = asked.limit;
        Ok(Self {
            is_debug: jobs.iter().any(|job| job.binary.is_debug),
            extent: match (of_cargo, filters) {
                ([], []) => Extent::All,
                (_, []) => Extent::Binaries,
                _ => Extent::Tests,
            },
            symbols: Mutex::new(Symbols::new(asked.root)),
            processes,
            jobs,
            skipped,
        })
    }

    /// Runs each test in a process of its own, and returns what was found, worst first.
    /// `finished` is called for each test when it has ended.
    ///
    /// # Errors
    /// If a process can't be started.
    pub fn run(&self, finished: &(dyn Fn(Finished<'_>) + Sync)) -> Result<Vec<Swept>, SweepError> {
        let jobs: Vec<_> = self.jobs.iter().map(|job| (job, None)).collect();
        let mut tests = self.all(&jobs, finished)?;
        tests.extend(self.skipped.iter().cloned());
        tests.sort_by(|one, other| worst_first(one).cmp(&worst_first(other)));
        Ok(tests)
    }

    /// The packages whose tests these are.
    pub fn packages(&self) -> BTreeSet<&str> {
        let jobs = self.jobs.iter().map(|job| &*job.binary.package);
        let skipped = self.skipped.iter().map(|test| &*test.package);
        jobs.chain(skipped).collect()
    }

    /// Runs the one test with this name. `finished` is called for it when it has ended.
    ///
    /// # Errors
    /// If there is none, or several, or it is no function of libtest's.
    pub fn run_one(
        &self,
        name: &str,
        finished: &(dyn Fn(Finished<'_>) + Sync),
    ) -> Result<Swept, SweepError> {
        let is_it = |job: &&Job| matches!(&job.what, What::Test(test, _) if test == name);
        let jobs: Vec<_> = self.jobs.iter().filter(is_it).collect();
        match *jobs {
            [job] if !job.binary.has_harness => Err(SweepError::NoFunction {
                test: name.to_owned(),
                binary: job.binary.id.clone(),
            }),
            [job] => Ok(self.all(&[(job, None)], finished)?.remove(0)),
            [] => Err(SweepError::NoSuchTest(format!(
                "no test is called `{name}`"
            ))),
            _ => {
                let binaries: Vec<_> = jobs.iter().map(|job| &*job.binary.id).collect();
                let binaries = binaries.join(", ");
                let several = format!("several tests are called `{name}`: in {binaries}");
                Err(SweepError::NoSuchTest(several))
            }
        }
    }

    /// Runs each test again for which `keep` says which figures are to count then.
    ///
    /// # Errors
    /// If a process can't be started.
    pub fn run_again(
        &self,
        tests: &mut [Swept],
        keep: impl Fn(&Swept) -> Option<Keep>,
        finished: &(dyn Fn(Finished<'_>) + Sync),
    ) -> Result<(), SweepError> {
        let is_wanted = |job: &&Job| {
            let mut tests = tests.iter();
            tests.any(|test| job.is_of(test) && keep(test).is_some())
        };
        let jobs = self.jobs.iter().filter(is_wanted);
        let jobs: Vec<_> = jobs.map(|job| (job, None)).collect();
        for _ in 0..AGAIN_TIMES {
            for again in self.all(&jobs, finished)? {
                let is_it = |test: &&mut Swept| test.is_same(&again);
                if let Some(test) = tests.iter_mut().find(is_it)
                    && let Some(keep) = keep(test)
                {
                    test.found.take(&again.found, keep);
                }
            }
        }
        tests.sort_by(|one, other| worst_first(one).cmp(&worst_first(other)));
        Ok(())
    }

    /// Runs these tests again with call stacks, and puts down where what they leave behind and
    /// what they have at the peak was allocated.
    ///
    /// # Errors
    /// If a process can't be started.
    pub fn find_sites(
        &self,
        tests: &mut [Swept],
        is_wanted: impl Fn(&Swept) -> bool,
        finished: &(dyn Fn(Finished<'_>) + Sync),
    ) -> Result<(), SweepError> {
        let jobs: Vec<_> = tests
            .iter()
            .filter(|test| is_wanted(test))
            .filter_map(|test| {
                let job = self.jobs.iter().find(|job| job.is_of(test))?;
                let expected = Expected {
                    peak: test.found.peak_bytes.unwrap_or_default(),
                    blocks: test.found.total_blocks.unwrap_or_default(),
                };
                Some((job, Some(expected)))
            })
            .collect();
        for again in self.all(&jobs, finished)? {
            if let Some(test) = tests.iter_mut().find(|test| test.is_same(&again)) {
                test.found.left_sites = again.found.left_sites;
                test.found.peak_sites = again.found.peak_sites;
            }
        }
        Ok(())
    }

    /// Runs the jobs, as many at a time as there are cores; with call stacks, if something is
    /// expected of them.
    fn all(
        &self,
        jobs: &[(&Job, Option<Expected>)],
        finished: &(dyn Fn(Finished<'_>) + Sync),
    ) -> Result<Vec<Swept>, ProjectError> {
        let next = AtomicUsize::new(0);
        let tests = Mutex::new(Vec::with_capacity(jobs.len()));
        let work = || {
            while let Some((job, sites)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                let (test, output) = job.run(&self.processes, &self.symbols, *sites)?;
                // Nobody panics while it is locked, and if so, what is in there is whole.
                let mut tests = tests.lock().unwrap_or_else(PoisonError::into_inner);
                finished(Finished {
                    test: &test,
                    output: &output,
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
