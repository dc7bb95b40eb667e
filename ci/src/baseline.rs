//! [`Baseline`]: what a scenario is known to need, in a text file that is committed
//! and reviewed.
//!
//! One file a scenario, one figure a line, so that a diff of the file is the change
//! of the scenario. The figures hold for one toolchain, system, profile and
//! allocator; each of these has a folder of its own ([`folder`]).

use crate::report::Report;
use crate::table::Thousands;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The first line of a file, with the version of its form.
const HEADER: &str = "highwater baseline 1";

/// The figures, in the order of the file: their names, whether they are bytes, and
/// where they are in a report.
type Figure = (&'static str, bool, fn(&Report) -> i64);
const FIGURES: [Figure; 10] = [
    ("steps", false, |report| signed(report.steps)),
    ("growth", true, |report| report.growth_bytes),
    ("peak", true, |report| signed(report.peak_bytes)),
    ("peak bound", true, |report| signed(report.peak_error_bytes)),
    ("residue", true, |report| signed(report.residue_bytes)),
    ("live", true, |report| signed(report.live_bytes)),
    ("live blocks", false, |report| signed(report.live_blocks)),
    ("total", true, |report| signed(report.total_bytes)),
    ("total blocks", false, |report| signed(report.total_blocks)),
    ("reallocations", false, |report| {
        signed(report.reallocations)
    }),
];

fn signed(figure: u64) -> i64 {
    i64::try_from(figure).unwrap_or(i64::MAX)
}

/// What a scenario is known to need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Baseline {
    /// The scenario, with its variant in brackets.
    pub scenario: String,
    /// The figures by their names.
    pub figures: BTreeMap<&'static str, i64>,
    /// The verdict's word.
    pub verdict: String,
    /// The law of growth; none if the verdict was open.
    pub law: Option<String>,
}

/// Why a baseline could not be read or written. Each message names the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BaselineError {
    /// The system refused.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not what was written.
    #[error(
        "{}, line {line}: {problem}; restore the file, or delete it and run \
         `cargo highwater bless`",
        .path.display()
    )]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where, from 1 on.
        line: usize,
        /// What is wrong there.
        problem: String,
    },
}

/// Names the figures, in the order of the file, and whether they are bytes.
pub fn figures() -> impl Iterator<Item = (&'static str, bool)> {
    FIGURES.iter().map(|(name, is_bytes, _)| (*name, *is_bytes))
}

/// The folder, below that of all baselines, for reports like `report`, made with
/// the `toolchain`: figures of others are not to be compared with them.
pub fn folder(report: &Report, toolchain: &str) -> String {
    let allocator = report.allocator.as_deref().unwrap_or("unknown");
    format!(
        "{}-{}-{}-{toolchain}",
        report.target,
        report.profile,
        allocator.to_lowercase()
    )
}

/// The name of the baseline's file, the same as that of the report's.
pub fn file_name(report_file: &Path) -> PathBuf {
    PathBuf::from(report_file.file_stem().unwrap_or_default()).with_added_extension("txt")
}

impl Baseline {
    /// What `report` found.
    pub fn of(report: &Report) -> Self {
        Self {
            scenario: report.full_name(),
            figures: FIGURES
                .iter()
                .map(|(name, _, figure)| (*name, figure(report)))
                .collect(),
            verdict: report.verdict.word().to_owned(),
            law: report.law.clone(),
        }
    }

    /// The text of its file.
    pub fn to_text(&self) -> String {
        let mut text = format!(
            "{HEADER}\n\n{:<14} {}\n",
            "scenario",
            self.scenario.escape_debug()
        );
        for (name, is_bytes) in figures() {
            let figure = Thousands(self.figures.get(name).copied().unwrap_or(0).into());
            let unit = if is_bytes { " B" } else { "" };
            // Writing to a `String` cannot fail.
            let _ = writeln!(text, "{name:<14} {figure}{unit}");
        }
        let _ = writeln!(text, "{:<14} {}", "verdict", self.verdict);
        let law = self.law.as_deref().unwrap_or("none");
        let _ = writeln!(text, "{:<14} {law}", "law");
        text
    }

    /// Reads the file at `path`.
    ///
    /// # Errors
    /// If it can't be read, or its text is not one that was written.
    pub fn read(path: &Path) -> Result<Self, BaselineError> {
        let text = fs::read_to_string(path).map_err(|source| io_error(path, source))?;
        Self::parse(&text).map_err(|(line, problem)| BaselineError::Malformed {
            path: path.to_owned(),
            line,
            problem,
        })
    }

    fn parse(text: &str) -> Result<Self, (usize, String)> {
        let mut lines = text
            .lines()
            .enumerate()
            .map(|(place, line)| (place + 1, line));
        let mut next = |expected: &str| {
            let (number, line) = lines
                .by_ref()
                .find(|(_, line)| !line.trim().is_empty())
                .ok_or_else(|| (text.lines().count() + 1, format!("`{expected}` is missing")))?;
            match line.split_at_checked(14) {
                Some((name, value)) if name.trim_end() == expected => Ok((number, value.trim())),
                _ if line == expected => Ok((number, "")),
                _ => Err((number, format!("`{expected}` is expected, not `{line}`"))),
            }
        };
        next(HEADER)?;
        let scenario = next("scenario")?.1.to_owned();
        let mut figures = BTreeMap::new();
        for (name, is_bytes) in self::figures() {
            let (number, value) = next(name)?;
            let digits = if is_bytes {
                value.strip_suffix(" B")
            } else {
                Some(value)
            };
            let figure = digits.and_then(|digits| digits.replace(',', "").parse().ok());
            let problem = || (number, format!("`{value}` is no figure for `{name}`"));
            figures.insert(name, figure.ok_or_else(problem)?);
        }
        let verdict = next("verdict")?.1.to_owned();
        let law = Some(next("law")?.1.to_owned()).filter(|law| law != "none");
        Ok(Self {
            scenario,
            figures,
            verdict,
            law,
        })
    }

    /// Writes the file at `path`, whole or not at all.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn write(&self, path: &Path) -> Result<(), BaselineError> {
        let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
        let directory = path.parent().map_or(Ok(()), fs::create_dir_all);
        directory
            .and_then(|()| fs::write(&temporary, self.to_text()))
            .and_then(|()| fs::rename(&temporary, path))
            .map_err(|source| io_error(path, source))
    }
}

/// The baselines in `directory`, by the names of their files; none if there is no
/// such directory.
///
/// # Errors
/// If one of them can't be read.
pub fn read_folder(directory: &Path) -> Result<BTreeMap<PathBuf, Baseline>, BaselineError> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        entries => entries.map_err(|source| io_error(directory, source))?,
    };
    let mut baselines = BTreeMap::new();
    for entry in entries {
        let path = entry.map_err(|source| io_error(directory, source))?.path();
        if path.extension().is_some_and(|extension| extension == "txt") {
            let name = PathBuf::from(path.file_name().unwrap_or_default());
            baselines.insert(name, Baseline::read(&path)?);
        }
    }
    Ok(baselines)
}

pub(crate) fn io_error(path: &Path, source: io::Error) -> BaselineError {
    BaselineError::Io {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests;
