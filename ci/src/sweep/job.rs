//! What runs in a process of its own: a test, or a whole binary.

use super::binaries::Binary;
use super::elf;
use super::found::{Status, Swept};
use super::process::{Ended, Expected, Figures, Processes};
use super::symbols::Symbols;
use crate::project::ProjectError;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// What the main thread of a test binary whose allocations are seen allocates at least when no
/// test runs: a third of what libtest does.
const FEWEST_BLOCKS: u64 = 200;

/// A test, or a whole binary, that is to run in a process of its own.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) binary: Arc<Binary>,
    pub(super) what: What,
}

#[derive(Debug)]
pub(super) enum What {
    /// The test with this name, in a binary with such an empty run.
    Test(String, EmptyRun),
    /// All of it, and why.
    Whole(String),
    /// It does not start, and why.
    NotStarted(String),
}

impl Job {
    pub(super) fn is_of(&self, test: &Swept) -> bool {
        let name = match &self.what {
            What::Test(name, _) => name,
            What::Whole(_) | What::NotStarted(_) => &self.binary.id,
        };
        self.binary.id == test.binary && *name == test.test
    }

    /// What was found, and what was printed if it failed; with call stacks, if there are `sites` to
    /// find.
    pub(super) fn run(
        &self,
        processes: &Processes,
        symbols: &Mutex<Symbols>,
        sites: Option<Expected>,
    ) -> Result<(Swept, Vec<u8>), ProjectError> {
        let binary = &self.binary;
        let (mut test, ended) = match &self.what {
            What::Test(name, empty) => {
                let ended = processes.run(binary, name, sites)?;
                let figures = figures(empty, &ended, &binary.executable);
                (swept(binary, name, status(&ended), figures), ended)
            }
            What::Whole(reason) => {
                let ended = processes.run_whole(binary, sites)?;
                let figures = ended.all_figures(&binary.executable);
                (whole(binary, status(&ended), reason, figures), ended)
            }
            What::NotStarted(reason) => {
                let test = whole(binary, Status::Failed, reason, Err(reason.clone()));
                return Ok((test, reason.clone().into_bytes()));
            }
        };
        if ended.stacks.is_some() {
            // Nobody panics while it is locked.
            let mut symbols = symbols.lock().unwrap_or_else(PoisonError::into_inner);
            test.found = test.found.with_sites(ended.stacks.as_ref(), &mut symbols);
        }
        Ok((test, ended.output))
    }
}

fn swept(binary: &Binary, name: &str, status: Status, figures: Result<Figures, String>) -> Swept {
    Swept {
        test: name.to_owned(),
        package: binary.package.clone(),
        binary: binary.id.clone(),
        status,
        whole: None,
        found: figures.into(),
        before: None,
        change: None,
        accepted: Vec::new(),
    }
}

/// What was found of a binary as one process.
pub(super) fn whole(
    binary: &Binary,
    status: Status,
    reason: &str,
    figures: Result<Figures, String>,
) -> Swept {
    Swept {
        whole: Some(reason.to_owned()),
        ..swept(binary, &binary.id, status, figures)
    }
}

fn status(ended: &Ended) -> Status {
    if ended.status.success() {
        Status::Passed
    } else {
        Status::Failed
    }
}

/// What an empty run of a binary says of its tests.
#[derive(Clone, Debug)]
pub(super) enum EmptyRun {
    /// What it leaves behind, beyond which the figures of tests are.
    Left(Figures),
    /// Why its tests have no figures.
    Unseen(String),
}

impl EmptyRun {
    pub(super) fn of(binary: &Binary, empty: &Ended) -> Self {
        let program = &binary.executable;
        let Some(figures) = &empty.figures else {
            let reason = empty.no_figures(program);
            return Self::Unseen(format!("a run without a test has none: {reason}"));
        };
        let seen = figures.main_blocks + figures.total_blocks;
        let reason = if binary.has_harness && seen >= FEWEST_BLOCKS {
            None
        } else {
            // Few blocks may be those of C libraries alone.
            elf::not_seen(program).or_else(|| {
                (binary.has_harness || seen == 0).then(|| {
                    "the program, or a library loaded first, has an allocator of its own".to_owned()
                })
            })
        };
        match reason {
            Some(reason) => Self::Unseen(reason),
            None => Self::Left(figures.clone()),
        }
    }
}

/// The figures of a test, beyond what an empty run leaves; or why there are none.
fn figures(empty: &EmptyRun, ended: &Ended, program: &Path) -> Result<Figures, String> {
    let Some(figures) = &ended.figures else {
        return Err(ended.no_figures(program));
    };
    match empty {
        EmptyRun::Unseen(reason) => Err(reason.clone()),
        EmptyRun::Left(empty) if figures.total_blocks > 0 => Ok(figures.beyond(empty)),
        EmptyRun::Left(..) => {
            Err("the test ran on the main thread, with the test runner".to_owned())
        }
    }
}
