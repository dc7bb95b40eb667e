//! `cargo highwater repro`: one scenario again, with call stacks.
//!
//! A test is found by a part of its name, as cargo finds it; a scenario may be called
//! otherwise than the test that runs it. Its reports go where they change nothing that
//! `check` and `bless` read.

use super::{Failure, lock, print, project, say};
use cargo_highwater::exit_code;
use cargo_highwater::project::Project;
use highwater_reports::artefacts;
use highwater_reports::report::{self, ReadError, Report};
use highwater_reports::similar::did_you_mean;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// A scenario that fails counts as it does for `run`.
pub(crate) fn repro(
    asked: &str,
    steps: Option<u64>,
    arguments: &[OsString],
) -> Result<u8, Failure> {
    let (project, config) = project()?;
    let _lock = lock(&project)?;
    let origin = project.origin();
    let found = find(&project, asked, steps, arguments)?;
    let mut code = exit_code::PASSED;
    for (file, mut report) in found {
        config.apply(&mut report)?;
        if report.is_failure() {
            code = exit_code::FAILED;
        }
        let directory = artefacts::directory(&project.reports, &file);
        print(report.explanation.as_deref().unwrap_or_default())?;
        let written = artefacts::write(&report, &origin, &directory)?;
        print(&format!("\n{}\n", artefacts::summary(&written)))?;
    }
    Ok(code)
}

/// The reports with call stacks of what was asked for.
fn find(
    project: &Project,
    asked: &str,
    steps: Option<u64>,
    arguments: &[OsString],
) -> Result<Vec<(PathBuf, Report)>, Failure> {
    let with_filter = [&[OsString::from(asked)], arguments].concat();
    project.reproduce(steps, &with_filter)?;
    let of_tests = reports(&project.repro_reports)?;
    let (named, others): (Vec<_>, Vec<_>) = of_tests
        .into_iter()
        .partition(|(_, report)| is_called(report, asked));
    if !named.is_empty() {
        return Ok(named);
    }
    let known = reports(&project.reports)?;
    let nothing = || nothing(asked, &known);
    if known.iter().any(|(_, report)| is_called(report, asked)) {
        say(&format!(
            "the test of the scenario `{asked}` has another name; running all tests to find it"
        ));
        project.reproduce(steps, arguments)?;
        let mut named = reports(&project.repro_reports)?;
        named.retain(|(_, report)| is_called(report, asked));
        return if named.is_empty() {
            Err(nothing())
        } else {
            Ok(named)
        };
    }
    if others.is_empty() {
        Err(nothing())
    } else {
        Ok(others)
    }
}

/// With what is called nearly so, of the last run.
fn nothing(asked: &str, known: &[(PathBuf, Report)]) -> Failure {
    let last = |test: &str| test.rsplit("::").next().unwrap_or_default().to_owned();
    let names = known.iter().flat_map(|(_, report)| {
        let tests = report.test.iter();
        let tests = tests.flat_map(|test| [test.clone(), last(test)]);
        [report.name.clone(), report.full_name()]
            .into_iter()
            .chain(tests)
    });
    let names: Vec<_> = names.collect();
    Failure::NothingToReproduce {
        asked: asked.to_owned(),
        similar: did_you_mean(asked, names.iter().map(String::as_str)),
    }
}

fn is_called(report: &Report, name: &str) -> bool {
    report.name == name || report.full_name() == name
}

fn reports(directory: &Path) -> Result<Vec<(PathBuf, Report)>, ReadError> {
    match report::read_files(directory) {
        Err(ReadError::NoReports(_) | ReadError::NoDirectory(_)) => Ok(Vec::new()),
        reports => reports,
    }
}
