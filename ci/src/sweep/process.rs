//! Runs one test in a process of its own, and reads what the counting library wrote at its end.

use super::binaries::Binary;
use super::stacks::Stacks;
use super::{SweepError, elf};
use crate::project::{ProjectError, io_error, not_started};
use highwater::__private::Size;
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use tempfile::TempDir;

/// The variable that the library reads.
const FILE: &str = "HIGHWATER_SWEEP_FILE";
const PRELOAD: &str = "LD_PRELOAD";

/// The variable that has it count the main thread too.
const ALL_THREADS: &str = "HIGHWATER_SWEEP_ALL";
/// The variable with the most live bytes.
const LIMIT: &str = "HIGHWATER_SWEEP_LIMIT";
/// The variable that has it take call stacks, with the peak that is expected; and the one with the
/// blocks that are.
const SITES: &str = "HIGHWATER_SWEEP_SITES";
const BLOCKS: &str = "HIGHWATER_SWEEP_BLOCKS";
/// The variable that has it check what it takes for granted.
const CHECK: &str = "HIGHWATER_SWEEP_CHECK";

/// Why there are no figures of a process that ended by itself.
const NOT_WRITTEN: &str =
    "its process ended by `_exit`, became another program, or could not write them";
/// Why there are none of one that wrote zeros.
const NOTHING_SEEN: &str =
    "it did not call `malloc`: it allocates nothing, or has an allocator of its own";

/// Why it is not known what is unreachable, by the library's word for it.
const NOT_SEARCHED: [(&str, &str); 6] = [
    ("threads", "another thread still ran when the process ended"),
    (
        "stack",
        "the stack on which the process ended was not found",
    ),
    ("heaps", "glibc's heaps are not as large as by default"),
    ("memory", "the process could not read its own memory"),
    ("room", "the search had no memory"),
    (
        "blocks",
        "a block was written past its end, or freed past `free`",
    ),
];

/// Whose allocations count.
#[derive(Clone, Copy)]
pub(super) enum Threads {
    /// Those of all threads but the main one.
    OfTests,
    /// Those of all.
    All,
}

/// What is known of a process from a run before; nothing is 0.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Expected {
    /// The maximum of the live bytes.
    pub(super) peak: u64,
    /// All blocks.
    pub(super) blocks: u64,
}

/// How processes of tests are started.
#[derive(Debug)]
pub(super) struct Processes {
    /// What is loaded before all others.
    preloaded: OsString,
    /// Where they write, until this is dropped.
    directory: TempDir,
    /// The most live bytes of each.
    pub(super) limit: Option<u64>,
    /// Why nothing is to be said of what is unreachable.
    pub(super) not_searched: Option<String>,
}

/// A process that has ended.
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    /// What was counted; none if it did not come to say.
    pub(super) figures: Option<Figures>,
    /// The bytes of the allocation that passed the limit, and of what would have been live.
    pub(super) passed_limit: Option<[u64; 2]>,
    /// The call stacks that were taken.
    pub(super) stacks: Option<Stacks>,
    /// What it printed, if it failed.
    pub(super) output: Vec<u8>,
}

/// What was counted: of a main thread that does not count, and of those that do.
#[derive(Clone, Debug)]
pub(in crate::sweep) struct Figures {
    pub(super) main_blocks: u64,
    pub(super) peak_bytes: u64,
    pub(super) total_bytes: u64,
    pub(super) total_blocks: u64,
    pub(super) left_bytes: u64,
    pub(super) left_blocks: u64,
    /// Bytes and blocks of what is left that are unreachable; or why that is not known.
    pub(super) unreachable: Result<[u64; 2], String>,
}

impl Figures {
    /// Without what another process leaves behind.
    pub(super) fn beyond(&self, other: &Self) -> Self {
        let left_bytes = self.left_bytes.saturating_sub(other.left_bytes);
        let left_blocks = self.left_blocks.saturating_sub(other.left_blocks);
        let unreachable = match (&self.unreachable, &other.unreachable) {
            _ if left_blocks == 0 && left_bytes == 0 => Ok([0, 0]),
            (Ok([bytes, blocks]), Ok([other_bytes, other_blocks])) => Ok([
                bytes.saturating_sub(*other_bytes),
                blocks.saturating_sub(*other_blocks),
            ]),
            (Err(reason), _) => Err(reason.clone()),
            (_, Err(reason)) => Err(format!("in a run without a test, {reason}")),
        };
        Self {
            left_bytes,
            left_blocks,
            unreachable,
            ..self.clone()
        }
    }
}

impl Processes {
    pub(super) fn new(library: &Path) -> Result<Self, SweepError> {
        let temporary = std::env::temp_dir();
        let directory = tempfile::tempdir().map_err(io_error(&temporary))?;
        let mut library = std::path::absolute(library).map_err(io_error(library))?;
        // The first two separate the libraries of the variable, and the third one stands for
        // directories.
        let is_odd = |path: &Path| path.to_string_lossy().contains([' ', ':', '$']);
        if is_odd(&library) {
            let copy = directory.path().join("counting.so");
            if is_odd(&copy) {
                return Err(SweepError::NotPreloadable(library, temporary));
            }
            fs::copy(&library, &copy).map_err(io_error(&library))?;
            library = copy;
        }
        let mut preloaded = std::env::var_os(PRELOAD).unwrap_or_default();
        if !preloaded.is_empty() {
            // The library takes itself off the end.
            preloaded.push(":");
        }
        preloaded.push(library);
        Ok(Self {
            preloaded,
            directory,
            limit: None,
            not_searched: None,
        })
    }

    /// Runs the test with this name, which is one of `binary`.
    pub(super) fn run(
        &self,
        binary: &Binary,
        name: &str,
        sites: Option<Expected>,
    ) -> Result<Ended, ProjectError> {
        let mut command = binary.command();
        // What a test prints is no memory of it, then.
        command.args(["--exact", name, "--nocapture"]);
        let threads = if binary.has_harness {
            Threads::OfTests
        } else {
            // Who knows where another harness runs them?
            Threads::All
        };
        self.run_quietly(&mut command, threads, sites)
    }

    /// Runs all of `binary` in one process.
    pub(super) fn run_whole(
        &self,
        binary: &Binary,
        sites: Option<Expected>,
    ) -> Result<Ended, ProjectError> {
        self.run_quietly(&mut binary.command(), Threads::All, sites)
    }

    /// Runs a program without an input, and keeps what it printed if it fails.
    fn run_quietly(
        &self,
        command: &mut Command,
        threads: Threads,
        sites: Option<Expected>,
    ) -> Result<Ended, ProjectError> {
        let printed = self.directory.path().join("output");
        // A file: a program that a test leaves behind would keep a pipe open.
        let output = tempfile::NamedTempFile::new_in(&self.directory);
        let output = output.map_err(io_error(&printed))?;
        let [out, err] = [(); 2].map(|()| File::options().append(true).open(output.path()));
        command
            // Printing a stack reads the symbols of the program, which takes many times the
            // memory of a test.
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null())
            .stdout(out.map_err(io_error(&printed))?)
            .stderr(err.map_err(io_error(&printed))?);
        let mut ended = self.watch(command, threads, sites)?;
        if !ended.status.success() {
            ended.output = fs::read(output.path()).map_err(io_error(&printed))?;
        }
        Ok(ended)
    }

    /// Runs a program with the counting library, which takes call stacks if there are `sites` to
    /// find.
    pub(super) fn watch(
        &self,
        command: &mut Command,
        threads: Threads,
        sites: Option<Expected>,
    ) -> Result<Ended, ProjectError> {
        if let Threads::All = threads {
            command.env(ALL_THREADS, "1");
        }
        if let Some(limit) = self.limit {
            command.env(LIMIT, limit.to_string());
        }
        if let Some(expected) = sites {
            command.env(SITES, expected.peak.to_string());
            command.env(BLOCKS, expected.blocks.to_string());
        }
        let (status, text) = self.preload(command)?;
        let (mut figures, passed_limit) = read(&text);
        if let (Some(figures), Some(reason)) = (&mut figures, &self.not_searched)
            && figures.left_blocks > 0
        {
            figures.unreachable = Err(reason.clone());
        }
        let is_searched = |figures: &Figures| figures.unreachable.is_ok();
        Ok(Ended {
            status,
            stacks: Stacks::read(&text, figures.as_ref().is_some_and(is_searched)),
            figures,
            passed_limit,
            output: Vec::new(),
        })
    }

    /// What the library says of this machine in the process of a program.
    pub(super) fn check(&self, command: &mut Command) -> Result<String, ProjectError> {
        Ok(self.preload(command.env(CHECK, "1"))?.1)
    }

    /// Runs a program with the library; how it ended, and what the library wrote.
    fn preload(&self, command: &mut Command) -> Result<(ExitStatus, String), ProjectError> {
        let place = tempfile::tempdir_in(&self.directory);
        let place = place.map_err(io_error(self.directory.path()))?;
        let written = place.path().join("figures");
        command.env(PRELOAD, &self.preloaded).env(FILE, &written);
        let status = command.status();
        let status = status
            .map_err(|source| not_started(&command.get_program().to_string_lossy(), source))?;
        // Paths of mapped files need not be text.
        let text = fs::read(&written).unwrap_or_default();
        Ok((status, String::from_utf8_lossy(&text).into_owned()))
    }
}

/// What the library wrote: figures, or the bytes of the allocation that passed the limit and what
/// would have been live. Neither if that is not whole.
fn read(text: &str) -> (Option<Figures>, Option<[u64; 2]>) {
    let mut lines = text.lines();
    let mut words = lines.next().unwrap_or_default().split_whitespace();
    let word = words.next();
    let numbers: Result<Vec<u64>, _> = words.map(str::parse).collect();
    match (word, numbers.as_deref()) {
        (
            Some("figures"),
            Ok(
                &[
                    main_blocks,
                    peak_bytes,
                    total_bytes,
                    total_blocks,
                    left_bytes,
                    left_blocks,
                ],
            ),
        ) => {
            let figures = Figures {
                main_blocks,
                peak_bytes,
                total_bytes,
                total_blocks,
                left_bytes,
                left_blocks,
                unreachable: unreachable(lines.next().unwrap_or_default()),
            };
            (Some(figures), None)
        }
        (Some("limit"), Ok(&[bytes, live])) => (None, Some([bytes, live])),
        _ => (None, None),
    }
}

/// What the library wrote of what is unreachable: bytes and blocks, or a word that says why it does
/// not know.
fn unreachable(line: &str) -> Result<[u64; 2], String> {
    let words: Vec<_> = line.split_whitespace().skip(1).collect();
    let numbers: Vec<u64> = words.iter().filter_map(|word| word.parse().ok()).collect();
    if let [bytes, blocks] = *numbers {
        return Ok([bytes, blocks]);
    }
    let of_word = |(word, _): &&(&str, &str)| words == [*word];
    let known = NOT_SEARCHED.iter().find(of_word);
    Err(known
        .map_or("the counting library did not say", |(_, reason)| reason)
        .to_owned())
}

impl Ended {
    /// How it ended, without what depends on the machine's settings.
    fn how(&self) -> String {
        let status = self.status.to_string();
        status.trim_end_matches(" (core dumped)").to_owned()
    }

    /// Why the process, which was one of `program`, wrote no figures.
    pub(super) fn no_figures(&self, program: &Path) -> String {
        if let Some([bytes, live]) = self.passed_limit {
            return format!(
                "an allocation of {} passed the limit: {} would have been live",
                Size(bytes),
                Size(live)
            );
        }
        if let Some(reason) = elf::not_preloaded(program) {
            return format!("the program {reason}");
        }
        match self.status.code() {
            None => format!("its process ended by {}", self.how()),
            Some(_) => NOT_WRITTEN.to_owned(),
        }
    }

    /// The figures of a process of `program` whose threads all count; or why there are none.
    pub(super) fn all_figures(&self, program: &Path) -> Result<Figures, String> {
        match &self.figures {
            None => Err(self.no_figures(program)),
            Some(figures) => match elf::not_seen(program) {
                // Its C libraries may have called `malloc`.
                Some(reason) => Err(reason),
                None if figures.total_blocks == 0 => Err(NOTHING_SEEN.to_owned()),
                None => Ok(figures.clone()),
            },
        }
    }
}
