//! The memory of one process of any program.

use super::found::Found;
use super::process::{Expected, Threads};
use super::symbols::Symbols;
use super::text::{figures_told, site_told};
use super::{SweepError, elf, library};
use crate::table::printable;
use highwater::__private::wrapped_to;
use schemars::JsonSchema;
use serde::Serialize;
use std::ffi::OsString;
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

/// The figures, behind the tool's name; and the call sites, if they were found.
pub fn render(program: &Program, width: usize) -> String {
    let found = &program.found;
    let figures = match &found.no_figures {
        Some(reason) => format!("no figures: {}", printable(reason)),
        None => figures_told(found),
    };
    let mut text = wrapped_to(&format!("highwater: {figures}"), 0, width);
    if let Some(reason) = &found.not_searched {
        let reason = format!("not searched for unreachable memory: {reason}");
        text += &wrapped_to(&reason, 0, width);
    }
    for (what, sites) in [
        ("left", &found.left_sites),
        ("at the peak", &found.peak_sites),
    ] {
        let sites = sites.as_deref().unwrap_or_default();
        if !sites.is_empty() {
            text += &format!("{what}:\n");
        }
        let sites = sites.iter().take(SITES);
        text.extend(sites.map(|site| site_told(site, width)));
    }
    text
}
