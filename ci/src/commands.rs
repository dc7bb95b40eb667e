//! What each command does, with the library's parts.

pub(crate) mod repro;

use crate::{BaseArguments, Format, Outputs};
use cargo_highwater::artefacts::ArtefactError;
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
use std::fs::{self, File};
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
    Artefact(#[from] ArtefactError),
    #[error(
        "no test's name contains `{0}`, or none that has a memory scenario, and no scenario of \
         the last run is called that; `cargo highwater report` lists them"
    )]
    NothingToReproduce(String),
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
    let config = Config::read(&project.config)?;
    let _lock = lock(&project)?;
    let measured = measure(&project, base.revision.as_deref(), base.any_base, tests)?;
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

/// Keeps other processes from the reports as long as the file is open.
fn lock(project: &Project) -> Result<File, ProjectError> {
    project.lock(|| say("waiting for another run in this target directory"))
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
    project.clear()?;
    let started = Instant::now();
    if let Some(revision) = base {
        say(&format!("measuring the base {revision}"));
        if let Some(path) = project.shared_configuration() {
            let path = path.display();
            say(&format!(
                "CARGO_HOME is in the project: {path} is the base's configuration too"
            ));
        }
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
    if let Some(directory) = directory {
        // It may be anyone's; what this project says is of its own.
        return print_reports(&directory, &Config::default(), format);
    }
    let project = Project::find()?;
    let config = Config::read(&project.config)?;
    print_reports(&project.reports, &config, format)
}

fn print_reports(directory: &Path, config: &Config, format: Format) -> Result<u8, Failure> {
    let mut reports = report::read_directory(directory)?;
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

/// What is known of each scenario, by the name of its baseline's file.
type Known<T> = BTreeMap<PathBuf, T>;

/// The reports in `directory` as this project sees them.
fn named(directory: &Path, config: &Config) -> Result<Known<Report>, Failure> {
    let mut named = BTreeMap::new();
    for (file, mut report) in report::read_files(directory)? {
        config.apply(&mut report)?;
        named.insert(baseline::file_name(&file), report);
    }
    Ok(named)
}

/// The baselines for `reports`, each in the folder for builds like the report's, and
/// those in these folders that there is no report for.
fn recorded(
    project: &Project,
    reports: &Known<Report>,
    toolchain: &str,
) -> Result<Known<Baseline>, Failure> {
    let folder = |report: &Report| baseline::folder(report, toolchain);
    let folders: BTreeSet<_> = reports.values().map(folder).collect();
    let mut recorded = BTreeMap::new();
    for at in folders {
        for (name, baseline) in baseline::read_folder(&project.baselines.join(&at))? {
            if reports.get(&name).is_none_or(|report| folder(report) == at) {
                recorded.insert(name, baseline);
            }
        }
    }
    Ok(recorded)
}

/// What is known after a run.
fn evidence(project: &Project, config: &Config, with_base: bool) -> Result<Evidence, Failure> {
    let reports = named(&project.reports, config)?;
    let mut base = None;
    if with_base {
        let (revision, commit) = base_revision(&project.base_reports)?.ok_or(Failure::NoBase)?;
        let reports = match named(&project.base_reports, config) {
            Err(Failure::Read(ReadError::NoReports(_))) => BTreeMap::new(),
            reports => reports?,
        };
        base = Some((Base { revision, commit }, reports));
    }
    let mut baselines = None;
    if project.baselines.is_dir() {
        let mut recorded = recorded(project, &reports, &project.toolchain()?)?;
        if let Some((_, base)) = &base {
            // What neither revision ran was not asked for.
            recorded.retain(|name, _| reports.contains_key(name) || base.contains_key(name));
        }
        baselines = Some(recorded);
    }
    Ok(Evidence {
        reports,
        base,
        baselines,
    })
}

pub(crate) fn check(base: bool, outputs: &Outputs) -> Result<u8, Failure> {
    let project = Project::find()?;
    let _lock = lock(&project)?;
    let config = Config::read(&project.config)?;
    let evidence = evidence(&project, &config, base)?;
    let mut outcome = Outcome::of(&evidence, &config)?;
    if evidence.baselines.is_none() && !base {
        let note = "this project keeps no baselines; `cargo highwater bless` starts to";
        outcome.notes.push(note.to_owned());
    }
    tell(&project, &outcome, outputs)?;
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
    let _lock = lock(&project)?;
    let measured = measure(&project, base.revision.as_deref(), base.any_base, tests)?;
    let evidence = evidence(&project, &config, true)?;
    let mut outcome = Outcome::of(&evidence, &config)?;
    if !measured.passed && outcome.exit_code != exit_code::FAILED {
        let failing = evidence.reports.values().find(|report| report.is_failure());
        outcome.tests_failed(&match failing {
            Some(report) => format!(
                "the tests failed; if that is since one asserts `{}`, which highwater.toml lets \
                 fail, that test must expect the panic too: #[should_panic]",
                report.full_name()
            ),
            None => "the tests failed, for a reason that no report gives".to_owned(),
        });
    }
    tell(&project, &outcome, outputs)?;
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
    let _lock = lock(&project)?;
    let config = Config::read(&project.config)?;
    let toolchain = project.toolchain()?;
    let mut evidence = evidence(&project, &config, false)?;
    evidence.baselines.get_or_insert_default();
    let outcome = Outcome::of(&evidence, &config)?;
    let unrecorded = outcome
        .scenarios
        .iter()
        .filter(|c| c.recorded == Some(false));
    let unrecorded: BTreeSet<_> = unrecorded.map(|c| c.scenario.as_str()).collect();
    let folder = |report| project.baselines.join(baseline::folder(report, &toolchain));
    for (name, report) in &evidence.reports {
        if unrecorded.contains(report.full_name().as_str()) {
            Baseline::of(report).write(&folder(report).join(name))?;
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
    let named = |reports: &BTreeMap<OsString, Report>| -> Known<Report> {
        let name = |file| baseline::file_name(Path::new(file));
        let named = reports
            .iter()
            .map(|(file, report)| (name(file), report.clone()));
        named.collect()
    };
    let reports = named(&merged.reports);
    let recorded = recorded(&project, &reports, &project.toolchain()?)?;
    let evidence = Evidence {
        reports,
        base: merged.base.as_ref().map(|base| {
            let (revision, commit) = base.revision.clone();
            (Base { revision, commit }, named(&base.reports))
        }),
        baselines: Some(recorded),
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
    let _lock = lock(&project)?;
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
fn tell(project: &Project, outcome: &Outcome, outputs: &Outputs) -> Result<(), Failure> {
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
        let place = project.place_in_repository();
        print(&github::annotations(outcome, &place))?;
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
