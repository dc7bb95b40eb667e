//! `cargo highwater sweep`: the memory of the tests that a project already has; and
//! `cargo highwater run-program`: that of any program.

use super::{Failure, lock, print, say};
use crate::arguments::{ProgramArguments, SweepArguments};
use cargo_highwater::exit_code;
use cargo_highwater::project::Project;
use cargo_highwater::sweep::{Asked, Finished, Status, Sweep, program, text};
use highwater::ByteSize;
use highwater_reports::file;
use highwater_reports::fitted;
use serde::Serialize;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;

/// Moves to the start of a line of the terminal, and clears it.
const CLEAR: &str = "\r\u{1b}[2K";
/// What of a name fits into the line of the progress.
const NAME: usize = 50;

pub(crate) fn sweep(asked: &SweepArguments) -> Result<u8, Failure> {
    let project = Project::find()?;
    let _lock = lock(&project)?;
    let directory = directory(&project);
    let is_terminal = io::stderr().is_terminal();
    let finished = |finished: Finished<'_>| tell(&finished, is_terminal);
    let prepared = Sweep::prepare(Asked {
        directory: &directory,
        arguments: &asked.arguments,
        limit: asked.limit.map(ByteSize::bytes),
    })?;
    let tests = prepared.run(&finished);
    if is_terminal {
        let _ = write!(io::stderr(), "{CLEAR}");
    }
    let tests = tests?;
    write_json(asked.json.as_ref(), &tests)?;
    print(&text::render(&tests, asked.top, fitted::width()))?;
    Ok(if tests.iter().any(|test| test.status == Status::Failed) {
        exit_code::FAILED
    } else {
        exit_code::PASSED
    })
}

/// What a program prints is its own, so what is found goes to standard error.
pub(crate) fn run_program(asked: &ProgramArguments) -> Result<u8, Failure> {
    let directory = directory(&Project::find()?);
    let found = program::run(&directory, &asked.command, asked.limit.map(ByteSize::bytes))?;
    write_json(asked.json.as_ref(), &found)?;
    say(&found.to_string());
    Ok(if found.exit_code == Some(0) {
        exit_code::PASSED
    } else {
        exit_code::FAILED
    })
}

/// Where the counting library is kept.
fn directory(project: &Project) -> PathBuf {
    project.reports.join("sweep")
}

fn write_json(path: Option<&PathBuf>, found: &impl Serialize) -> Result<(), Failure> {
    let Some(path) = path else {
        return Ok(());
    };
    let json = serde_json::to_string_pretty(found).map_err(io::Error::from)? + "\n";
    let path = path.clone();
    file::write_atomically(&path, &json).map_err(|source| Failure::File { path, source })
}

/// Shows how far it is, and what a test printed that failed.
fn tell(finished: &Finished<'_>, is_terminal: bool) {
    let mut errors = io::stderr().lock();
    let name = &finished.test.test;
    let clear = if is_terminal { CLEAR } else { "" };
    if finished.test.status == Status::Failed {
        let output = String::from_utf8_lossy(finished.output);
        let binary = &finished.test.binary;
        let _ = writeln!(
            errors,
            "{clear}---- {binary} {name} ----\n{}\n",
            output.trim()
        );
    }
    if is_terminal {
        let name: String = name.chars().take(NAME).collect();
        let _ = write!(
            errors,
            "{clear}{} of {} tests: {name}",
            finished.done, finished.of
        );
        let _ = errors.flush();
    }
}
