//! The cases: what each is, how it is built and run, and what came of it.

use cargo_metadata::MetadataCommand;
use serde::Deserialize;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What a package of the corpus is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Leaky,
    Fixed,
    Decoy,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Leaky, Self::Fixed, Self::Decoy];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Leaky => "leaky",
            Self::Fixed => "fixed",
            Self::Decoy => "decoy",
        }
    }
}

/// What the package says of itself.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Facts {
    #[serde(rename = "crate")]
    pub(crate) crate_name: String,
    /// Where the leak was published; none for a decoy.
    pub(crate) upstream: Option<String>,
    /// What fools a naive rule; none for a leak.
    pub(crate) why: Option<String>,
    pub(crate) step: String,
}

/// One package of a case.
pub(crate) struct Variant {
    pub(crate) case: String,
    pub(crate) kind: Kind,
    pub(crate) facts: Facts,
    /// The release of the crate.
    pub(crate) version: String,
    directory: PathBuf,
}

/// What a driver prints, as far as it is looked at.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Report {
    pub(crate) extended_steps: u64,
    pub(crate) growth_bytes: i64,
    pub(crate) verdict: String,
    pub(crate) verdict_reason: String,
    pub(crate) detectable_blocks_per_step: Option<f64>,
    pub(crate) floor_bytes_per_step: f64,
    pub(crate) floor_blocks_per_step: f64,
    pub(crate) diagnosis: Option<Diagnosis>,
}

/// Where its memory comes from.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Diagnosis {
    sites: Vec<Site>,
}

#[derive(Clone, Debug, Deserialize)]
struct Site {
    verdict: String,
    frames: Vec<Frame>,
}

#[derive(Clone, Debug, Deserialize)]
struct Frame {
    function: String,
    file: Option<String>,
}

impl Diagnosis {
    /// The first site that grows, or the first of all: its first function, and where
    /// that is.
    pub(crate) fn first(&self) -> Option<String> {
        let mut growing = self.sites.iter().filter(|site| site.verdict == "growing");
        let frame = growing.next().or(self.sites.first())?.frames.first()?;
        let file = frame.file.as_deref().unwrap_or("?");
        Some(format!("{} in {file}", frame.function))
    }

    /// Whether a site that grows is in this crate, or in the line of the driver that
    /// called it.
    fn names(&self, crate_name: &str) -> bool {
        let growing = self.sites.iter().filter(|site| site.verdict == "growing");
        let is_it = |frame: &Frame| {
            let file = frame.file.as_deref().unwrap_or_default();
            file.starts_with(crate_name) || file.ends_with("/driver.rs")
        };
        growing.flat_map(|site| &site.frames).any(is_it)
    }
}

pub(crate) struct Outcome {
    pub(crate) case: String,
    pub(crate) kind: Kind,
    pub(crate) facts: Facts,
    pub(crate) version: String,
    pub(crate) report: Report,
    /// The longest of the rounds.
    pub(crate) time: Duration,
    /// Verdicts of later rounds that were others.
    pub(crate) others: Vec<String>,
}

impl Outcome {
    pub(crate) fn add_round(&mut self, round: &Self) {
        self.time = self.time.max(round.time);
        if round.report.verdict != self.report.verdict {
            self.others.push(round.report.verdict.clone());
        }
    }

    /// Whether the report of a leak names the crate that leaks, or who called it.
    pub(crate) fn is_named(&self) -> bool {
        let diagnosis = self.report.diagnosis.as_ref();
        diagnosis.is_some_and(|diagnosis| diagnosis.names(&self.facts.crate_name))
    }

    /// Whether the verdict is the right one, in every round.
    pub(crate) fn is_right(&self) -> bool {
        let right = match self.kind {
            Kind::Leaky => "growing",
            Kind::Fixed | Kind::Decoy => "bounded",
        };
        self.report.verdict == right && self.others.is_empty()
    }
}

/// The packages of the cases that were asked for, in alphabetical order.
pub(crate) fn find(wanted: &[String]) -> Result<Vec<Variant>, String> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("known-leaks");
    let mut cases: Vec<String> = fs::read_dir(&corpus)
        .map_err(|error| format!("{}: {error}", corpus.display()))?
        .filter_map(Result::ok)
        .filter(|entry| entry.path().join("driver.rs").is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    cases.sort();
    if let Some(unknown) = wanted.iter().find(|case| !cases.contains(case)) {
        return Err(format!(
            "there is no case `{unknown}`; there are {}",
            cases.join(", ")
        ));
    }
    let mut variants = Vec::new();
    for case in cases {
        if !wanted.is_empty() && !wanted.contains(&case) {
            continue;
        }
        for kind in Kind::ALL {
            let directory = corpus.join(&case).join(kind.name());
            if directory.join("Cargo.toml").is_file() {
                variants.push(Variant::read(&case, kind, directory)?);
            }
        }
    }
    Ok(variants)
}

impl Variant {
    fn read(case: &str, kind: Kind, directory: PathBuf) -> Result<Self, String> {
        let manifest = directory.join("Cargo.toml");
        let in_manifest = |problem: String| format!("{}: {problem}", manifest.display());
        let metadata = MetadataCommand::new()
            .manifest_path(&manifest)
            .no_deps()
            .exec()
            .map_err(|error| in_manifest(error.to_string()))?;
        let package = metadata
            .packages
            .first()
            .ok_or("no package")
            .map_err(|e| in_manifest(e.into()))?;
        let facts = Facts::deserialize(&package.metadata["known-leak"])
            .map_err(|error| in_manifest(error.to_string()))?;
        let dependency = package
            .dependencies
            .iter()
            .find(|known| known.name == facts.crate_name);
        let version = dependency
            .map(|known| known.req.to_string().trim_start_matches('=').to_owned())
            .ok_or_else(|| in_manifest(format!("`{}` is no dependency", facts.crate_name)))?;
        Ok(Self {
            case: case.to_owned(),
            kind,
            facts,
            version,
            directory,
        })
    }

    pub(crate) fn name(&self) -> String {
        format!("{}-{}", self.case, self.kind.name())
    }

    /// Builds the driver and returns it.
    pub(crate) fn build(&self) -> Result<PathBuf, String> {
        self.build_program(&[], &self.name())
    }

    /// Builds the program that looks for the leak, if there is one, and returns it.
    pub(crate) fn build_search(&self) -> Result<Option<PathBuf>, String> {
        if !self.directory.join("../search.rs").is_file() {
            return Ok(None);
        }
        let name = format!("{}-search", self.name());
        let program = self.build_program(&["--features", "search", "--bin", &name], &name)?;
        Ok(Some(program))
    }

    /// All programs share a target directory, so that what they have in common is
    /// built once.
    fn build_program(&self, flags: &[&str], name: &str) -> Result<PathBuf, String> {
        let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/known-leaks");
        let output = Command::new(env!("CARGO"))
            .args(["build", "--release", "--locked", "--quiet"])
            .args(flags)
            .env("CARGO_TARGET_DIR", &target)
            // For the names of what leaks.
            .env("CARGO_PROFILE_RELEASE_DEBUG", "limited")
            .current_dir(&self.directory)
            .output()
            .map_err(|error| format!("cargo did not start: {error}"))?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{name} does not build:\n{text}"));
        }
        Ok(target.join("release").join(name))
    }

    pub(crate) fn run(&self, program: &Path) -> Result<Outcome, String> {
        let started = Instant::now();
        let output = Command::new(program)
            .stderr(Stdio::piped())
            .output()
            .map_err(|error| format!("{} did not start: {error}", program.display()))?;
        let time = started.elapsed();
        let text = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            return Err(format!(
                "{} failed ({}):\n{text}",
                self.name(),
                output.status
            ));
        }
        let report = serde_json::from_slice(&output.stdout)
            .map_err(|error| format!("{} printed no report: {error}\n{text}", self.name()))?;
        Ok(Outcome {
            case: self.case.clone(),
            kind: self.kind,
            facts: self.facts.clone(),
            version: self.version.clone(),
            report,
            time,
            others: Vec::new(),
        })
    }
}
