//! The memory of one process of any program.

use super::found::Found;
use super::process::{Expected, Threads};
use super::symbols::Symbols;
use super::text::{figures_told, site_told};
use super::{SweepError, elf, library};
use highwater_reports::fitted;
use schemars::JsonSchema;
use serde::Serialize;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How many call sites are printed.
const SITES: usize = 5;

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

/// What is to be run, and how.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Where the counting library is kept.
    pub directory: &'a Path,
    /// The program and its arguments.
    pub command: &'a [OsString],
    /// The most live bytes.
    pub limit: Option<u64>,
    /// Whether to find call sites.
    pub with_sites: bool,
    /// Paths of sources below it are told from there.
    pub root: &'a Path,
}

/// Runs a program, and returns what its process allocated. What it reads and prints is the
/// caller's.
///
/// # Errors
/// If there is no such program, or the system is one where this does not work.
pub fn run(asked: Asked<'_>) -> Result<Program, SweepError> {
    let mut processes = library::checked(asked.directory)?;
    processes.limit = asked.limit;
    let command = asked.command;
    let program = PathBuf::from(command.first().cloned().unwrap_or_default());
    let mut process = Command::new(&program);
    process.args(command.iter().skip(1));
    let sites = asked.with_sites.then(Expected::default);
    let ended = processes.watch(&mut process, Threads::All, sites)?;
    let figures = ended.all_figures(&elf::found(&program).unwrap_or(program));
    let mut symbols = Symbols::new(asked.root);
    let found = Found::from(figures).with_sites(ended.stacks.as_ref(), &mut symbols);
    let words = command.iter().map(|word| word.to_string_lossy());
    Ok(Program {
        command: words.map(Into::into).collect(),
        exit_code: ended.status.code(),
        found,
    })
}

/// One line; and the call sites, if they were found.
impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = &self.found;
        match &found.no_figures {
            Some(reason) => writeln!(f, "no figures: {reason}")?,
            None => writeln!(f, "{}", figures_told(found))?,
        }
        for (what, sites) in [
            ("left", &found.left_sites),
            ("at the peak", &found.peak_sites),
        ] {
            let sites = sites.as_deref().unwrap_or_default();
            if !sites.is_empty() {
                writeln!(f, "{what}:")?;
            }
            for site in sites.iter().take(SITES) {
                f.write_str(&site_told(site, fitted::width()))?;
            }
        }
        Ok(())
    }
}
