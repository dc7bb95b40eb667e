//! [`Project`]: where a workspace keeps its reports and baselines, and how its tests
//! are run.

use crate::base::{Base, BaseError};
use crate::file::replace;
use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

/// The folder of all baselines, in the workspace's root.
const BASELINES: &str = "memory-baselines";
/// What the project says of its scenarios, in the workspace's root.
const CONFIG: &str = "highwater.toml";
/// Where the base is built, in the target directory. Not where the project itself is:
/// cargo would take what it built of the one for the other.
const BASE_TARGET: &str = "highwater-base";
/// The folder of the base's reports, in that of the reports.
const BASE: &str = "base";
/// The file in it that says which revision it is.
const REVISION: &str = "REVISION";
/// The file among the reports that is locked while they are made.
const LOCK: &str = "lock";
/// What nextest exits with when it ran the tests and some failed, and when there
/// were none.
const NEXTEST_FAILED: i32 = 100;
const NEXTEST_NO_TESTS: i32 = 4;

/// A cargo workspace.
#[derive(Clone, Debug)]
pub struct Project {
    /// Where reports are written.
    pub reports: PathBuf,
    /// Where the reports of a base are put beside them.
    pub base_reports: PathBuf,
    /// Where baselines are kept.
    pub baselines: PathBuf,
    /// What the project says of its scenarios; there may be no such file.
    pub config: PathBuf,
    target: PathBuf,
}

/// Why the tests did not run, or the toolchain could not be told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProjectError {
    /// A program did not start.
    #[error("{program} could not be run: {source}")]
    NotStarted {
        /// Which one.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// The tests were not built, or not started.
    #[error("the tests of {which} were not run: cargo ended with {status}; what it said is above")]
    NotRun {
        /// The base, with its revision, or this project.
        which: String,
        /// How cargo ended.
        status: ExitStatus,
    },
    /// The base's tests failed without a single report.
    #[error(
        "the tests of the base `{0}` failed and wrote no report, so there is nothing to compare \
         with; choose a base whose tests pass"
    )]
    NothingMeasured(String),
    /// `rustc` did not name its version.
    #[error("`rustc --version` printed `{0}`, which names no version")]
    NoVersion(String),
    /// The system refused to remove or to move a report.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The base could not be checked out.
    #[error(transparent)]
    Base(#[from] BaseError),
}

impl Project {
    /// The workspace around the working directory.
    ///
    /// # Errors
    /// If cargo finds none.
    pub fn find() -> Result<Self, cargo_metadata::Error> {
        let metadata = cargo_metadata::MetadataCommand::new().no_deps().exec()?;
        let reports = metadata.target_directory.join("highwater");
        Ok(Self {
            base_reports: reports.join(BASE).into(),
            reports: reports.into(),
            baselines: metadata.workspace_root.join(BASELINES).into(),
            config: metadata.workspace_root.join(CONFIG).into(),
            target: metadata.target_directory.into(),
        })
    }

    /// Waits until no other process measures in this target directory, and keeps others
    /// from it as long as the file is open; `wait` is called if there is one.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn lock(&self, wait: impl FnOnce()) -> Result<File, ProjectError> {
        let path = self.reports.join(LOCK);
        fs::create_dir_all(&self.reports).map_err(io_error(&self.reports))?;
        let file = File::create(&path).map_err(io_error(&path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                wait();
                file.lock().map_err(io_error(&path))?;
            }
            Err(TryLockError::Error(source)) => return Err(ProjectError::Io { path, source }),
        }
        Ok(file)
    }

    /// Removes the reports of earlier runs, those of a base with them.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn clear(&self) -> Result<(), ProjectError> {
        remove_reports(&self.base_reports)?;
        remove_reports(&self.reports)
    }

    /// Runs the tests, by `cargo nextest run` where that is installed and by `cargo
    /// test` where not, with `arguments`. Whether they passed.
    ///
    /// # Errors
    /// If they are not built or not run.
    pub fn measure(&self, arguments: &[OsString]) -> Result<bool, ProjectError> {
        run_tests(Path::new("."), None, arguments, "this project")
    }

    /// Checks out `revision`, runs its tests as [`measure`](Self::measure) does, and
    /// puts its reports where they can be compared with. Whether the tests passed.
    ///
    /// # Errors
    /// If it can't be checked out (see [`Base::check_out`]), is not built, or its tests
    /// fail without a report.
    pub fn measure_base(
        &self,
        revision: &str,
        any: bool,
        arguments: &[OsString],
    ) -> Result<bool, ProjectError> {
        let base = Base::check_out(Path::new("."), revision, any)?;
        let which = format!("the base `{revision}`");
        let target = self.target.join(BASE_TARGET);
        let written = target.join("highwater");
        remove_reports(&written)?;
        let passed = run_tests(&base.directory, Some(&target), arguments, &which)?;
        let moved = move_reports(&written, &self.base_reports)?;
        if moved == 0 && !passed {
            return Err(ProjectError::NothingMeasured(revision.to_owned()));
        }
        let path = self.base_reports.join(REVISION);
        let text = format!("{revision}\n{}\n", base.commit);
        replace(&path, &text).map_err(io_error(&path))?;
        Ok(passed)
    }

    /// The toolchain that this project is built with, such as `rustc-1.95.0`.
    ///
    /// # Errors
    /// If `rustc` does not start or names no version.
    pub fn toolchain(&self) -> Result<String, ProjectError> {
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let output = Command::new(&rustc)
            .arg("--version")
            .output()
            .map_err(|source| not_started(&rustc.to_string_lossy(), source))?;
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        match printed.split_whitespace().nth(1) {
            Some(version) if output.status.success() => Ok(format!("rustc-{version}")),
            _ => Err(ProjectError::NoVersion(printed.trim().to_owned())),
        }
    }
}

/// The revision and the commit of the base whose reports are in `directory`; none if
/// no base was measured.
///
/// # Errors
/// If the system refuses to read them.
pub fn base_revision(directory: &Path) -> Result<Option<(String, String)>, ProjectError> {
    let path = directory.join(REVISION);
    match fs::read_to_string(&path) {
        Ok(text) => {
            let mut lines = text.lines().map(str::to_owned);
            Ok(lines.next().zip(lines.next()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ProjectError::Io { path, source }),
    }
}

fn run_tests(
    directory: &Path,
    target: Option<&Path>,
    arguments: &[OsString],
    which: &str,
) -> Result<bool, ProjectError> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let command = |words: &[&str], arguments: &[OsString]| {
        let mut command = Command::new(&cargo);
        command.args(words).args(arguments).current_dir(directory);
        if let Some(target) = target {
            command.env("CARGO_TARGET_DIR", target);
        }
        command
    };
    let status = |mut command: Command| {
        let status = command.status();
        status.map_err(|source| not_started(&cargo.to_string_lossy(), source))
    };
    let not_run = |status| ProjectError::NotRun {
        which: which.to_owned(),
        status,
    };
    // One failure must not keep the others from being measured.
    let has_own = |argument: &OsString| {
        let argument = argument.to_string_lossy();
        let stops = [
            "--fail-fast",
            "--ff",
            "--no-fail-fast",
            "--nff",
            "--max-fail",
            "--no-run",
        ];
        stops.iter().any(|stop| argument.starts_with(stop))
    };
    let all: &[&str] = if arguments.iter().any(has_own) {
        &[]
    } else {
        &["--no-fail-fast"]
    };
    let nextest = command(&["nextest", "--version"], &[]).output();
    if nextest.is_ok_and(|output| output.status.success()) {
        let status = status(command(&[&["nextest", "run"], all].concat(), arguments))?;
        return match status.code() {
            Some(0 | NEXTEST_NO_TESTS) => Ok(true),
            Some(NEXTEST_FAILED) => Ok(false),
            _ => Err(not_run(status)),
        };
    }
    // `cargo test` says the same when the build fails and when a test does.
    let of_cargo = arguments.iter().position(|argument| argument == "--");
    let of_cargo = &arguments[..of_cargo.unwrap_or(arguments.len())];
    let built = status(command(&["test", "--no-run"], of_cargo))?;
    if !built.success() {
        return Err(not_run(built));
    }
    Ok(status(command(&[&["test"], all].concat(), arguments))?.success())
}

/// The files of reports in `directory`, none if there is no such directory.
fn report_files(directory: &Path) -> Result<Vec<PathBuf>, ProjectError> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(io_error(directory))?,
    };
    let is_report = |path: &PathBuf| {
        path.extension()
            .is_some_and(|extension| extension == "json")
    };
    let paths = entries.map(|entry| Ok(entry.map_err(io_error(directory))?.path()));
    paths
        .filter(|path| path.as_ref().map_or(true, is_report))
        .collect()
}

fn remove_reports(directory: &Path) -> Result<(), ProjectError> {
    let revision = directory.join(REVISION);
    let revision = revision.exists().then_some(revision);
    for path in report_files(directory)?.into_iter().chain(revision) {
        fs::remove_file(&path).map_err(io_error(&path))?;
    }
    Ok(())
}

fn move_reports(from: &Path, to: &Path) -> Result<usize, ProjectError> {
    let files = report_files(from)?;
    fs::create_dir_all(to).map_err(io_error(to))?;
    for path in &files {
        let place = to.join(path.file_name().unwrap_or_default());
        fs::rename(path, place).map_err(io_error(path))?;
    }
    Ok(files.len())
}

fn not_started(program: &str, source: io::Error) -> ProjectError {
    ProjectError::NotStarted {
        program: program.to_owned(),
        source,
    }
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> ProjectError {
    let path = path.to_owned();
    move |source| ProjectError::Io { path, source }
}
