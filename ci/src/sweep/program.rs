//! The memory of one process of any program.

use super::process::{Ended, Processes, Threads};
use super::text::{Size, count};
use super::{SweepError, library};
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
    /// The maximum of the live bytes; not known if `no_figures` says why.
    pub peak_bytes: Option<u64>,
    /// All bytes allocated, with the growth of resized blocks; not known likewise.
    pub total_bytes: Option<u64>,
    /// All blocks allocated; not known likewise.
    pub total_blocks: Option<u64>,
    /// Bytes that were live when the process ended; not known likewise.
    pub left_bytes: Option<u64>,
    /// The same of blocks; not known likewise.
    pub left_blocks: Option<u64>,
    /// Why the figures are not known.
    pub no_figures: Option<String>,
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
        Some(figures) if figures.total_blocks > 0 => Ok(figures),
        _ => Err(reason(&ended)),
    };
    let known = figures.as_ref().ok();
    Ok(Program {
        command: { command.iter() }
            .map(|word| word.to_string_lossy().into_owned())
            .collect(),
        exit_code: ended.status.code(),
        peak_bytes: known.map(|figures| figures.peak_bytes),
        total_bytes: known.map(|figures| figures.total_bytes),
        total_blocks: known.map(|figures| figures.total_blocks),
        left_bytes: known.map(|figures| figures.left_bytes),
        left_blocks: known.map(|figures| figures.left_blocks),
        no_figures: figures.err(),
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
        if let Some(reason) = &self.no_figures {
            return write!(f, "no figures: {reason}");
        }
        let [peak, total, left] = [self.peak_bytes, self.total_bytes, self.left_bytes]
            .map(|bytes| Size(bytes.unwrap_or_default()));
        let blocks = [self.total_blocks, self.left_blocks]
            .map(|blocks| count(blocks.unwrap_or_default(), "block", "blocks"));
        let [total_blocks, left_blocks] = blocks;
        write!(
            f,
            "peak {peak}, allocated {total} in {total_blocks}, left {left} in {left_blocks}"
        )
    }
}
