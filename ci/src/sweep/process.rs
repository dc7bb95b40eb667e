//! Runs one test in a process of its own, and reads what the counting library wrote at its end.

use super::binaries::Binary;
use crate::project::{ProjectError, io_error, not_started};
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

/// Whose allocations count.
#[derive(Clone, Copy)]
pub(super) enum Threads {
    /// Those of all threads but the main one.
    OfTests,
    /// Those of all.
    All,
}

/// How processes of tests are started.
pub(super) struct Processes {
    /// What is loaded before all others.
    preloaded: OsString,
    /// Where they write, until this is dropped.
    directory: TempDir,
}

/// A process that has ended.
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    /// What was counted; none if it did not come to say.
    pub(super) figures: Option<Figures>,
    /// What it printed, if it failed.
    pub(super) output: Vec<u8>,
}

/// What was counted: of a main thread that does not count, and of those that do.
#[derive(Clone, Debug)]
pub(super) struct Figures {
    pub(super) main_blocks: u64,
    pub(super) peak_bytes: u64,
    pub(super) total_bytes: u64,
    pub(super) total_blocks: u64,
    pub(super) left_bytes: u64,
    pub(super) left_blocks: u64,
}

impl Processes {
    pub(super) fn new(library: &Path) -> Result<Self, ProjectError> {
        let temporary = std::env::temp_dir();
        let directory = tempfile::tempdir().map_err(io_error(&temporary))?;
        let mut library = std::path::absolute(library).map_err(io_error(library))?;
        if library.to_string_lossy().contains([' ', ':']) {
            // These separate the libraries of the variable.
            let copy = directory.path().join("counting.so");
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
        })
    }

    /// Runs the test with this name, which is one of `binary`.
    pub(super) fn run(&self, binary: &Binary, name: &str) -> Result<Ended, ProjectError> {
        let printed = self.directory.path().join("output");
        // A file: a program that a test leaves behind would keep a pipe open.
        let output = tempfile::NamedTempFile::new_in(&self.directory);
        let output = output.map_err(io_error(&printed))?;
        let [out, err] = [(); 2].map(|()| File::options().append(true).open(output.path()));
        let mut command = binary.command();
        command
            // What a test prints is no memory of it, then.
            .args(["--exact", name, "--nocapture"])
            // Printing a stack reads the symbols of the program, which takes many times the
            // memory of a test.
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null())
            .stdout(out.map_err(io_error(&printed))?)
            .stderr(err.map_err(io_error(&printed))?);
        let mut ended = self.watch(&mut command, Threads::OfTests)?;
        if !ended.status.success() {
            ended.output = fs::read(output.path()).map_err(io_error(&printed))?;
        }
        Ok(ended)
    }

    /// Runs a program with the counting library.
    pub(super) fn watch(
        &self,
        command: &mut Command,
        threads: Threads,
    ) -> Result<Ended, ProjectError> {
        let place = tempfile::tempdir_in(&self.directory);
        let place = place.map_err(io_error(self.directory.path()))?;
        let written = place.path().join("figures");
        command.env(PRELOAD, &self.preloaded).env(FILE, &written);
        if let Threads::All = threads {
            command.env(ALL_THREADS, "1");
        }
        let status = command.status();
        let status = status
            .map_err(|source| not_started(&command.get_program().to_string_lossy(), source))?;
        Ok(Ended {
            status,
            figures: figures(&written),
            output: Vec::new(),
        })
    }
}

/// What the library wrote; none if that is not whole.
fn figures(path: &Path) -> Option<Figures> {
    let text = fs::read_to_string(path).ok()?;
    let numbers: Result<Vec<u64>, _> = text.split_whitespace().map(str::parse).collect();
    let [
        main_blocks,
        peak_bytes,
        total_bytes,
        total_blocks,
        left_bytes,
        left_blocks,
    ] = numbers.ok()?.try_into().ok()?;
    Some(Figures {
        main_blocks,
        peak_bytes,
        total_bytes,
        total_blocks,
        left_bytes,
        left_blocks,
    })
}

impl Ended {
    /// How it ended, without what depends on the machine's settings.
    pub(super) fn how(&self) -> String {
        let status = self.status.to_string();
        status.trim_end_matches(" (core dumped)").to_owned()
    }
}
