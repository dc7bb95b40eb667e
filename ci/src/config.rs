//! [`Config`]: `highwater.toml`, what a project says of its scenarios.
//!
//! The file stands in the workspace's root and may be missing. Everything in it is
//! checked when it is read: a key that is not known or a size that is none is an
//! error with its line, never skipped. Its ceilings are held by `cargo highwater`,
//! in addition to those in the code, which `cargo test` alone holds too.

mod date;
mod figures;
mod leaks;
mod left;
mod signature;

use crate::kind::{Kind, blocking};
use figures::{Ceilings, Limit};
use highwater::__private::{Thousands, milliseconds};
use highwater_reports::figure::{Figure, Unit};
use highwater_reports::page;
use highwater_reports::report::{Acceptable, Accepted, Breach, Ceiling, Report, Verdict};
use leaks::AcceptedLeak;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use wildmatch::WildMatchPattern;

pub use date::Date;
pub use figures::Tolerance;
pub use left::AcceptedLeft;

/// A name in which `*` stands for anything, and nothing else does for something.
type Pattern = WildMatchPattern<'*', '\0'>;

/// What `highwater.toml` says; nothing, if there is none.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// The ceilings of each scenario that has none of its own.
    #[serde(default)]
    ceilings: Ceilings,
    #[serde(default)]
    gate: Gate,
    #[serde(default)]
    sweep: Sweep,
    /// How long one scenario may take.
    time_limit: Option<TimeLimit>,
    /// By the full name, in which `*` stands for anything.
    #[serde(default)]
    scenario: BTreeMap<String, Entry>,
    /// The leaks that are known.
    #[serde(default)]
    accepted_leak: Vec<AcceptedLeak>,
    /// What tests that do not use the library may leave behind.
    #[serde(default)]
    accepted_left: Vec<AcceptedLeft>,
    /// The day for which leaks are accepted; none if the reports are not of this project: then
    /// what they accept stays accepted.
    #[serde(skip)]
    today: Option<Date>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Gate {
    #[serde(default, deserialize_with = "blocking")]
    blocks: Option<BTreeSet<Kind>>,
}

/// What is said of tests that do not use the library.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Sweep {
    peak_tolerance: Option<Percent>,
}

/// A share such as `"10 %"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Percent(u32);

/// How far the peak of a test in a sweep may move if nothing else is said, in percent.
const PEAK_TOLERANCE: u32 = 10;

/// What is said of one scenario, or of those that match a pattern.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Entry {
    #[serde(default)]
    ceilings: Ceilings,
    /// How far figures may move without being called changed.
    pub tolerance: Option<Tolerance>,
    /// Why it is right that the scenario fails.
    pub expect_failure: Option<Reason>,
    /// Why it is right that the verdict is inconclusive.
    pub accept_inconclusive: Option<Reason>,
    /// Why it is right that more is left each time that it is repeated.
    pub accept_residue: Option<Reason>,
}

/// The variable that the time limit is passed on by.
const LIMIT: &str = "HIGHWATER_TIME_LIMIT";

/// A time such as `"600 s"`, as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
struct TimeLimit(String);

/// A text that says why; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason(String);

/// Why the file could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The system refused.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The text is not TOML, or says something that is not known.
    #[error("{}: {}", .path.display(), .source.to_string().trim_end())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column.
        source: Box<toml::de::Error>,
    },
    /// Two patterns match one scenario.
    #[error(
        "highwater.toml: both `{first}` and `{second}` match the scenario `{scenario}`; \
         give it an entry with its own name, or make the patterns narrower"
    )]
    Ambiguous {
        /// The scenario.
        scenario: String,
        /// A pattern that matches it.
        first: String,
        /// Another.
        second: String,
    },
}

impl Config {
    /// Reads the file at `path`, as it is to be understood on the day `today`; says nothing if
    /// there is none.
    ///
    /// # Errors
    /// If it can't be read or understood.
    pub fn read(path: &Path, today: Date) -> Result<Self, ConfigError> {
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            text => text.map_err(|source| ConfigError::Io {
                path: path.to_owned(),
                source,
            })?,
        };
        let config: Self = toml::from_str(&text).map_err(|source| ConfigError::Malformed {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        Ok(Self {
            today: Some(today),
            ..config
        })
    }

    /// What is said of the scenario with this full name: the entry with that name,
    /// or else the one whose pattern matches it.
    ///
    /// # Errors
    /// If several patterns match.
    pub fn entry(&self, scenario: &str) -> Result<Option<&Entry>, ConfigError> {
        if let Some(entry) = self.scenario.get(scenario) {
            return Ok(Some(entry));
        }
        let matches = |pattern: &str| Pattern::new(pattern).matches(scenario);
        let mut matching = self.scenario.iter().filter(|(name, _)| matches(name));
        match (matching.next(), matching.next()) {
            (Some((first, _)), Some((second, _))) => Err(ConfigError::Ambiguous {
                scenario: scenario.to_owned(),
                first: first.clone(),
                second: second.clone(),
            }),
            (first, _) => Ok(first.map(|(_, entry)| entry)),
        }
    }

    /// This configuration, but for what the `base` says of the scenarios that it has `reports`
    /// of, and of what blocks: a change is judged by what was agreed before it. Of leaks, those
    /// are accepted that the base accepts or has. With it, the names of what the two say
    /// otherwise.
    ///
    /// # Errors
    /// If several patterns match a scenario.
    pub fn judged_by(
        &self,
        base: &Self,
        reports: &[Report],
    ) -> Result<(Self, Vec<String>), ConfigError> {
        let mut judged = self.clone();
        let mut others = Vec::new();
        if self.gate != base.gate {
            others.push("what blocks".to_owned());
        }
        judged.gate = base.gate.clone();
        for name in reports.iter().map(Report::full_name) {
            let entry = base.entry(&name)?.cloned().unwrap_or_default();
            if self.entry(&name)?.cloned().unwrap_or_default() != entry {
                others.push(format!("`{name}`"));
            }
            judged.scenario.insert(name, entry);
        }
        let own = std::mem::take(&mut judged.accepted_leak).into_iter();
        let (holds, not_yet): (_, Vec<_>) = own.partition(|leak| base.agrees_to(leak, reports));
        judged.accepted_leak = holds;
        others.extend(not_yet.iter().map(|leak| format!("the leak {leak}")));
        Ok((judged, others))
    }

    /// The entries that match none of the `scenarios`.
    pub fn unused<'a>(&'a self, scenarios: &[&str]) -> Vec<&'a str> {
        let is_used = |name: &str| {
            let pattern = Pattern::new(name);
            scenarios.iter().any(|scenario| pattern.matches(scenario))
        };
        let names = self.scenario.keys().map(String::as_str);
        names.filter(|name| !is_used(name)).collect()
    }

    /// What blocks when it became worse than in the base.
    pub fn blocks(&self) -> BTreeSet<Kind> {
        self.gate.blocks.clone().unwrap_or_else(|| {
            let kinds = Kind::that_block();
            kinds.filter(|kind| kind.blocks_by_default()).collect()
        })
    }

    /// A last day, if it is over.
    fn is_past(&self, until: Option<Date>) -> Option<Date> {
        let today = self.today?;
        until.filter(|until| *until < today)
    }

    /// How far the peak of a test in a sweep may move without being called changed, in percent.
    pub fn peak_tolerance(&self) -> u32 {
        let said = self.sweep.peak_tolerance;
        said.map_or(PEAK_TOLERANCE, |Percent(percent)| percent)
    }

    /// What the tests are told of it, by environment variables. Plain `cargo test` does
    /// not read the file.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let accepted = |reason: fn(&Entry) -> Option<&Reason>| {
            let says_so = self.scenario.values().any(|entry| reason(entry).is_some());
            let lines = self.scenario.iter().map(|(name, entry)| {
                let reason = reason(entry).map(Reason::as_str).unwrap_or_default();
                // An entry without a reason still goes before a pattern with one.
                format!(
                    "{}\t{}\n",
                    in_a_line(name, '*'),
                    in_a_line(reason.trim(), ' ')
                )
            });
            // Nothing is said too, lest the tests hear what somebody else said.
            if says_so {
                lines.collect()
            } else {
                String::new()
            }
        };
        let of_inconclusive = accepted(|entry| entry.accept_inconclusive.as_ref());
        let of_residue = accepted(|entry| entry.accept_residue.as_ref());
        let accepted = [
            ("HIGHWATER_ACCEPT_INCONCLUSIVE", of_inconclusive),
            ("HIGHWATER_ACCEPT_RESIDUE", of_residue),
            ("HIGHWATER_ACCEPT_LEAKS", self.leaks_for_tests()),
        ];
        // One that is set by hand is meant.
        let limit = self
            .time_limit
            .iter()
            .filter(|_| std::env::var_os(LIMIT).is_none());
        let limit = limit.map(|limit| (LIMIT, limit.0.clone()));
        accepted.into_iter().chain(limit).collect()
    }

    /// Holds a report to the file: its ceilings with the breaches of them, an inconclusive
    /// verdict, which is a failure unless it is accepted, and leaks, which are too.
    ///
    /// # Errors
    /// If several patterns match the scenario.
    pub fn apply(&self, report: &mut Report) -> Result<(), ConfigError> {
        let entry = self.entry(&report.full_name())?;
        if report.verdict == Verdict::Inconclusive {
            judge_inconclusive(report, entry);
        }
        self.judge_growth(report);
        let own = entry.map(|entry| &entry.ceilings);
        for figure in Figure::all() {
            let name = figure.name();
            let own = own.and_then(|own| own.on(figure));
            let Some(actual) = figure.under_a_ceiling(report) else {
                // The project's is for those that have it.
                if let Some(Limit::At(_)) = own {
                    let failure =
                        format!("{name}: not measured, and there is a ceiling in highwater.toml");
                    report.failures.push(failure);
                }
                continue;
            };
            let has_one = report.ceilings.iter().any(|set| set.ceiling == name);
            let projects = self.ceilings.on(figure).filter(|_| !has_one);
            if let Some(Limit::At(limit)) = own.or(projects) {
                hold(report, figure, limit, actual);
            }
        }
        Ok(())
    }
}

/// Reports of tests that were not told of the file are judged by it all the same.
fn judge_inconclusive(report: &mut Report, entry: Option<&Entry>) {
    let is_it = |accepted: &Accepted| accepted.what == Acceptable::Inconclusive;
    if report.accepted.iter().any(is_it) {
        return;
    }
    let failure = format!("inconclusive: {}", report.verdict_reason);
    let known = report.failures.iter().position(|text| *text == failure);
    match (
        entry.and_then(|entry| entry.accept_inconclusive.as_ref()),
        known,
    ) {
        (Some(reason), known) => {
            if let Some(known) = known {
                report.failures.remove(known);
            }
            report.accepted.push(Accepted {
                what: Acceptable::Inconclusive,
                reason: reason.as_str().to_owned(),
            });
        }
        (None, None) => report.failures.push(failure),
        (None, Some(_)) => {}
    }
}

/// Text whose control characters, line breaks and tabs among them, are others.
fn in_a_line(text: &str, instead: char) -> String {
    let character = |c: char| if c.is_control() { instead } else { c };
    text.chars().map(character).collect()
}

fn hold(report: &mut Report, figure: Figure, limit: u64, actual: u64) {
    let unit = match figure.unit() {
        Unit::Bytes => "bytes",
        _ => "blocks",
    };
    let (ceiling, unit) = (figure.name().to_owned(), unit.to_owned());
    let set = Ceiling {
        ceiling: ceiling.clone(),
        limit,
        unit: unit.clone(),
    };
    if actual > limit {
        let limit = page::limit(&set);
        let amount = |amount: u64| figure.display(i64::try_from(amount).unwrap_or(i64::MAX));
        let found = if figure.is_of_steps() {
            let all = figure.of(report).unwrap_or(0);
            let (all, steps) = (figure.display(all), Thousands(report.steps));
            format!("{all} in {steps} steps, above the ceiling of {limit} each")
        } else {
            let (found, excess) = (amount(actual), amount(actual - set.limit));
            format!("{found}, {excess} above the ceiling of {limit}")
        };
        let failure = format!("{ceiling}: {found} in highwater.toml");
        report.failures.push(failure);
        report.breaches.push(Breach {
            ceiling,
            limit: set.limit,
            actual,
            unit,
        });
    }
    report.ceilings.push(set);
}

impl Reason {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Reason {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.trim().is_empty() {
            return Err(D::Error::custom("the reason is empty"));
        }
        Ok(Self(text))
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let number = text.strip_suffix('%').map(str::trim_end);
        let number = number.and_then(|number| number.parse().ok());
        let no_share = || format!("{text:?} is no share: write a whole number, such as \"10 %\"");
        number.map(Self).ok_or_else(|| D::Error::custom(no_share()))
    }
}

impl<'de> Deserialize<'de> for TimeLimit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        milliseconds(&text).map_err(D::Error::custom)?;
        Ok(Self(text))
    }
}

#[cfg(test)]
mod tests;
