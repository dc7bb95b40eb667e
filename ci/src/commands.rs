//! What each command does, with the library's parts.

use crate::{BaseArguments, Format, Outputs};
use cargo_highwater::baseline::{self, Baseline, BaselineError};
use cargo_highwater::config::{Config, ConfigError};
use cargo_highwater::file;
use cargo_highwater::merge::{MergeError, Merged};
use cargo_highwater::outcome::{Base, Evidence, Outcome, Status};
use cargo_highwater::output::{github, junit, markdown, text};
use cargo_highwater::project::{Project, ProjectError, base_revision};
use cargo_highwater::report::{self, ReadError, Report};
use cargo_highwater::{exit_code, table, view};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(
        "cargo could not say where the target directory is: {}; run this inside a cargo \
         project, or name the directory: `cargo highwater report <DIRECTORY>`",
        .0.to_string().trim()
    )]
    NoTargetDirectory(#[from] cargo_metadata::Error),
    #[error("the output could not be written: {0}")]
    Print(#[from] io::Error),
    #[error(transparent)]
    Baseline(#[from] BaselineError),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Merge(#[from] MergeError),
    #[error(transparent)]
    Project(#[from] ProjectError),
    #[error("{}: {source}", .path.display())]
    File { path: PathBuf, source: io::Error },
    #[error(
        "no base was measured; do that with `cargo highwater run --base <REVISION>`, or all at \
         once with `cargo highwater gate --base <REVISION>`"
    )]
    NoBase,
}

/// The tests' failure counts for as much as a report's.
pub(crate) fn run(base: &BaseArguments<false>, tests: &[OsString]) -> Result<u8, Failure> {
    let project = Project::find()?;
    // A mistake in it is better known before the tests than after them.
    Config::read(&project.config)?;
    let measured = measure(&project, base.revision.as_deref(), base.any_base, tests)?;
    let code = match report(None, Format::Table) {
        // The tests of a shard may have none. What needs some says so itself.
        Err(Failure::Read(ReadError::NoReports(_) | ReadError::NoDirectory(_))) => {
            say("none of these tests wrote a report");
            exit_code::PASSED
        }
        code => code?,
    };
    Ok(if measured.passed {
        code
    } else {
        exit_code::FAILED
    })
}

/// How long the parts of a measurement took.
struct Measured {
    passed: bool,
    head: Duration,
    base: Option<Duration>,
}

fn measure(
    project: &Project,
    base: Option<&str>,
    any: bool,
    tests: &[OsString],
) -> Result<Measured, Failure> {
    let _lock = project.lock(|| say("waiting for another run in this target directory"))?;
    project.clear()?;
    let started = Instant::now();
    if let Some(revision) = base {
        say(&format!("measuring the base {revision}"));
        if !project.measure_base(revision, any, tests)? {
            say("the tests of the base failed; its reports are compared all the same");
        }
    }
    let base = base.map(|_| started.elapsed());
    if base.is_some() {
        say("measuring what is checked out");
    }
    let started = Instant::now();
    let passed = project.measure(tests)?;
    Ok(Measured {
        passed,
        head: started.elapsed(),
        base,
    })
}

pub(crate) fn report(directory: Option<PathBuf>, format: Format) -> Result<u8, Failure> {
    // A directory of reports may be anyone's; what this project says is of its own.
    let (directory, config) = if let Some(directory) = directory {
        (directory, Config::default())
    } else {
        let project = Project::find()?;
        (project.reports, Config::read(&project.config)?)
    };
    let mut reports = report::read_directory(&directory)?;
    let mut expected = 0;
    let mut wrong = 0;
    for report in &mut reports {
        config.apply(report)?;
        let entry = config.entry(&report.full_name())?;
        let must_fail = entry.is_some_and(|entry| entry.expect_failure.is_some());
        wrong += usize::from(report.is_failure() != must_fail);
        expected += usize::from(report.is_failure() && must_fail);
    }
    print(&match format {
        Format::Table => {
            let summary = table::summary(&reports, expected);
            let table = table::render(&reports);
            format!("{table}\n{summary}, in {}\n", directory.display())
        }
        Format::Json => serde_json::to_string_pretty(&reports).map_err(io::Error::from)? + "\n",
    })?;
    Ok(if wrong > 0 {
        exit_code::FAILED
    } else {
        exit_code::PASSED
    })
}

/// The reports in `directory` as this project sees them, each at the place of its
/// baseline.
fn placed(
    directory: &Path,
    toolchain: &str,
    config: &Config,
) -> Result<BTreeMap<PathBuf, Report>, Failure> {
    let mut placed = BTreeMap::new();
    for (file, mut report) in report::read_files(directory)? {
        config.apply(&mut report)?;
        let folder = PathBuf::from(baseline::folder(&report, toolchain));
        placed.insert(folder.join(baseline::file_name(&file)), report);
    }
    Ok(placed)
}

/// The baselines in the folders that `reports` belong to.
fn known(
    project: &Project,
    reports: &BTreeMap<PathBuf, Report>,
) -> Result<BTreeMap<PathBuf, Baseline>, Failure> {
    let folders: BTreeSet<_> = reports.keys().filter_map(|place| place.parent()).collect();
    let mut known = BTreeMap::new();
    for folder in folders {
        let baselines = baseline::read_folder(&project.baselines.join(folder))?;
        let placed = baselines
            .into_iter()
            .map(|(file, known)| (folder.join(file), known));
        known.extend(placed);
    }
    Ok(known)
}

/// What is known after a run. A project that keeps no baselines can do with a base.
fn evidence(project: &Project, config: &Config, with_base: bool) -> Result<Evidence, Failure> {
    let toolchain = project.toolchain()?;
    let reports = placed(&project.reports, &toolchain, config)?;
    let mut base = None;
    if with_base {
        let (revision, commit) = base_revision(&project.base_reports)?.ok_or(Failure::NoBase)?;
        let reports = match placed(&project.base_reports, &toolchain, config) {
            Err(Failure::Read(ReadError::NoReports(_))) => BTreeMap::new(),
            reports => reports?,
        };
        base = Some((Base { revision, commit }, reports));
    }
    let keeps_some = base.is_none() || project.baselines.is_dir();
    let baselines = keeps_some.then(|| known(project, &reports)).transpose()?;
    Ok(Evidence {
        reports,
        base,
        baselines,
    })
}

pub(crate) fn check(base: bool, outputs: &Outputs) -> Result<u8, Failure> {
    let project = Project::find()?;
    let config = Config::read(&project.config)?;
    let outcome = Outcome::of(&evidence(&project, &config, base)?, &config)?;
    tell(&outcome, outputs)?;
    Ok(outcome.exit_code)
}

pub(crate) fn gate(
    base: &BaseArguments<true>,
    outputs: &Outputs,
    tests: &[OsString],
) -> Result<u8, Failure> {
    let started = Instant::now();
    let project = Project::find()?;
    let config = Config::read(&project.config)?;
    let measured = measure(&project, base.revision.as_deref(), base.any_base, tests)?;
    let mut outcome = Outcome::of(&evidence(&project, &config, true)?, &config)?;
    if !measured.passed && outcome.exit_code != exit_code::FAILED {
        outcome.tests_failed("the tests failed, for a reason that no report gives");
    }
    tell(&outcome, outputs)?;
    let of_base = measured.base.unwrap_or_default();
    let own = started.elapsed().saturating_sub(measured.head + of_base);
    say(&format!(
        "time: the tests {}, with their build; the base {}, with its checkout and build; \
         the gate itself {}",
        seconds(measured.head),
        seconds(of_base),
        seconds(own)
    ));
    Ok(outcome.exit_code)
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

pub(crate) fn bless(gone: bool) -> Result<u8, Failure> {
    let project = Project::find()?;
    let config = Config::read(&project.config)?;
    let evidence = evidence(&project, &config, false)?;
    let outcome = Outcome::of(&evidence, &config)?;
    let unrecorded: BTreeSet<_> = outcome
        .scenarios
        .iter()
        .filter(|comparison| comparison.recorded == Some(false))
        .map(|comparison| (comparison.scenario.as_str(), comparison.status))
        .collect();
    let is_unrecorded = |report: &Report| {
        let name = report.full_name();
        unrecorded.iter().any(|(scenario, _)| *scenario == name)
    };
    for (place, report) in evidence.reports.iter().filter(|(_, r)| is_unrecorded(r)) {
        Baseline::of(report).write(&project.baselines.join(place))?;
    }
    let folders: BTreeSet<_> = evidence.reports.keys().filter_map(|p| p.parent()).collect();
    for folder in folders {
        let path = project.baselines.join(folder);
        file::remove_unfinished(&path).map_err(|source| Failure::File { path, source })?;
    }
    let known = evidence.baselines.iter().flat_map(BTreeMap::keys);
    for place in known.filter(|place| gone && !evidence.reports.contains_key(*place)) {
        let path = project.baselines.join(place);
        fs::remove_file(&path).map_err(|source| Failure::File { path, source })?;
    }
    print(&blessed(&outcome, gone))?;
    Ok(exit_code::PASSED)
}

/// What was recorded, and what is to be done about what was not.
fn blessed(outcome: &Outcome, gone: bool) -> String {
    let mut text = String::new();
    for comparison in outcome
        .scenarios
        .iter()
        .filter(|c| c.recorded == Some(false))
    {
        let what = match comparison.status {
            Status::Gone if gone => "removed ",
            Status::Gone => "kept    ",
            _ => "recorded",
        };
        text.push_str(&format!(
            "{what}  {}\n",
            table::printable(&comparison.scenario)
        ));
        for change in &comparison.changes {
            text.push_str(&format!("          {change}\n"));
        }
        if comparison.status == Status::Gone && !gone {
            text.push_str("          no report of it; `cargo highwater bless --gone` removes it\n");
        }
    }
    let same = outcome
        .scenarios
        .iter()
        .filter(|c| c.recorded == Some(true))
        .count();
    text + &format!("{same} as recorded before\n")
}

pub(crate) fn merge(shards: &[PathBuf], into: Option<PathBuf>) -> Result<u8, Failure> {
    let project = Project::find()?;
    let config = Config::read(&project.config)?;
    let merged = Merged::read(shards)?;
    let toolchain = project.toolchain()?;
    let named = |reports: &BTreeMap<OsString, Report>| {
        let place = |(file, report): (&OsString, &Report)| {
            let folder = PathBuf::from(baseline::folder(report, &toolchain));
            (
                folder.join(baseline::file_name(Path::new(file))),
                report.clone(),
            )
        };
        reports.iter().map(place).collect::<BTreeMap<_, _>>()
    };
    let evidence = Evidence {
        reports: named(&merged.reports),
        base: merged.base.as_ref().map(|base| {
            let (revision, commit) = base.revision.clone();
            (Base { revision, commit }, named(&base.reports))
        }),
        baselines: Some(known(&project, &named(&merged.reports))?),
    };
    if into.is_none() {
        project.clear()?;
    }
    let directory = into.unwrap_or(project.reports);
    merged.write(&directory)?;
    let outcome = Outcome::of(&evidence, &config)?;
    let missing: Vec<_> = outcome
        .scenarios
        .iter()
        .filter(|c| c.status == Status::Gone)
        .collect();
    let mut text = String::new();
    for comparison in &missing {
        let name = table::printable(&comparison.scenario);
        text.push_str(&format!(
            "missing  {name}, which no shard has a report of\n"
        ));
    }
    let count = |count: usize, noun: &str| {
        let plural = if count == 1 { "" } else { "s" };
        format!("{count} {noun}{plural}")
    };
    print(&format!(
        "{text}{} of {}, {} missing, in {}\n",
        count(merged.reports.len(), "report"),
        count(shards.len(), "shard"),
        missing.len(),
        directory.display()
    ))?;
    Ok(if missing.is_empty() {
        exit_code::PASSED
    } else {
        exit_code::NOT_RECORDED
    })
}

pub(crate) fn view(output: Option<PathBuf>) -> Result<u8, Failure> {
    let project = Project::find()?;
    let config = Config::read(&project.config)?;
    let with_base = base_revision(&project.base_reports)?.is_some();
    let evidence = evidence(&project, &config, with_base)?;
    let outcome = Outcome::of(&evidence, &config)?;
    let path = output.unwrap_or_else(|| project.reports.join("index.html"));
    file::replace(&path, &view::render(&outcome, &evidence)).map_err(|source| Failure::File {
        path: path.clone(),
        source,
    })?;
    print(&format!("{}\n", path.display()))?;
    Ok(exit_code::PASSED)
}

/// Prints the outcome, and writes it for everyone else who is to be told.
fn tell(outcome: &Outcome, outputs: &Outputs) -> Result<(), Failure> {
    let text = text::render(outcome);
    if io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()) {
        print(&text)?;
    } else {
        print(&anstream::adapter::strip_str(&text).to_string())?;
    }
    let write = |path: &Option<PathBuf>, text: &dyn Fn() -> io::Result<String>| match path {
        Some(path) => {
            let file = |source| Failure::File {
                path: path.clone(),
                source,
            };
            text()
                .and_then(|text| file::replace(path, &text))
                .map_err(file)
        }
        None => Ok(()),
    };
    write(&outputs.markdown, &|| Ok(markdown::render(outcome)))?;
    write(&outputs.junit, &|| {
        junit::render(outcome).map_err(io::Error::other)
    })?;
    write(&outputs.json, &|| {
        Ok(serde_json::to_string_pretty(outcome)? + "\n")
    })?;
    if std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true") {
        print(&github::annotations(outcome))?;
        let summary = std::env::var_os("GITHUB_STEP_SUMMARY");
        if let Some(path) = summary.map(PathBuf::from) {
            append(&path, &markdown::render(outcome))
                .map_err(|source| Failure::File { path, source })?;
        }
    }
    Ok(())
}

/// Other steps of the job may have written to the same summary.
fn append(path: &Path, text: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)?;
    file.write_all(text.as_bytes())
}

/// A word on what goes on, where nobody takes it for a result.
fn say(text: &str) {
    let _ = writeln!(io::stderr(), "highwater: {text}");
}

/// Prints to standard output. A reader that went away, as `head` does, has what
/// it wanted.
fn print(text: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    match output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush())
    {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}
