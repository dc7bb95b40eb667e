//! [`Project`]: where a workspace keeps its reports and baselines, and how its tests
//! are run.

use crate::base::{self, Base, BaseError};
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
/// The folder of the reports with call stacks, likewise.
const REPRO: &str = "repro-reports";
/// The file in it that says which revision it is.
const REVISION: &str = "REVISION";
/// The file among the reports that is locked while they are made.
const LOCK: &str = "lock";
/// What makes backups leave a directory out, by bford.info/cachedir.
const CACHE_TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55\n";
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
    /// Where the reports of tests that are run again for their call stacks are.
    pub repro_reports: PathBuf,
    /// Where baselines are kept.
    pub baselines: PathBuf,
    /// What the project says of its scenarios; there may be no such file.
    pub config: PathBuf,
    root: PathBuf,
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
            repro_reports: reports.join(REPRO).into(),
            reports: reports.into(),
            baselines: metadata.workspace_root.join(BASELINES).into(),
            config: metadata.workspace_root.join(CONFIG).into(),
            root: metadata.workspace_root.into(),
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
        if !self.target.exists() {
            // Cargo does so only if it is the first to come.
            let tag = self.target.join("CACHEDIR.TAG");
            replace(&tag, CACHE_TAG).map_err(io_error(&tag))?;
        }
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
        let command = Tests {
            directory: Path::new("."),
            target: None,
            reports: &self.reports,
            environment: Vec::new(),
            arguments,
        };
        command.run("this project")
    }

    /// Runs the tests as [`measure`](Self::measure) does, once more for their call
    /// stacks whether they fail or not, with so many `steps` if that is said. What the
    /// last run found stays as it is. Whether they passed.
    ///
    /// # Errors
    /// If they are not built or not run.
    pub fn reproduce(
        &self,
        steps: Option<u64>,
        arguments: &[OsString],
    ) -> Result<bool, ProjectError> {
        remove_reports(&self.repro_reports)?;
        let steps = steps.map(|steps| ("HIGHWATER_STEPS", steps.to_string()));
        let sites = ("HIGHWATER_SITES", "replay".to_owned());
        let command = Tests {
            directory: Path::new("."),
            target: None,
            reports: &self.repro_reports,
            environment: steps.into_iter().chain([sites]).collect(),
            arguments,
        };
        command.run("this project")
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
        base.lock_like(&self.root)?;
        let tests = Tests {
            directory: &base.directory,
            target: Some(self.target.join(BASE_TARGET)),
            reports: &self.base_reports,
            environment: Vec::new(),
            arguments,
        };
        let passed = tests.run(&format!("the base `{revision}`"))?;
        if !passed && report_files(&self.base_reports)?.is_empty() {
            return Err(ProjectError::NothingMeasured(revision.to_owned()));
        }
        let path = self.base_reports.join(REVISION);
        let text = format!("{revision}\n{}\n", base.commit);
        replace(&path, &text).map_err(io_error(&path))?;
        Ok(passed)
    }

    /// The configuration in cargo's home, if that is in the project. Then it is the
    /// base's too, whatever the base has in that place.
    pub fn shared_configuration(&self) -> Option<PathBuf> {
        let home = std::path::absolute(std::env::var_os("CARGO_HOME")?).ok()?;
        let configuration = home.join("config.toml");
        (home.starts_with(&self.root) && configuration.exists()).then_some(configuration)
    }

    /// Where the workspace is in its repository, with a slash at the end; empty if it
    /// is the repository, or there is none.
    pub fn place_in_repository(&self) -> String {
        base::place_in_repository(&self.root).unwrap_or_default()
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

/// Tests that are to be run.
struct Tests<'a> {
    directory: &'a Path,
    /// The target directory, if it is not that of the directory.
    target: Option<PathBuf>,
    /// Where they write their reports.
    reports: &'a Path,
    /// What else they are told.
    environment: Vec<(&'static str, String)>,
    arguments: &'a [OsString],
}

impl Tests<'_> {
    /// Whether they passed.
    fn run(&self, which: &str) -> Result<bool, ProjectError> {
        let not_run = |status| ProjectError::NotRun {
            which: which.to_owned(),
            status,
        };
        // One failure must not keep the others from being measured.
        let stops = [
            "--fail-fast",
            "--ff",
            "--no-fail-fast",
            "--nff",
            "--max-fail",
            "--no-run",
        ];
        let all: &[&str] = if self.has_argument(&stops) {
            &[]
        } else {
            &["--no-fail-fast"]
        };
        let nextest = self.command(&["nextest", "--version"], &[]).output();
        if nextest.is_ok_and(|output| output.status.success()) {
            let status = self.status(&[&["nextest", "run"], all].concat(), self.arguments)?;
            return match status.code() {
                Some(0 | NEXTEST_NO_TESTS) => Ok(true),
                Some(NEXTEST_FAILED) => Ok(false),
                _ => Err(not_run(status)),
            };
        }
        // `cargo test` says the same when the build fails and when a test does.
        let of_cargo = self.arguments.iter().position(|argument| argument == "--");
        let of_cargo = &self.arguments[..of_cargo.unwrap_or(self.arguments.len())];
        if !self.has_argument(&["--doc"]) {
            let built = self.status(&["test", "--no-run"], of_cargo)?;
            if !built.success() {
                return Err(not_run(built));
            }
        }
        let status = self.status(&[&["test"], all].concat(), self.arguments)?;
        Ok(status.success())
    }

    fn has_argument(&self, starts: &[&str]) -> bool {
        self.arguments.iter().any(|argument| {
            let argument = argument.to_string_lossy();
            starts.iter().any(|start| argument.starts_with(start))
        })
    }

    fn status(&self, words: &[&str], arguments: &[OsString]) -> Result<ExitStatus, ProjectError> {
        let status = self.command(words, arguments).status();
        status.map_err(|source| not_started("cargo", source))
    }

    fn command(&self, words: &[&str], arguments: &[OsString]) -> Command {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command
            .args(words)
            .args(arguments)
            .current_dir(self.directory)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env("HIGHWATER_REPORTS", self.reports);
        if let Some(target) = &self.target {
            command.env("CARGO_TARGET_DIR", target);
        }
        command
    }
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
