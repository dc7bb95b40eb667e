//! What each command does, with the library's parts.

pub(crate) mod bisect;
pub(crate) mod gate;
pub(crate) mod init;
pub(crate) mod judge;
mod measure;
pub(crate) mod repro;
pub(crate) mod sweep;
mod tell;
pub(crate) mod watch;

use crate::arguments::{BaseArguments, Format};
use bisect::BisectError;
use cargo_highwater::baseline::{self, Baseline, BaselineError};
use cargo_highwater::config::{Config, ConfigError, Date};
use cargo_highwater::init::InitError;
use cargo_highwater::judge::JudgeError;
use cargo_highwater::lock::Lock;
use cargo_highwater::merge::{MergeError, Merged};
use cargo_highwater::outcome::{Again, Base, Comparison, Evidence, Outcome, Status};
use cargo_highwater::output::export::{self, Export};
use cargo_highwater::output::markdown;
use cargo_highwater::outside::OutsideError;
use cargo_highwater::project::{Project, ProjectError, base_revision};
use cargo_highwater::sweep::SweepError;
use cargo_highwater::watch::WatchError;
use cargo_highwater::{exit_code, table, view};
use gate::{evidence, named_as_baselines, recorded};
use highwater::__private::wrapped_to;
use highwater_reports::artefacts::ArtefactError;
use highwater_reports::report::{self, ReadError};
use highwater_reports::{file, fitted};
use measure::{measure, measure_to_record};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

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
    Artefact(#[from] ArtefactError),
    #[error(
        "no test's name contains `{asked}`, or none that has a memory scenario, and no scenario of \
         the last run is called that; `cargo highwater report` lists them{similar}"
    )]
    NothingToReproduce { asked: String, similar: String },
    #[error(transparent)]
    Bisect(#[from] BisectError),
    #[error(transparent)]
    Sweep(#[from] SweepError),
    #[error(transparent)]
    Watch(#[from] WatchError),
    #[error(transparent)]
    Judge(#[from] JudgeError),
    #[error(transparent)]
    Merge(#[from] MergeError),
    #[error(transparent)]
    Project(#[from] ProjectError),
    #[error(transparent)]
    Init(#[from] InitError),
    #[error("nothing was changed, for nobody can be asked here; say --yes to have it done")]
    NobodyToAsk,
    #[error("nothing was changed")]
    Declined,
    #[error(transparent)]
    Outside(#[from] OutsideError),
    #[error("{}: {source}", .path.display())]
    File { path: PathBuf, source: io::Error },
    #[error(
        "{}: {problem}; `cargo highwater gate --json` writes such files",
        .path.display()
    )]
    Outcome { path: PathBuf, problem: String },
    #[error(
        "no base was measured; do that with `cargo highwater run --base <REVISION>`, or all at \
         once with `cargo highwater gate --base <REVISION>`"
    )]
    NoBase,
}

/// The tests' failure counts for as much as a report's.
pub(crate) fn run(
    base: &BaseArguments<false>,
    exports: &[Export],
    tests: &[OsString],
) -> Result<u8, Failure> {
    // A mistake in the configuration is better known before the tests than after them.
    let (project, config) = project()?;
    let _lock = lock(&project)?;
    let measured = measure(&project, base.revision.as_deref(), base.any_base, tests)?;
    for Export { format, path } in exports {
        let reports = match report::read_directory(&project.reports) {
            Err(ReadError::NoReports(_) | ReadError::NoDirectory(_)) => Vec::new(),
            reports => reports?,
        };
        let written = file::write_atomically(path, &export::render(&reports, *format));
        written.map_err(|source| Failure::File {
            path: path.clone(),
            source,
        })?;
    }
    let code = match print_reports(&project.reports, &config, Format::Table) {
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

/// The project, whose tests are told what it says of its scenarios.
fn project() -> Result<(Project, Config), Failure> {
    let mut project = Project::find()?;
    let config = Config::read(&project.config, Date::today())?;
    project.environment = config.environment();
    Ok((project, config))
}

/// Keeps other processes from the reports until it is dropped.
fn lock(project: &Project) -> Result<Lock, ProjectError> {
    project.lock(|| say("waiting for another run in this target directory"))
}

pub(crate) fn report(directory: Option<PathBuf>, format: Format) -> Result<u8, Failure> {
    if let Some(directory) = directory {
        // It may be anyone's; what this project says is of its own.
        return print_reports(&directory, &Config::default(), format);
    }
    let project = Project::find()?;
    let config = Config::read(&project.config, Date::today())?;
    print_reports(&reports_of_tests(&project), &config, format)
}

/// Where plain `cargo test` was told to write reports.
fn reports_of_tests(project: &Project) -> PathBuf {
    let told = std::env::var_os("HIGHWATER_REPORTS").filter(|told| !told.is_empty());
    told.map_or_else(|| project.reports.clone(), PathBuf::from)
}

/// Writes what was found for programs, if that was asked for.
fn write_json(path: Option<&PathBuf>, found: &impl Serialize) -> Result<(), Failure> {
    let Some(path) = path else {
        return Ok(());
    };
    let json = serde_json::to_string_pretty(found).map_err(io::Error::from);
    write(path, json.map(|json| json + "\n"))
}

fn write(path: &Path, text: io::Result<String>) -> Result<(), Failure> {
    let written = text.and_then(|text| file::write_atomically(path, &text));
    written.map_err(|source| Failure::File {
        path: path.to_owned(),
        source,
    })
}

fn print_reports(directory: &Path, config: &Config, format: Format) -> Result<u8, Failure> {
    let mut reports = report::read_directory(directory)?;
    let mut expected = 0;
    let mut wrong = 0;
    let mut growing = Vec::new();
    for report in &mut reports {
        config.apply(report)?;
        let entry = config.entry(&report.full_name())?;
        let must_fail = entry.is_some_and(|entry| entry.expect_failure.is_some());
        wrong += usize::from(report.is_failure() != must_fail);
        expected += usize::from(report.is_failure() && must_fail);
        if !must_fail {
            growing.push((report.full_name(), config.about_growth(report)));
        }
    }
    print(&match format {
        Format::Table => {
            let summary = table::summary(&reports, expected);
            let width = fitted::width();
            let table = table::render(&reports, width);
            let summary = format!("{summary}, in {}", directory.display());
            let growing = table::remarks(&growing, width);
            format!("{table}\n{growing}{}", wrapped_to(&summary, 0, width))
        }
        Format::Json => serde_json::to_string_pretty(&reports).map_err(io::Error::from)? + "\n",
    })?;
    Ok(if wrong > 0 {
        exit_code::FAILED
    } else {
        exit_code::PASSED
    })
}

pub(crate) fn bless(gone: bool) -> Result<u8, Failure> {
    let (project, config) = project()?;
    let _lock = lock(&project)?;
    let toolchain = project.toolchain()?;
    let mut evidence = evidence(&project, &config, false)?;
    evidence.baselines.get_or_insert_default();
    measure_to_record(&project, &config, &mut evidence)?;
    let outcome = Outcome::of(&evidence, &config)?;
    let unrecorded = outcome.scenarios.iter().filter(|c| c.is_to_record());
    let unrecorded: BTreeSet<_> = unrecorded.map(|c| c.scenario.as_str()).collect();
    let folder = |report| project.baselines.join(baseline::folder(report, &toolchain));
    for (name, report) in &evidence.reports {
        if unrecorded.contains(report.full_name().as_str()) {
            Baseline::of_runs(report, &evidence.again.of(name))
                .write(&folder(report).join(name))?;
        }
    }
    let folders: BTreeSet<_> = evidence.reports.values().map(folder).collect();
    let known = || evidence.baselines.iter().flat_map(BTreeMap::keys);
    for folder in folders {
        file::remove_unfinished(&folder).map_err(|source| Failure::File {
            path: folder.clone(),
            source,
        })?;
        for name in known().filter(|name| gone && !evidence.reports.contains_key(*name)) {
            let path = folder.join(name);
            match fs::remove_file(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => removed.map_err(|source| Failure::File { path, source })?,
            }
        }
    }
    print(&blessed(&outcome, gone))?;
    Ok(exit_code::PASSED)
}

/// What was recorded, and what is to be done about what was not.
fn blessed(outcome: &Outcome, gone: bool) -> String {
    let mut text = String::new();
    for comparison in outcome.scenarios.iter().filter(|c| c.is_to_record()) {
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
            text.push_str(&wrapped_to(&change.to_string(), 10, fitted::width()));
        }
        if comparison.status == Status::Gone && !gone {
            text.push_str("          no report of it; `cargo highwater bless --gone` removes it\n");
        }
    }
    let is_same = |c: &&Comparison| c.recorded == Some(true) && !c.is_to_record();
    let same = outcome.scenarios.iter().filter(is_same).count();
    text + &format!("{same} as recorded before\n")
}

pub(crate) fn merge(shards: &[PathBuf], into: Option<PathBuf>) -> Result<u8, Failure> {
    let project = Project::find()?;
    let config = Config::read(&project.config, Date::today())?;
    let merged = Merged::read(shards)?;
    let reports = named_as_baselines(&merged.reports);
    let recorded = recorded(&project, &reports, &project.toolchain()?)?;
    let evidence = Evidence {
        reports,
        base: merged.base.as_ref().map(|base| {
            let (revision, commit) = base.revision.clone();
            (Base { revision, commit }, named_as_baselines(&base.reports))
        }),
        baselines: Some(recorded),
        again: Again::default(),
        root: project.root.clone(),
    };
    let _lock = lock(&project)?;
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
        let line = format!("missing  {name}, which no shard has a report of\n");
        text.push_str(&line);
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

pub(crate) fn comment(path: &Path) -> Result<u8, Failure> {
    let file = |source| Failure::File {
        path: path.to_owned(),
        source,
    };
    let size = fs::metadata(path).map_err(file)?.len();
    if size > LARGEST_OUTCOME {
        let source = io::Error::other("it has more than 64 MiB, which no outcome has");
        return Err(file(source));
    }
    let text = fs::read_to_string(path).map_err(file)?;
    let outcome = Outcome::read(&text).map_err(|problem| Failure::Outcome {
        path: path.to_owned(),
        problem,
    })?;
    print(&format!(
        "{}\nThe figures are from a run of the code that is judged, which could have made them up.\n",
        markdown::render(&outcome)
    ))?;
    Ok(exit_code::PASSED)
}

/// More than any outcome has, in bytes.
const LARGEST_OUTCOME: u64 = 64 << 20;

pub(crate) fn view(output: Option<PathBuf>) -> Result<u8, Failure> {
    let project = Project::find()?;
    let _lock = lock(&project)?;
    let config = Config::read(&project.config, Date::today())?;
    let with_base = base_revision(&project.base_reports)?.is_some();
    let evidence = evidence(&project, &config, with_base)?;
    let outcome = Outcome::of(&evidence, &config)?;
    let path = output.unwrap_or_else(|| project.reports.join("index.html"));
    let page = view::render(&outcome, &evidence, &project.origin_of_reports());
    file::write_atomically(&path, &page).map_err(|source| Failure::File {
        path: path.clone(),
        source,
    })?;
    print(&format!("{}\n", path.display()))?;
    Ok(exit_code::PASSED)
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
