//! [`Baseline`]: what a scenario is known to need, in a text file that is committed
//! and reviewed.
//!
//! One file a scenario, one figure a line, so that a diff of the file is the change
//! of the scenario. The figures hold for one toolchain, system, profile and
//! allocator; each of these has a folder of its own ([`folder`]).

use highwater::__private::Thousands;
use highwater_reports::figure::{Figure, Figures, Unit, figures};
use highwater_reports::file::write_atomically;
use highwater_reports::page::blocks;
use highwater_reports::report::{Ceiling, Report, Site};
use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The first line of a file, with the version of its form.
const HEADER: &str = "highwater baseline 1";

/// What a scenario is known to need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Baseline {
    /// The scenario, with its variant in brackets.
    pub scenario: String,
    /// The figures by their names, without those that were not measured.
    pub figures: Figures,
    /// The least and the most of each figure that differed from run to run when it was recorded.
    pub ranges: BTreeMap<Figure, [i64; 2]>,
    /// The verdict's word.
    pub verdict: String,
    /// The law of growth; none if the verdict was open.
    pub law: Option<String>,
    /// What it is held to, by the names of its ceilings: the lowest of each.
    pub ceilings: BTreeMap<String, String>,
    /// The call sites that grew most, if the report knows them: for the reader of a diff.
    /// They are not compared, for the names of functions are no memory.
    pub sites: Vec<String>,
}

/// How many of them.
const SITES: usize = 5;

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

/// The folder, below that of all baselines, for reports like `report`, made with
/// the `toolchain`: figures of others are not to be compared with them.
pub fn folder(report: &Report, toolchain: &str) -> String {
    let allocator = report.allocator.as_deref().unwrap_or("unknown");
    let name = format!(
        "{}-{}-{}-{toolchain}",
        report.target,
        report.profile,
        allocator.to_lowercase()
    );
    // A report may come from anywhere, and must not choose a folder elsewhere.
    let is_plain = |c: char| c.is_alphanumeric() || "-_.+".contains(c);
    let plain = name.chars().map(|c| if is_plain(c) { c } else { '_' });
    plain.collect()
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
            figures: figures(report),
            ranges: BTreeMap::new(),
            verdict: report.verdict.word().to_owned(),
            law: report.law.clone(),
            ceilings: ceilings(report),
            sites: sites(report),
        }
    }

    /// What several runs of the same code found: the first one's figures, and how far the others
    /// are from them.
    pub fn of_runs(report: &Report, others: &[&Report]) -> Self {
        let found = Self::of(report);
        let others: Vec<_> = others.iter().map(|report| figures(report)).collect();
        let range = |(figure, value): (&Figure, &i64)| {
            let values = others.iter().filter_map(|figures| figures.get(figure));
            let values = || values.clone().chain([value]).copied();
            let range = [values().min()?, values().max()?];
            (range[0] < range[1] && figure.can_block()).then_some((*figure, range))
        };
        Self {
            ranges: found.figures.iter().filter_map(range).collect(),
            ..found
        }
    }

    /// The least and the most that this figure was when it was recorded; none if it was not
    /// measured.
    pub fn range(&self, figure: Figure) -> Option<[i64; 2]> {
        let value = *self.figures.get(&figure)?;
        Some(self.ranges.get(&figure).copied().unwrap_or([value; 2]))
    }

    /// How far this figure may differ from run to run: as far as any did that is counted in the
    /// same. Few runs do not show the range of each. Levels of memory differ less than totals,
    /// and what only some scenarios have is for itself.
    pub fn spread(&self, figure: Figure) -> u64 {
        let is_like = |other: Figure| {
            let are_common = figure.is_always_measured() && other.is_always_measured();
            let is_as_level = figure.is_a_total() || !other.is_a_total();
            other == figure || are_common && other.unit() == figure.unit() && is_as_level
        };
        let alike = self.ranges.iter().filter(|(other, _)| is_like(**other));
        let widths = alike.map(|(_, [least, most])| most.abs_diff(*least));
        widths.max().unwrap_or(0)
    }

    /// The text of its file.
    pub fn to_text(&self) -> String {
        let mut text = format!(
            "{HEADER}\n\n{:<14} {}\n",
            "scenario",
            escaped(&self.scenario)
        );
        for (figure, value) in &self.figures {
            // Writing to a `String` cannot fail.
            let _ = writeln!(text, "{:<14} {}", figure.name(), figure.display(*value));
        }
        let _ = writeln!(text, "{:<14} {}", "verdict", escaped(&self.verdict));
        let law = self.law.as_deref().unwrap_or("none");
        let _ = writeln!(text, "{:<14} {}", "law", escaped(law));
        for (name, limit) in &self.ceilings {
            let ceiling = escaped(&format!("{name}: {limit}"));
            let _ = writeln!(text, "{:<14} {ceiling}", "ceiling");
        }
        for (figure, [least, most]) in &self.ranges {
            let (name, least, most) = (figure.name(), Thousands(*least), figure.display(*most));
            let _ = writeln!(text, "{:<14} {name}: {least} to {most}", "varies");
        }
        for site in &self.sites {
            let _ = writeln!(text, "{:<14} {}", "site", escaped(site));
        }
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
        let mut lines = Lines::of(text);
        let plain = |(number, text): (usize, &str)| {
            unescaped(text).ok_or_else(|| (number, format!("`{text}` has a `\\` too many")))
        };
        lines.next(HEADER)?;
        let scenario = plain(lines.next("scenario")?)?;
        let mut figures = Figures::new();
        for figure in Figure::all() {
            if !figure.is_always_measured() && !lines.has_next(figure.name()) {
                continue;
            }
            let (number, text) = lines.next(figure.name())?;
            let value = value(figure, text);
            let problem = || {
                (
                    number,
                    format!("`{text}` is no figure for `{}`", figure.name()),
                )
            };
            figures.insert(figure, value.ok_or_else(problem)?);
        }
        let verdict = plain(lines.next("verdict")?)?;
        let law = Some(plain(lines.next("law")?)?).filter(|law| law != "none");
        let mut ceilings = BTreeMap::new();
        let mut ranges = BTreeMap::new();
        let mut sites = Vec::new();
        for (number, line) in lines.left {
            let problem = || {
                let problem = format!("`ceiling`, `varies` or `site` is expected, not `{line}`");
                (number, problem)
            };
            let (name, text) = line.split_at_checked(14).ok_or_else(problem)?;
            let text = plain((number, text.trim()))?;
            match name.trim_end() {
                "ceiling" => {
                    let (name, limit) = text.rsplit_once(": ").ok_or_else(problem)?;
                    ceilings.insert(name.to_owned(), limit.to_owned());
                }
                "varies" => {
                    let (figure, range) = range(&text).ok_or_else(problem)?;
                    ranges.insert(figure, range);
                }
                "site" => sites.push(text),
                _ => return Err(problem()),
            }
        }
        Ok(Self {
            scenario,
            figures,
            ranges,
            verdict,
            law,
            ceilings,
            sites,
        })
    }

    /// Writes the file at `path`, whole or not at all.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn write(&self, path: &Path) -> Result<(), BaselineError> {
        write_atomically(path, &self.to_text()).map_err(|source| io_error(path, source))
    }
}

/// The lines of a file that are not empty, with their numbers.
struct Lines<'a> {
    left: VecDeque<(usize, &'a str)>,
    /// The number behind the last one.
    end: usize,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Self {
        let lines = (1..).zip(text.lines());
        Self {
            left: lines.filter(|(_, line)| !line.trim().is_empty()).collect(),
            end: text.lines().count() + 1,
        }
    }

    /// Whether the next one is of this name.
    fn has_next(&self, name: &str) -> bool {
        let next = self.left.front();
        next.is_some_and(|(_, line)| value_of(line, name).is_some())
    }

    /// The next one's value, and where it is.
    fn next(&mut self, expected: &str) -> Result<(usize, &'a str), (usize, String)> {
        let next = self.left.pop_front();
        let missing = || (self.end, format!("`{expected}` is missing"));
        let (number, line) = next.ok_or_else(missing)?;
        let problem = || (number, format!("`{expected}` is expected, not `{line}`"));
        let value = value_of(line, expected).ok_or_else(problem)?;
        Ok((number, value))
    }
}

/// What stands behind the name in a line, if it is this name.
fn value_of<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    match line.split_at_checked(14) {
        Some((known, value)) if known.trim_end() == name => Some(value.trim()),
        _ => (line == name).then_some(""),
    }
}

/// The value of a figure that was written with its unit.
fn value(figure: Figure, text: &str) -> Option<i64> {
    let digits = match figure.unit() {
        Unit::Bytes => text.strip_suffix(" B")?,
        _ => text,
    };
    digits.replace(',', "").parse().ok()
}

/// A figure that varies, with its least and its most.
fn range(text: &str) -> Option<(Figure, [i64; 2])> {
    let (name, range) = text.split_once(": ")?;
    let figure = Figure::all().find(|figure| figure.name() == name)?;
    let (least, most) = range.split_once(" to ")?;
    let range = [least.replace(',', "").parse().ok()?, value(figure, most)?];
    (range[0] <= range[1]).then_some((figure, range))
}

/// Text in one line, which ends where it seems to.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for (at, character) in text.char_indices() {
        let is_at_end = at == 0 || at + character.len_utf8() == text.len();
        match character {
            '\\' => escaped.push_str("\\\\"),
            c if c.is_control() || c.is_whitespace() && (is_at_end || c != ' ') => {
                escaped.extend(c.escape_unicode());
            }
            c => escaped.push(c),
        }
    }
    escaped
}

/// The text that was escaped, by this or an earlier version; none if it was not.
fn unescaped(text: &str) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('\\') {
        plain.push_str(before);
        let kind = behind.chars().next()?;
        rest = &behind[kind.len_utf8()..];
        plain.push(match kind {
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            '0' => '\0',
            '\\' | '\'' | '"' => kind,
            'u' => {
                let (digits, behind) = rest.strip_prefix('{')?.split_once('}')?;
                rest = behind;
                char::from_u32(u32::from_str_radix(digits, 16).ok()?)?
            }
            _ => return None,
        });
    }
    Some(plain + rest)
}

fn ceilings(report: &Report) -> BTreeMap<String, String> {
    let limit = |set: &Ceiling| match set.unit.as_str() {
        "bytes" => format!("{} B", Thousands(set.limit)),
        unit => format!("{} {unit}", Thousands(set.limit)),
    };
    let names = report.ceilings.iter().map(|set| &set.ceiling);
    let binding =
        names.filter_map(|name| Some((name.clone(), limit(report.lowest_ceiling(name)?))));
    binding.collect()
}

fn sites(report: &Report) -> Vec<String> {
    let all = report.diagnosis.iter().flat_map(|found| &found.sites);
    let grown = all.filter(|site| site.growth_bytes != 0 && !site.frames.is_empty());
    let told = |site: &Site| {
        let bytes = Figure::Growth.display(site.growth_bytes);
        let count = Figure::LiveBlocks.display(site.growth_blocks);
        let kind = site.type_name.as_deref().unwrap_or("type unknown");
        let function = &site.frames[0].function;
        let noun = blocks(site.growth_blocks.into());
        format!("{bytes}, {count} {noun}: {kind} in {function}")
    };
    grown.take(SITES).map(told).collect()
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
