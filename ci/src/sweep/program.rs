//! The memory of one process of any program.

use super::process::{Ended, Processes, Threads};
use super::text::count;
use super::{Found, SweepError, library};
use highwater::__private::Size;
use schemars::JsonSchema;
use serde::Serialize;
use std::ffi::OsString;
use std::fmt;
use std::path::Path;
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
/// process allocated. What it reads and prints is the caller's.
///
/// # Errors
/// If there is no such program, or the system is one where this does not work.
pub fn run(directory: &Path, command: &[OsString]) -> Result<Program, SweepError> {
    let processes = Processes::new(&library::compiled(directory)?)?;
    let mut process = Command::new(command.first().cloned().unwrap_or_default());
    process.args(command.iter().skip(1));
    let ended = processes.watch(&mut process, Threads::All)?;
    let figures = match &ended.figures {
        Some(figures) if figures.total_blocks > 0 => Ok(figures.clone()),
        _ => Err(reason(&ended)),
    };
    let words = command.iter().map(|word| word.to_string_lossy());
    Ok(Program {
        command: words.map(Into::into).collect(),
        exit_code: ended.status.code(),
        found: figures.into(),
    })
}

fn reason(ended: &Ended) -> String {
    match (&ended.figures, ended.status.code()) {
        (Some(_), _) => "it has an allocator of its own".to_owned(),
        (None, None) => format!("it ended by {}", ended.how()),
        (None, Some(_)) => "it is linked statically, ended by `_exit`, became another program, or \
                            could not write them"
            .to_owned(),
    }
}

/// One line.
impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = &self.found;
        if let Some(reason) = &found.no_figures {
            return write!(f, "no figures: {reason}");
        }
        let [peak, total, left] = [found.peak_bytes, found.total_bytes, found.left_bytes]
            .map(|bytes| Size(bytes.unwrap_or_default()));
        let blocks = [found.total_blocks, found.left_blocks]
            .map(|blocks| count(blocks.unwrap_or_default(), "block", "blocks"));
        let [total_blocks, left_blocks] = blocks;
        write!(
            f,
            "peak {peak}, allocated {total} in {total_blocks}, left {left} in {left_blocks}"
        )
    }
}
