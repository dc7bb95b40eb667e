//! [`Outcome`]: the result of every scenario, and the exit code that follows.
//!
//! A scenario is compared with three things: with its own promises, which its report has
//! judged; with the base, if one was measured; and with its baseline, if the project keeps
//! baselines. A change for the worse against the base blocks, unless it is recorded in the
//! baseline, where a reviewer saw it. A change is measured again before it is reported: a
//! difference between runs of the same code does not come from the code.

mod again;
mod chance;
mod headline;
mod subject;

use crate::baseline::Baseline;
use crate::compare::Change;
use crate::config::{Config, ConfigError};
use crate::exit_code;
use crate::kind::Kind;
pub use crate::sites::SiteChange;
pub use again::{Again, Range};
pub use headline::Part;
use highwater_reports::report::{Location, Report};
use highwater_reports::similar::did_you_mean;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use subject::Subject;

/// Reports by the names of their baselines' files.
pub(crate) type Reports = BTreeMap<PathBuf, Report>;

/// The version of the JSON form of an [`Outcome`].
pub const SCHEMA: u64 = 1;

/// What became of a scenario, the worst last.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Nothing changed.
    Same,
    /// It comes out differently each time that the same code is measured, and what it was lies
    /// within these differences: a change that is smaller than they are does not show.
    Varies,
    /// Something became worse than in the base, and the baseline records that.
    Accepted,
    /// There is nothing to compare it with yet.
    New,
    /// It was there, and no report of it is.
    Gone,
    /// Something changed that is neither a regression nor an improvement: other
    /// steps, or what is worse but does not block.
    Changed,
    /// Something became less and nothing more.
    Improvement,
    /// It comes out differently each time that the same code is measured, and what it was lies
    /// outside of these differences, or its verdict is among them: nothing can be said of it.
    Unsteady,
    /// Something that blocks became worse.
    Regression,
    /// It broke its own promises, or did not fail where it must.
    Failed,
}

impl Status {
    /// All of them, the worst first.
    pub const ALL: [Self; 10] = [
        Self::Failed,
        Self::Regression,
        Self::Unsteady,
        Self::Improvement,
        Self::Changed,
        Self::Gone,
        Self::New,
        Self::Accepted,
        Self::Varies,
        Self::Same,
    ];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Accepted => "accepted",
            Self::New => "new",
            Self::Gone => "gone",
            Self::Changed => "changed",
            Self::Varies => "varies",
            Self::Improvement => "improvement",
            Self::Unsteady => "unsteady",
            Self::Regression => "regression",
            Self::Failed => "failed",
        }
    }

    /// Whether it keeps a change from being merged.
    pub fn blocks(self) -> bool {
        matches!(self, Self::Regression | Self::Failed)
    }
}

/// What changes are told from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Against {
    /// The revision that was measured beside this one.
    Base,
    /// What is recorded.
    Baseline,
}

/// What became of one scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// The scenario, with its variant in brackets.
    pub scenario: String,
    /// What became of it.
    pub status: Status,
    /// What `changes` are told from.
    pub against: Against,
    /// Whether the baseline says what is found; null if the project keeps none for
    /// this system, profile, allocator and toolchain.
    pub recorded: Option<bool>,
    /// What changed; of an unsteady scenario, and of one that varies, none.
    pub changes: Vec<Change>,
    /// How often it was measured: 3 times if it changed, none if it is gone.
    pub runs: u64,
    /// The figures that differ from run to run of the same code.
    pub ranges: Vec<Range>,
    /// The allocation sites that hold more or less than in the base, the largest change
    /// first; or those that hold most of the growth, if there are none of the base.
    pub sites: Vec<SiteChange>,
    /// How it broke its own promises, if that is not expected.
    pub failures: Vec<String>,
    /// What else there is to say.
    pub notes: Vec<String>,
    /// Where in the code it is run, if that is known.
    pub location: Option<Location>,
    /// The line that allocates what grows most, if it failed and call stacks are known.
    pub leak: Option<Location>,
    /// Live bytes through the base's run; empty if there is none.
    pub curve_before: Vec<u64>,
    /// Live bytes through the run; empty if it is gone.
    pub curve: Vec<u64>,
}

/// The revision that this one is compared with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Base {
    /// As it was asked for.
    pub revision: String,
    /// The full hash of its commit.
    pub commit: String,
}

/// What became of all scenarios.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "What became of all scenarios: cargo highwater check and gate, --json")]
pub struct Outcome {
    /// The version of this form: 1.
    pub schema: u64,
    /// What the tool exits with: 0 if all is the same, 1 if something blocks, 2 if
    /// something is unsteady, 3 if something is not recorded, or an accepted leak is gone.
    pub exit_code: u8,
    /// The base, if one was measured.
    pub base: Option<Base>,
    /// Every scenario, the worst first.
    pub scenarios: Vec<Comparison>,
    /// What else there is to say.
    pub notes: Vec<String>,
}

/// Everything that is known of the scenarios, each by the name of its baseline's file.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// The reports of the revision that is judged.
    pub reports: BTreeMap<PathBuf, Report>,
    /// The reports of the base, if it was measured.
    pub base: Option<(Base, BTreeMap<PathBuf, Report>)>,
    /// What is recorded, if anything is.
    pub baselines: Option<BTreeMap<PathBuf, Baseline>>,
    /// What measuring again found.
    pub again: Again,
    /// The root of the workspace: lines of files below it are the program's.
    pub root: PathBuf,
}

impl Outcome {
    /// Judges the `evidence` by what `config` says.
    ///
    /// # Errors
    /// If the configuration speaks with two voices of one scenario.
    pub fn of(evidence: &Evidence, config: &Config) -> Result<Self, ConfigError> {
        let base = evidence.base.as_ref();
        let mut scenarios: Vec<_> = judged(evidence, config)?
            .into_iter()
            .map(|(_, comparison)| comparison)
            .collect();
        name_the_renamed(evidence, &mut scenarios);
        scenarios.sort_by(|a, b| {
            let by_status = b.status.cmp(&a.status);
            by_status.then_with(|| a.scenario.cmp(&b.scenario))
        });
        let names: Vec<_> = scenarios.iter().map(|c| c.scenario.as_str()).collect();
        let unused = config.unused(&names).into_iter();
        let unused = unused.map(|name| {
            let similar = did_you_mean(name, names.iter().copied());
            format!(
                "highwater.toml names `{name}`, and there is no such scenario in this run{similar}"
            )
        });
        let again = evidence.again.reports.iter().flat_map(BTreeMap::values);
        let runs: Vec<_> = evidence.reports.values().chain(again).collect();
        let gone = config.gone_leaks(&runs);
        let exit_code = match exit_code(&scenarios) {
            exit_code::PASSED if !gone.is_empty() => exit_code::NOT_RECORDED,
            code => code,
        };
        let notes = other_builds(evidence).into_iter().chain(unused);
        let notes = notes.chain(config.leaks_of_others(&names)).chain(gone);
        let notes = notes.chain(accepted(evidence)).collect();
        Ok(Self {
            schema: SCHEMA,
            exit_code,
            base: base.map(|(base, _)| base.clone()),
            scenarios,
            notes,
        })
    }

    /// Reads what was written as JSON.
    ///
    /// # Errors
    /// If it is not that, or of another version.
    pub fn read(text: &str) -> Result<Self, String> {
        let outcome: Self =
            serde_json::from_str(text).map_err(|error| format!("this is no outcome: {error}"))?;
        if outcome.schema == SCHEMA {
            Ok(outcome)
        } else {
            let version = outcome.schema;
            Err(format!(
                "its version is {version}, and this tool reads {SCHEMA}"
            ))
        }
    }

    /// Adds that the tests failed in a way that no report tells of.
    pub fn tests_failed(&mut self, note: &str) {
        self.exit_code = exit_code::FAILED;
        self.notes.push(note.to_owned());
    }

    /// What is not the same, the worst first.
    pub fn changed(&self) -> impl Iterator<Item = &Comparison> {
        self.scenarios.iter().filter(|c| c.is_changed())
    }

    /// How many there are of each status, the worst first, in words.
    pub fn counts(&self) -> String {
        let count = |status| self.scenarios.iter().filter(|c| c.status == status).count();
        let counts = Status::ALL.map(|status| (count(status), status));
        let shown = counts
            .iter()
            .filter(|(count, status)| *count > 0 || *status == Status::Same);
        let texts: Vec<_> = shown
            .map(|(count, status)| match (count, status) {
                (2.., Status::Regression | Status::Improvement) => {
                    format!("{count} {}s", status.word())
                }
                (2.., Status::Varies) => format!("{count} vary"),
                _ => format!("{count} {}", status.word()),
            })
            .collect();
        texts.join(", ")
    }

    /// What to do about it, if that is not plain from what changed.
    pub fn next_step(&self) -> Option<&'static str> {
        match self.exit_code {
            exit_code::NOT_RECORDED if !self.has_unrecorded() => Some(
                "Nothing that blocks became worse. Remove the accepted leaks that are gone from \
                 highwater.toml.",
            ),
            exit_code::NOT_RECORDED => Some(
                "Nothing that blocks became worse. `cargo highwater bless` records what is found; \
                 commit it.",
            ),
            exit_code::NO_ANSWER => Some(
                "What is unsteady has no answer: find out what it depends on, such as time, random \
                 numbers or the order of threads, or give it a tolerance in highwater.toml.",
            ),
            exit_code::FAILED if self.has_unrecorded_regression() => Some(
                "What is worse on purpose is accepted by recording it, for a reviewer to see: \
                 `cargo highwater bless`.",
            ),
            _ => None,
        }
    }

    fn has_unrecorded(&self) -> bool {
        self.scenarios.iter().any(|c| c.recorded == Some(false))
    }

    /// Whether something is worse, and recording it would accept that.
    fn has_unrecorded_regression(&self) -> bool {
        let could = |c: &Comparison| c.status == Status::Regression && c.recorded != Some(true);
        self.scenarios.iter().any(could)
    }
}

/// What became of every scenario, each with the name of its baseline's file.
fn judged<'a>(
    evidence: &'a Evidence,
    config: &Config,
) -> Result<Vec<(&'a PathBuf, Comparison)>, ConfigError> {
    let base = evidence.base.as_ref().map(|(_, reports)| reports);
    let paths: BTreeSet<&PathBuf> = evidence
        .reports
        .keys()
        .chain(base.iter().flat_map(|reports| reports.keys()))
        .chain(evidence.baselines.iter().flat_map(BTreeMap::keys))
        .collect();
    let blocks = config.blocks();
    let judge = |path: &'a PathBuf| {
        let subject = Subject::at(path, evidence);
        let entry = config.entry(&subject.name())?;
        let mut comparison = subject.judge(entry, &blocks);
        if entry.is_none_or(|entry| entry.expect_failure.is_none()) {
            let growth = subject.head.map(|report| config.about_growth(report));
            comparison.notes.extend(growth.into_iter().flatten());
        }
        Ok((path, comparison))
    };
    paths.into_iter().map(judge).collect()
}

/// The scenarios that are to be measured again, by the names of their baselines' files:
/// those that changed, where that may have come by chance.
///
/// # Errors
/// If the configuration speaks with two voices of one scenario.
pub fn to_measure_again(evidence: &Evidence, config: &Config) -> Result<Vec<PathBuf>, ConfigError> {
    let once = Evidence {
        again: Again::default(),
        ..evidence.clone()
    };
    // A ceiling is no measurement.
    let is_measured = |change: &Change| change.what != Kind::Ceiling;
    let is_doubtful = |comparison: &Comparison| match comparison.status {
        Status::Regression | Status::Improvement | Status::Changed | Status::Failed => {
            comparison.changes.iter().any(is_measured)
        }
        _ => false,
    };
    let doubtful = judged(&once, config)?.into_iter();
    let doubtful = doubtful.filter(|(_, comparison)| is_doubtful(comparison));
    Ok(doubtful.map(|(path, _)| path.clone()).collect())
}

/// The scenarios that `bless` would record, by the names of their baselines' files.
///
/// # Errors
/// If the configuration speaks with two voices of one scenario.
pub fn to_record(evidence: &Evidence, config: &Config) -> Result<Vec<PathBuf>, ConfigError> {
    let judged = judged(evidence, config)?.into_iter();
    let unrecorded = judged.filter(|(path, comparison)| {
        comparison.is_to_record() && evidence.reports.contains_key(*path)
    });
    Ok(unrecorded.map(|(path, _)| path.clone()).collect())
}

/// What somebody accepted is to be seen, also where nothing changed.
fn accepted(evidence: &Evidence) -> Option<String> {
    let accepted = evidence
        .reports
        .values()
        .filter(|report| !report.accepted.is_empty());
    let names: Vec<_> = accepted
        .map(|report| {
            let texts: Vec<_> = report.accepted_texts().collect();
            format!("`{}`, {}", report.full_name(), texts.join(", "))
        })
        .collect();
    (!names.is_empty()).then(|| format!("passes for a reason only: {}", names.join("; ")))
}

/// Says so if the base was built in another way: figures may differ for that reason.
fn other_builds(evidence: &Evidence) -> Option<String> {
    let (_, base) = evidence.base.as_ref()?;
    let build = |report: &Report| {
        let allocator = report.allocator.as_deref().unwrap_or("unknown");
        let (target, profile) = (&report.target, &report.profile);
        format!("{target}, {profile}, allocator {allocator}")
    };
    let pairs = evidence
        .reports
        .iter()
        .filter_map(|(path, head)| Some((build(base.get(path)?), build(head))));
    let mut other = pairs.filter(|(base, head)| base != head);
    let (base, head) = other.next()?;
    Some(format!(
        "the base is another build ({base}) than this ({head})"
    ))
}

fn exit_code(scenarios: &[Comparison]) -> u8 {
    if scenarios.iter().any(|c| c.status.blocks()) {
        exit_code::FAILED
    } else if scenarios.iter().any(|c| c.status == Status::Unsteady) {
        exit_code::NO_ANSWER
    } else if scenarios.iter().any(|c| c.recorded == Some(false)) {
        exit_code::NOT_RECORDED
    } else {
        exit_code::PASSED
    }
}

impl Comparison {
    /// The line to show: that which leaks, or else that which runs the scenario.
    pub fn place(&self) -> Option<&Location> {
        self.leak.as_ref().or(self.location.as_ref())
    }

    /// Whether there is something to say of it.
    /// Whether `bless` has something to record of it.
    pub fn is_to_record(&self) -> bool {
        self.recorded == Some(false) || self.recorded.is_some() && self.status == Status::Varies
    }

    /// Whether something is to be said of it.
    pub fn is_changed(&self) -> bool {
        self.status != Status::Same || self.recorded == Some(false)
    }
}

/// A scenario that is gone and a new one with exactly its figures are most likely
/// one under two names.
fn name_the_renamed(evidence: &Evidence, scenarios: &mut [Comparison]) {
    let mut figures = BTreeMap::new();
    let reports = evidence
        .base
        .iter()
        .flat_map(|(_, reports)| reports.values());
    for known in reports.map(Baseline::of) {
        figures.insert(known.scenario.clone(), known.figures);
    }
    let baselines = evidence.baselines.iter().flat_map(BTreeMap::values);
    for known in baselines {
        figures.insert(known.scenario.clone(), known.figures.clone());
    }
    let of = |status| move |c: &&Comparison| c.status == status;
    let gone: Vec<_> = scenarios.iter().filter(of(Status::Gone)).collect();
    let gone: Vec<_> = gone.iter().map(|c| c.scenario.clone()).collect();
    for report in evidence.reports.values() {
        let found = Baseline::of(report);
        let mut twins = gone
            .iter()
            .filter(|name| figures.get(*name) == Some(&found.figures));
        let (Some(twin), None) = (twins.next(), twins.next()) else {
            continue;
        };
        let is_it = |c: &&mut Comparison| c.status == Status::New && c.scenario == found.scenario;
        for new in scenarios.iter_mut().filter(is_it) {
            new.notes.push(format!(
                "has the figures of `{twin}`, which is gone: renamed?"
            ));
        }
    }
}

#[cfg(test)]
mod tests;
