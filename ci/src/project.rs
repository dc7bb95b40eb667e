//! [`Project`]: where a workspace keeps its reports and baselines, and how its tests
//! are run.

pub(crate) mod command;
mod flags;
mod members;
mod origin;
mod run;

use crate::base::{self, Base, BaseError};
use crate::lock::Lock;
use crate::outside::{self, OutsideError};
use command::{Tests, rustc};
use highwater::__private::reports_below;
use highwater_reports::file::write_atomically;
use highwater_reports::report::unwritten_files;
pub(crate) use origin::origin_in;
pub use run::Run;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

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
/// The folder of a commit's reports, likewise.
const BISECT: &str = "bisect-reports";
/// The folders of what was measured again, in that of the reports and in that of the base's.
const AGAIN: &str = "again-";
/// How often what changed is measured again.
pub(crate) const AGAIN_TIMES: usize = 2;
/// The file in it that says which revision it is.
const REVISION: &str = "REVISION";
/// The file among the reports that is locked while they are made.
const LOCK: &str = "lock";
/// What makes backups leave a directory out, by bford.info/cachedir.
pub const CACHE_TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55\n";

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
    /// What the tests are told by their environment.
    pub environment: Vec<(&'static str, String)>,
    /// Where the workspace is.
    pub root: PathBuf,
    /// The name of the package there, or of the folder.
    name: Option<String>,
    /// Where cargo builds.
    pub target: PathBuf,
    /// The packages that use the library and that cargo tests only if it is told to.
    untested: Vec<String>,
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
    /// A test could not write its report.
    #[error(
        "the tests of {which} measured a scenario and could not write its report, so that nothing \
         can be said of it: {said}"
    )]
    Unwritten {
        /// The base, with its revision, or this project.
        which: String,
        /// What the test said.
        said: String,
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
    /// The base would not build.
    #[error(transparent)]
    Outside(#[from] OutsideError),
}

impl Project {
    /// The workspace around the working directory.
    ///
    /// # Errors
    /// If cargo finds none.
    pub fn find() -> Result<Self, cargo_metadata::Error> {
        let metadata = cargo_metadata::MetadataCommand::new().no_deps().exec()?;
        let here = std::env::current_dir().unwrap_or_default();
        let root = metadata.workspace_root.as_std_path();
        let reports = reports_below(metadata.target_directory.as_std_path(), Some(root));
        let package = metadata.root_package().map(|root| root.name.to_string());
        let folder = || Some(root.file_name()?.to_string_lossy().into_owned());
        Ok(Self {
            untested: members::left_out(&metadata, &here),
            base_reports: reports.join(BASE),
            repro_reports: reports.join(REPRO),
            reports,
            baselines: metadata.workspace_root.join(BASELINES).into(),
            config: metadata.workspace_root.join(CONFIG).into(),
            environment: Vec::new(),
            name: package.or_else(folder),
            root: metadata.workspace_root.into(),
            target: metadata.target_directory.into(),
        })
    }

    /// Waits until no other process measures in this target directory, and keeps others
    /// from it until the lock is dropped; `wait` is called if there is one.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn lock(&self, wait: impl FnOnce()) -> Result<Lock, ProjectError> {
        let path = self.reports.join(LOCK);
        if !self.target.exists() {
            // Cargo does so only if it is the first to come.
            let tag = self.target.join("CACHEDIR.TAG");
            write_atomically(&tag, CACHE_TAG).map_err(io_error(&tag))?;
        }
        fs::create_dir_all(&self.reports).map_err(io_error(&self.reports))?;
        let file = File::create(&path).map_err(io_error(&path))?;
        Lock::wait_for(file, wait).map_err(io_error(&path))
    }

    /// The packages that use the library and are not tested with these arguments for cargo.
    pub fn untested(&self, arguments: &[OsString]) -> &[String] {
        if members::are_chosen(arguments) {
            return &[];
        }
        &self.untested
    }

    /// Where the base is built, if nothing was yet.
    pub fn first_build_of_base(&self) -> Option<PathBuf> {
        let target = self.base_target();
        (!target.exists()).then_some(target)
    }

    /// Removes the reports of earlier runs, those of a base with them.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn clear(&self) -> Result<(), ProjectError> {
        for directory in [&self.base_reports, &self.reports] {
            for again in again_directories(directory) {
                remove_reports(&again)?;
            }
            remove_reports(directory)?;
        }
        Ok(())
    }

    /// The folders of what was measured again, beside the reports and beside the base's.
    pub fn again_reports(&self) -> [Vec<PathBuf>; 2] {
        [&self.reports, &self.base_reports].map(|directory| again_directories(directory))
    }

    /// Runs the tests, by `cargo nextest run` where that is installed and by `cargo
    /// test` where not, as `run` says, and remembers that beside the reports. Whether
    /// they passed.
    ///
    /// # Errors
    /// If they are not built or not run, or a report could not be written.
    pub fn measure(&self, run: &Run) -> Result<bool, ProjectError> {
        run.write(&self.reports)?;
        let origin = self.origin();
        let tests = self.tests(&run.directory, &self.reports, &run.arguments);
        let passed = tests.run("this project")?;
        self.remember(&origin)?;
        Ok(passed)
    }

    /// Runs the tests with these names as [`measure`](Self::measure) did, with call stacks if
    /// they are wanted, and puts their reports into `reports`.
    ///
    /// # Errors
    /// Likewise.
    pub fn measure_again(
        &self,
        run: &Run,
        names: &[String],
        with_sites: bool,
        reports: &Path,
    ) -> Result<(), ProjectError> {
        remove_reports(reports)?;
        let mut tests = self.tests(&run.directory, reports, &run.arguments);
        tests.environment.extend(sites(with_sites));
        // What the user asked for goes before that.
        tests.environment.extend(run.environment.iter().cloned());
        tests.only = names;
        tests.run("this project").map(drop)
    }

    /// The same for the base.
    ///
    /// # Errors
    /// Likewise.
    pub fn measure_base_again(
        &self,
        base: &Base,
        run: &Run,
        names: &[String],
        with_sites: bool,
        reports: &Path,
    ) -> Result<(), ProjectError> {
        remove_reports(reports)?;
        let mut tests = self.tests(&base.directory, reports, &run.arguments);
        tests.environment.extend(sites(with_sites));
        tests.environment.extend(run.environment.iter().cloned());
        tests.target = Some(self.base_target());
        tests.only = names;
        tests.run("the base").map(drop)
    }

    /// Whether the code is still what `run` measured: nothing would be compiled.
    ///
    /// # Errors
    /// If it does not build, or cargo does not start.
    pub fn is_unchanged(&self, run: &Run) -> Result<bool, ProjectError> {
        let tests = self.tests(&run.directory, &self.reports, &run.arguments);
        tests.are_fresh("this project")
    }

    fn tests<'a>(
        &self,
        directory: &'a Path,
        reports: &'a Path,
        arguments: &'a [OsString],
    ) -> Tests<'a> {
        let environment = self.environment.iter();
        Tests {
            directory,
            target: None,
            reports,
            environment: environment
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect(),
            arguments,
            only: &[],
        }
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
        let steps = steps.map(|steps| ("HIGHWATER_STEPS".to_owned(), steps.to_string()));
        let mut tests = self.tests(Path::new("."), &self.repro_reports, arguments);
        tests
            .environment
            .extend(steps.into_iter().chain(sites(true)));
        tests.run("this project")
    }

    /// Checks out `revision` as a base, whose build uses the same dependencies as this one.
    ///
    /// # Errors
    /// If it can't be checked out (see [`Base::check_out`]), or would not build there.
    pub fn check_out(&self, revision: &str, any: bool) -> Result<Base, ProjectError> {
        let base = Base::check_out(Path::new("."), revision, any)?;
        // What else is wrong with it, its build says.
        if let Err(error @ OutsideError::Paths(_)) = outside::refuse(&base.directory) {
            return Err(error.into());
        }
        base.lock_like(&self.root)?;
        Ok(base)
    }

    /// Where a base is built.
    pub fn base_target(&self) -> PathBuf {
        self.target.join(BASE_TARGET)
    }

    /// Checks out `revision`, runs its tests as [`measure`](Self::measure) does, and
    /// puts its reports where they can be compared with. Whether the tests passed, and
    /// the base, which is there until it is dropped.
    ///
    /// # Errors
    /// If it can't be checked out (see [`Base::check_out`]), is not built, or its tests
    /// fail without a report.
    pub fn measure_base(
        &self,
        revision: &str,
        any: bool,
        arguments: &[OsString],
    ) -> Result<(bool, Base), ProjectError> {
        let base = self.check_out(revision, any)?;
        let mut tests = self.tests(&base.directory, &self.base_reports, arguments);
        tests.target = Some(self.base_target());
        let passed = tests.run(&format!("the base `{revision}`"))?;
        if !passed && report_files(&self.base_reports)?.is_empty() {
            return Err(ProjectError::NothingMeasured(revision.to_owned()));
        }
        let path = self.base_reports.join(REVISION);
        let text = format!("{revision}\n{}\n", base.commit);
        write_atomically(&path, &text).map_err(io_error(&path))?;
        self.keep_config_of(&base)?;
        Ok((passed, base))
    }

    /// Puts what the base says of its scenarios beside its reports; empty if it says nothing.
    fn keep_config_of(&self, base: &Base) -> Result<(), ProjectError> {
        let text = match base.counterpart(&self.config).map(fs::read_to_string) {
            Some(Ok(text)) => text,
            Some(Err(error)) if error.kind() != io::ErrorKind::NotFound => {
                return Err(io_error(&self.config)(error));
            }
            _ => String::new(),
        };
        let kept = self.base_config();
        write_atomically(&kept, &text).map_err(io_error(&kept))
    }

    /// Where it is; there is no such file if no base was measured here.
    pub fn base_config(&self) -> PathBuf {
        self.base_reports.join(CONFIG)
    }

    /// Runs the tests of what is checked out in `base`, with call stacks if they are wanted.
    /// Their reports go into a directory of their own, whose path is returned.
    ///
    /// # Errors
    /// If they are not built or not run, or the base would not build.
    pub fn measure_commit(
        &self,
        base: &Base,
        with_sites: bool,
        arguments: &[OsString],
    ) -> Result<PathBuf, ProjectError> {
        let reports = self.reports.join(BISECT);
        remove_reports(&reports)?;
        outside::refuse(&base.directory)?;
        base.lock_like(&self.root)?;
        let mut tests = self.tests(&base.directory, &reports, arguments);
        tests.environment.extend(sites(with_sites));
        tests.target = Some(self.base_target());
        tests.run(&format!("commit {}", base.commit))?;
        Ok(reports)
    }

    /// The configuration in cargo's home, if that is in the project. Then it is the
    /// base's too, whatever the base has at that path.
    pub fn shared_configuration(&self) -> Option<PathBuf> {
        let home = std::path::absolute(std::env::var_os("CARGO_HOME")?).ok()?;
        let configuration = home.join("config.toml");
        (home.starts_with(&self.root) && configuration.exists()).then_some(configuration)
    }

    /// Where the workspace is in its repository, with a slash at the end; empty if it
    /// is the repository, or there is none.
    pub fn path_in_repository(&self) -> String {
        base::path_in_repository(&self.root).unwrap_or_default()
    }

    /// The toolchain that this project is built with, such as `rustc-1.95.0`.
    ///
    /// # Errors
    /// If `rustc` does not start or names no version.
    pub fn toolchain(&self) -> Result<String, ProjectError> {
        let mut rustc = rustc();
        let output = rustc.arg("--version").output();
        let name = rustc.get_program().to_string_lossy();
        let output = output.map_err(|source| not_started(&name, source))?;
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

/// What has tests run each scenario once more, with call stacks.
fn sites(are_wanted: bool) -> Option<(String, String)> {
    are_wanted.then(|| ("HIGHWATER_SITES".to_owned(), "replay".to_owned()))
}

fn again_directories(reports: &Path) -> Vec<PathBuf> {
    let directory = |time| reports.join(format!("{AGAIN}{time}"));
    (1..=AGAIN_TIMES).map(directory).collect()
}

fn remove_reports(directory: &Path) -> Result<(), ProjectError> {
    let notes = [REVISION, CONFIG, run::FILE, origin::FILE].map(|name| directory.join(name));
    let notes = notes.into_iter().filter(|path| path.exists());
    let unwritten = unwritten_files(directory).map_err(io_error(directory))?;
    let reports = report_files(directory)?.into_iter();
    for path in reports.chain(notes).chain(unwritten) {
        fs::remove_file(&path).map_err(io_error(&path))?;
    }
    Ok(())
}

pub(crate) fn not_started(program: &str, source: io::Error) -> ProjectError {
    ProjectError::NotStarted {
        program: program.to_owned(),
        source,
    }
}

pub(crate) fn io_error(path: &Path) -> impl FnOnce(io::Error) -> ProjectError {
    let path = path.to_owned();
    move |source| ProjectError::Io { path, source }
}
