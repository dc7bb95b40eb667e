//! Joins the reports of a suite that ran in shards, each on a machine of its own.

mod shards;

use crate::baseline::Baseline;
use crate::compare::{Rule, changes};
use crate::project::{ProjectError, base_revision};
use highwater_reports::file::write_atomically;
use highwater_reports::report::{ReadError, Report, read_files};
pub use shards::ShardError;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

/// The reports of all shards, and of their bases if they have them.
#[derive(Debug, Default)]
pub struct Merged {
    /// The reports, by the names of their files.
    pub reports: BTreeMap<OsString, Report>,
    /// The reports of the base.
    pub base: Option<MergedBase>,
}

/// The base that all shards were measured beside.
#[derive(Debug)]
pub struct MergedBase {
    /// As it was asked for, and its commit.
    pub revision: (String, String),
    /// Its reports, by the names of their files.
    pub reports: BTreeMap<OsString, Report>,
}

/// Why shards can't be joined.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MergeError {
    /// A report can't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A shard's revision can't be read, or the joined reports can't be written.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// They are not all of one run.
    #[error(transparent)]
    Shard(#[from] ShardError),
    /// The system refused to write.
    #[error("{}: {source}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Two shards ran one scenario, and it came out differently.
    #[error(
        "two shards have `{scenario}` with different figures: {} and {}: {differences}; \
         it is not deterministic, or the shards are of different builds",
        .first.display(),
        .second.display()
    )]
    Contradiction {
        /// The scenario.
        scenario: String,
        /// One of them.
        first: PathBuf,
        /// The other.
        second: PathBuf,
        /// What differs.
        differences: String,
    },
    /// The shards were measured beside different bases, or only some beside one.
    #[error(
        "the shards do not have one base: {} was compared with {first_base}, {} with {second_base}",
        .first.display(),
        .second.display()
    )]
    DifferentBases {
        /// One shard.
        first: PathBuf,
        /// Its base.
        first_base: String,
        /// Another.
        second: PathBuf,
        /// Its base.
        second_base: String,
    },
    /// Nothing to join.
    #[error("none of the shards has a report; run the tests in each of them first")]
    Nothing,
}

impl Merged {
    /// Reads the shards: directories of reports, with a folder `base` in each or in
    /// none. A shard without a report is no error, since a suite may have fewer
    /// tests than shards.
    ///
    /// # Errors
    /// If a shard is missing or did not come to its end, a report can't be read, shards
    /// contradict each other, or there is no report.
    pub fn read(shards: &[PathBuf]) -> Result<Self, MergeError> {
        // First, for what is broken is broken for that.
        shards::are_whole(shards)?;
        let reports = joined(shards)?;
        if reports.is_empty() {
            return Err(MergeError::Nothing);
        }
        let bases: Vec<_> = shards.iter().map(|shard| shard.join("base")).collect();
        let revisions = bases.iter().map(|base| base_revision(base));
        let revisions = revisions.collect::<Result<Vec<_>, _>>()?;
        let known = revisions.first().cloned().flatten();
        let commit = |revision: &Option<(String, String)>| {
            revision.as_ref().map(|(_, commit)| commit.clone())
        };
        let other = revisions
            .iter()
            .position(|base| commit(base) != commit(&known));
        if let Some(other) = other {
            let name =
                |base: &Option<(String, String)>| commit(base).unwrap_or_else(|| "none".to_owned());
            return Err(MergeError::DifferentBases {
                first: shards[0].clone(),
                first_base: name(&known),
                second: shards[other].clone(),
                second_base: name(&revisions[other]),
            });
        }
        let base = match known {
            Some(revision) => Some(MergedBase {
                revision,
                reports: joined(&bases)?,
            }),
            None => None,
        };
        Ok(Self { reports, base })
    }

    /// Writes everything below `directory`, each file whole or not at all.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn write(&self, directory: &Path) -> Result<(), MergeError> {
        write_all(&self.reports, directory)?;
        if let Some(base) = &self.base {
            let directory = directory.join("base");
            write_all(&base.reports, &directory)?;
            let (revision, commit) = &base.revision;
            write(
                &directory.join("REVISION"),
                &format!("{revision}\n{commit}\n"),
            )?;
        }
        Ok(())
    }
}

fn joined(directories: &[PathBuf]) -> Result<BTreeMap<OsString, Report>, MergeError> {
    let mut joined: BTreeMap<OsString, (PathBuf, Report)> = BTreeMap::new();
    for directory in directories {
        let files = match read_files(directory) {
            Err(ReadError::NoReports(_)) => Vec::new(),
            files => files?,
        };
        for (path, report) in files {
            let name = path.file_name().unwrap_or_default().to_owned();
            if let Some((first, known)) = joined.get(&name) {
                agree(first, known, &path, &report)?;
            } else {
                joined.insert(name, (path, report));
            }
        }
    }
    let without_path = |(name, (_, report))| (name, report);
    Ok(joined.into_iter().map(without_path).collect())
}

fn agree(first: &Path, known: &Report, second: &Path, other: &Report) -> Result<(), MergeError> {
    let rule = Rule {
        tolerance: None,
        blocks: None,
    };
    let changes = changes(&Baseline::of(known), &Baseline::of(other), &rule);
    let mut differences: Vec<_> = changes.iter().map(ToString::to_string).collect();
    if known.is_failure() != other.is_failure() {
        differences.push("one of them failed".to_owned());
    }
    if differences.is_empty() {
        return Ok(());
    }
    Err(MergeError::Contradiction {
        scenario: other.full_name(),
        first: first.to_owned(),
        second: second.to_owned(),
        differences: differences.join(", "),
    })
}

fn write_all(reports: &BTreeMap<OsString, Report>, directory: &Path) -> Result<(), MergeError> {
    for (name, report) in reports {
        let path = directory.join(name);
        let text = serde_json::to_string_pretty(report).map_err(io::Error::from);
        let text = text.map_err(|source| MergeError::Write {
            path: path.clone(),
            source,
        })?;
        write(&path, &(text + "\n"))?;
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), MergeError> {
    write_atomically(path, text).map_err(|source| MergeError::Write {
        path: path.to_owned(),
        source,
    })
}
