//! The command that runs a project's tests, and what it may end with.

use super::{ProjectError, flags, io_error, not_started};
use highwater_reports::report::{unwritten_files, unwritten_text};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use tempfile::TempDir;

/// What nextest exits with when it ran the tests and some failed, and when there
/// were none.
const NEXTEST_FAILED: i32 = 100;
const NEXTEST_NO_TESTS: i32 = 4;
/// The variable that tells the tests of another directory than that of the reports, for
/// word of a report that could not be written.
const UNWRITTEN: &str = "HIGHWATER_UNWRITTEN";
/// The file in it that they remove if they can't leave even that.
const ALL_WRITTEN: &str = "all-written";

/// Tests that are to be run.
pub(super) struct Tests<'a> {
    pub(super) directory: &'a Path,
    /// The target directory, if it is not that of the directory.
    pub(super) target: Option<PathBuf>,
    /// Where they write their reports.
    pub(super) reports: &'a Path,
    /// What else they are told.
    pub(super) environment: Vec<(String, String)>,
    pub(super) arguments: &'a [OsString],
    /// The names of those to run; all, if there is none.
    pub(super) only: &'a [String],
}

impl Tests<'_> {
    /// Whether they passed.
    pub(super) fn run(&self, which: &str) -> Result<bool, ProjectError> {
        let elsewhere = elsewhere(self.reports)?;
        let passed = self.run_with(which, elsewhere.path())?;
        match word_of_unwritten(self.reports, elsewhere.path())? {
            None => Ok(passed),
            Some(said) => Err(ProjectError::Unwritten {
                which: which.to_owned(),
                said,
            }),
        }
    }

    fn run_with(&self, which: &str, elsewhere: &Path) -> Result<bool, ProjectError> {
        let not_run = |status| not_run(which, status);
        // One failure must not keep the others from being measured.
        let stops = [
            "--fail-fast",
            "--ff",
            "--no-fail-fast",
            "--nff",
            "--max-fail",
            "--no-run",
        ];
        let all = if self.has_argument(&stops) {
            None
        } else {
            Some("--no-fail-fast")
        };
        let status = |words: &[&str], arguments: &[OsString]| {
            let mut command = self.command(words, arguments);
            let status = command.env(UNWRITTEN, elsewhere).status();
            status.map_err(|source| not_started("cargo", source))
        };
        if self.has_nextest() {
            let words: Vec<_> = ["nextest", "run"].into_iter().chain(all).collect();
            let status = status(&words, &self.nextest_arguments())?;
            return match status.code() {
                Some(0 | NEXTEST_NO_TESTS) => Ok(true),
                Some(NEXTEST_FAILED) => Ok(false),
                _ => Err(not_run(status)),
            };
        }
        // `cargo test` says the same when the build fails and when a test does.
        if !self.has_argument(&["--doc"]) {
            let built = status(&["test", "--no-run"], self.of_cargo())?;
            if !built.success() {
                return Err(not_run(built));
            }
        }
        let words: Vec<_> = ["test"].into_iter().chain(all).collect();
        Ok(status(&words, &self.cargo_arguments())?.success())
    }

    /// Whether nothing would be compiled for them.
    pub(super) fn are_fresh(&self, which: &str) -> Result<bool, ProjectError> {
        let mut command = if self.has_nextest() {
            self.command(&["nextest", "run", "--no-run"], self.arguments)
        } else if self.has_argument(&["--doc"]) {
            return Ok(true);
        } else {
            self.command(&["test", "--no-run"], self.of_cargo())
        };
        let output = command.env("CARGO_TERM_COLOR", "never").output();
        let output = output.map_err(|source| not_started("cargo", source))?;
        let said = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            eprint!("{said}");
            return Err(not_run(which, output.status));
        }
        let compiles = |line: &str| line.trim_start().starts_with("Compiling ");
        Ok(!said.lines().any(compiles))
    }

    fn has_nextest(&self) -> bool {
        let output = self.command(&["nextest", "--version"], &[]).output();
        output.is_ok_and(|output| output.status.success())
    }

    /// The arguments, in which one filter by names stands for those that they have.
    fn nextest_arguments(&self) -> Vec<OsString> {
        if self.only.is_empty() {
            return self.arguments.to_vec();
        }
        let names = self.only.iter();
        let names = names.map(|name| format!("test(={})", escaped(name)));
        let filter = names.collect::<Vec<_>>().join(" + ");
        let mut arguments = vec!["-E".into(), filter.into()];
        let filters = ["-E", "--filterset", "--filter-expr", "--partition"];
        let mut own = self.arguments.iter();
        while let Some(argument) = own.next() {
            let text = argument.to_string_lossy();
            if text == "--" {
                arguments.push(argument.clone());
                break;
            }
            let starts = |filter: &&&str| {
                text.strip_prefix(**filter)
                    .is_some_and(|rest| rest.starts_with('=') || !filter.starts_with("--"))
            };
            if filters.contains(&text.as_ref()) {
                own.next();
            } else if filters.iter().find(starts).is_none() {
                arguments.push(argument.clone());
            }
        }
        arguments.extend(own.cloned());
        arguments
    }

    /// Those for `cargo test` itself, not for the tests.
    fn of_cargo(&self) -> &[OsString] {
        let end = self.arguments.iter().position(|argument| argument == "--");
        &self.arguments[..end.unwrap_or(self.arguments.len())]
    }

    fn cargo_arguments(&self) -> Vec<OsString> {
        if self.only.is_empty() {
            return self.arguments.to_vec();
        }
        let of_tests = self.arguments.get(self.of_cargo().len() + 1..);
        let names = self.only.iter().map(OsString::from);
        let mut arguments = self.of_cargo().to_vec();
        arguments.extend(["--", "--exact"].map(OsString::from));
        arguments.extend(names.chain(of_tests.unwrap_or_default().iter().cloned()));
        arguments
    }

    /// What is set for the compiler; nothing if the arguments configure cargo.
    fn flags(&self) -> Option<String> {
        let mut arguments = self.of_cargo().iter().map(|one| one.to_string_lossy());
        let mut target = None;
        while let Some(argument) = arguments.next() {
            if argument == "--config" || argument.starts_with("--config=") {
                return None;
            }
            match argument.strip_prefix("--target") {
                Some("") => target = arguments.next().map(Into::into),
                Some(rest) => target = rest.strip_prefix('=').map(str::to_owned).or(target),
                None => {}
            }
        }
        flags::encoded(self.directory, target.as_deref())
    }

    fn has_argument(&self, starts: &[&str]) -> bool {
        self.arguments.iter().any(|argument| {
            let argument = argument.to_string_lossy();
            starts.iter().any(|start| argument.starts_with(start))
        })
    }

    fn command(&self, words: &[&str], arguments: &[OsString]) -> Command {
        let mut command = cargo();
        command
            .args(words)
            .args(arguments)
            .current_dir(self.directory)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env("HIGHWATER_REPORTS", self.reports)
            .envs(self.flags().map(|flags| (flags::VARIABLE, flags)));
        if let Some(target) = &self.target {
            // A build directory that is configured for all would serve the same package from
            // two directories, and a base would be taken for the code beside it.
            command
                .env("CARGO_TARGET_DIR", target)
                .env("CARGO_BUILD_BUILD_DIR", target);
        }
        command
    }
}

/// The cargo that is there.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// The compiler that is there.
pub(crate) fn rustc() -> Command {
    Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
}

pub(crate) fn not_run(which: &str, status: ExitStatus) -> ProjectError {
    ProjectError::NotRun {
        which: which.to_owned(),
        status,
    }
}

/// A name in nextest's language of filters.
fn escaped(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for character in name.chars() {
        if matches!(character, '\\' | ')' | ',' | '/') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// A directory on what is, if possible, another disk than that of the reports.
fn elsewhere(reports: &Path) -> Result<TempDir, ProjectError> {
    let beside = reports.parent().unwrap_or(reports);
    let directory = tempfile::tempdir().or_else(|_| {
        fs::create_dir_all(beside)?;
        tempfile::tempdir_in(beside)
    });
    let directory = directory.map_err(io_error(beside))?;
    let file = directory.path().join(ALL_WRITTEN);
    fs::write(&file, "").map_err(io_error(&file))?;
    Ok(directory)
}

/// What tests said of reports that they could not write; none if they wrote all. What is
/// said elsewhere is put among the reports, for those who read them later.
fn word_of_unwritten(reports: &Path, elsewhere: &Path) -> Result<Option<String>, ProjectError> {
    let mut texts = Vec::new();
    for path in unwritten_files(reports).map_err(io_error(reports))? {
        texts.push(unwritten_text(&path));
    }
    for path in unwritten_files(elsewhere).map_err(io_error(elsewhere))? {
        texts.push(unwritten_text(&path));
        let _ = fs::copy(&path, reports.join(path.file_name().unwrap_or_default()));
    }
    if texts.is_empty() && !elsewhere.join(ALL_WRITTEN).exists() {
        texts.push("its test could say no more".to_owned());
    }
    Ok((!texts.is_empty()).then(|| texts.join("; ")))
}

#[cfg(test)]
mod tests;
