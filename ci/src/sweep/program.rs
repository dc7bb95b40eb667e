//! The memory of one process of any program.

use super::found::Found;
use super::process::Threads;
use super::text::figures_told;
use super::{SweepError, elf, library};
use schemars::JsonSchema;
use serde::Serialize;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What was found of a process.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "Process of a program")]
pub struct Program {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// What it exited with; null if a signal ended it.
    pub exit_code: Option<i32>,
    /// What its process allocated.
    #[serde(flatten)]
    pub found: Found,
}

/// Runs a program, with the counting library that is kept in `directory`, and returns what its
/// process allocated. What it reads and prints is the caller's. It ends with more than `limit` live
/// bytes.
///
/// # Errors
/// If there is no such program, or the system is one where this does not work.
pub fn run(
    directory: &Path,
    command: &[OsString],
    limit: Option<u64>,
) -> Result<Program, SweepError> {
    let mut processes = library::checked(directory)?;
    processes.limit = limit;
    let program = PathBuf::from(command.first().cloned().unwrap_or_default());
    let mut process = Command::new(&program);
    process.args(command.iter().skip(1));
    let ended = processes.watch(&mut process, Threads::All)?;
    let figures = ended.all_figures(&elf::found(&program).unwrap_or(program));
    let words = command.iter().map(|word| word.to_string_lossy());
    Ok(Program {
        command: words.map(Into::into).collect(),
        exit_code: ended.status.code(),
        found: figures.into(),
    })
}

/// One line.
impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = &self.found;
        if let Some(reason) = &found.no_figures {
            return write!(f, "no figures: {reason}");
        }
        f.write_str(&figures_told(found))
    }
}
