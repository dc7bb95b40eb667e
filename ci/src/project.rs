//! Where a project keeps its reports and baselines, and how its tests are run.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

/// The folder of all baselines, in the workspace's root.
const BASELINES: &str = "memory-baselines";

/// A cargo workspace.
#[derive(Clone, Debug)]
pub struct Project {
    /// Where reports are written.
    pub reports: PathBuf,
    /// Where baselines are kept.
    pub baselines: PathBuf,
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
    /// `rustc` did not name its version.
    #[error("`rustc --version` printed `{0}`, which names no version")]
    NoVersion(String),
    /// Old reports could not be removed.
    #[error("{}: {source}", .path.display())]
    NotRemoved {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Project {
    /// The workspace around the working directory.
    ///
    /// # Errors
    /// If cargo finds none.
    pub fn find() -> Result<Self, cargo_metadata::Error> {
        let metadata = cargo_metadata::MetadataCommand::new().no_deps().exec()?;
        Ok(Self {
            reports: metadata.target_directory.join("highwater").into(),
            baselines: metadata.workspace_root.join(BASELINES).into(),
        })
    }

    /// Removes the reports of earlier runs and runs the tests, by `cargo nextest run`
    /// where that is installed and by `cargo test` where not, with `arguments`.
    ///
    /// # Errors
    /// If a report can't be removed or cargo does not start.
    pub fn run_tests(&self, arguments: &[OsString]) -> Result<ExitStatus, ProjectError> {
        self.remove_reports()?;
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let nextest = Command::new(&cargo).args(["nextest", "--version"]).output();
        let has_nextest = nextest.is_ok_and(|output| output.status.success());
        let command: &[&str] = if has_nextest {
            &["nextest", "run"]
        } else {
            &["test"]
        };
        Command::new(&cargo)
            .args(command)
            .args(arguments)
            .status()
            .map_err(|source| not_started(&cargo.to_string_lossy(), source))
    }

    fn remove_reports(&self) -> Result<(), ProjectError> {
        let not_removed = |path: &Path| {
            let path = path.to_owned();
            move |source| ProjectError::NotRemoved { path, source }
        };
        let entries = match fs::read_dir(&self.reports) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries.map_err(not_removed(&self.reports))?,
        };
        for entry in entries {
            let path = entry.map_err(not_removed(&self.reports))?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "json")
            {
                fs::remove_file(&path).map_err(not_removed(&path))?;
            }
        }
        Ok(())
    }
}

/// The toolchain, such as `rustc-1.95.0`.
///
/// # Errors
/// If `rustc` does not start or names no version.
pub fn toolchain() -> Result<String, ProjectError> {
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

fn not_started(program: &str, source: io::Error) -> ProjectError {
    ProjectError::NotStarted {
        program: program.to_owned(),
        source,
    }
}
