//! `cargo highwater`: the command line over the library of the same crate.
//!
//! It reads arguments, calls the library, prints, and chooses the exit code;
//! whatever can go wrong ends here as a message on standard error.

#![forbid(unsafe_code)]

use cargo_highwater::baseline::{self, Baseline, BaselineError};
use cargo_highwater::compare::{self, Comparison, Status};
use cargo_highwater::project::{self, Project, ProjectError};
use cargo_highwater::report::{self, ReadError, Report};
use cargo_highwater::{exit_code, table};
use clap::{Parser, Subcommand, ValueEnum};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Runs a project's memory scenarios, reads their reports, and holds them to what
/// is known of them.
#[derive(Parser)]
#[command(
    name = "cargo-highwater",
    bin_name = "cargo highwater",
    version,
    after_help = "Exit codes: 0 all is well; 1 a failure or a regression; 2 no answer, for bad \
    usage or broken input; 3 nothing is worse, but `bless` must record what is found."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the project's tests and prints the reports that they write
    Run {
        /// Passed on to `cargo nextest run`, or to `cargo test` where that is not
        /// installed
        #[arg(last = true, value_name = "ARGUMENTS")]
        arguments: Vec<OsString>,
    },
    /// Prints all reports in one table, and exits with 1 if one of them failed
    Report {
        /// Where the reports are [default: `highwater` in the target directory
        /// of the workspace]
        directory: Option<PathBuf>,
        /// How to print them.
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
    /// Records what the last run found as the baselines, one text file a scenario
    /// below `memory-baselines/`, to be reviewed and committed
    Bless {
        /// Remove the baselines of scenarios that the last run did not have
        #[arg(long)]
        gone: bool,
    },
    /// Compares what the last run found with the baselines
    Check {
        /// How to print what changed.
        #[arg(long, value_enum, default_value_t = CheckFormat::Text)]
        format: CheckFormat,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum CheckFormat {
    /// Lines for people.
    Text,
    /// Markdown for a comment on a pull request.
    Markdown,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// A table for people.
    Table,
    /// A JSON array of the reports.
    Json,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(
        "cargo could not say where the target directory is: {}; run this inside a cargo \
         project, or name the directory: `cargo highwater report <DIRECTORY>`",
        .0.to_string().trim()
    )]
    NoTargetDirectory(#[from] cargo_metadata::Error),
    #[error("the reports could not be printed: {0}")]
    Print(#[from] io::Error),
    #[error(transparent)]
    Baseline(#[from] BaselineError),
    #[error(transparent)]
    Project(#[from] ProjectError),
    #[error("{} could not be removed: {source}", .path.display())]
    Remove { path: PathBuf, source: io::Error },
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse_from(own_arguments(std::env::args_os())) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help that nobody reads to its end is no failure.
            let _ = error.print();
            return u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from);
        }
    };
    let code = match arguments.command {
        Command::Run { arguments } => run(&arguments),
        Command::Report { directory, format } => report(directory, format),
        Command::Bless { gone } => bless(gone),
        Command::Check { format } => check(format),
    };
    match code {
        Ok(code) => code.into(),
        Err(failure) => {
            // With standard error gone, only the exit code can still tell.
            let _ = writeln!(io::stderr(), "error: {failure}");
            exit_code::NO_ANSWER.into()
        }
    }
}

/// Cargo passes the name of the subcommand on as the first argument; started by
/// its own name, the tool does not get it.
fn own_arguments(all: impl Iterator<Item = OsString>) -> impl Iterator<Item = OsString> {
    all.enumerate()
        .filter(|(place, argument)| *place != 1 || argument != "highwater")
        .map(|(_, argument)| argument)
}

/// The tests' failure counts for as much as a report's.
fn run(arguments: &[OsString]) -> Result<u8, Failure> {
    let project = Project::find()?;
    let status = project.run_tests(arguments)?;
    let code = report(Some(project.reports), Format::Table)?;
    Ok(if status.success() {
        code
    } else {
        exit_code::FAILED
    })
}

/// Scenarios and what is known or was found of them, by folder and file.
type Found = BTreeMap<PathBuf, Baseline>;

/// What the last run found, each at the place of its baseline.
fn found(project: &Project) -> Result<Found, Failure> {
    let toolchain = project::toolchain()?;
    let reports = report::read_files(&project.reports)?;
    let placed = reports.iter().map(|(file, report)| {
        let folder = PathBuf::from(baseline::folder(report, &toolchain));
        (folder.join(baseline::file_name(file)), Baseline::of(report))
    });
    Ok(placed.collect())
}

/// The baselines in the folders that the last run has reports for.
fn known(project: &Project, found: &Found) -> Result<Found, Failure> {
    let folders: BTreeSet<_> = found.keys().filter_map(|place| place.parent()).collect();
    let mut known = Found::new();
    for folder in folders {
        let baselines = baseline::read_folder(&project.baselines.join(folder))?;
        known.extend(
            baselines
                .into_iter()
                .map(|(file, known)| (folder.join(file), known)),
        );
    }
    Ok(known)
}

fn compared(found: &Found, known: &Found) -> Vec<Comparison> {
    let places: BTreeSet<_> = found.keys().chain(known.keys()).collect();
    let compare = |place| Comparison::of(known.get(place), found.get(place));
    places.into_iter().map(compare).collect()
}

fn check(format: CheckFormat) -> Result<u8, Failure> {
    let project = Project::find()?;
    let found = found(&project)?;
    let comparisons = compared(&found, &known(&project, &found)?);
    print(&match format {
        CheckFormat::Text => compare::render(&comparisons),
        CheckFormat::Markdown => compare::markdown(&comparisons),
    })?;
    let worst = comparisons.iter().map(|comparison| comparison.status).max();
    Ok(match worst {
        Some(Status::Regression) => exit_code::FAILED,
        None | Some(Status::Same) => exit_code::PASSED,
        Some(_) => exit_code::NOT_RECORDED,
    })
}

fn bless(gone: bool) -> Result<u8, Failure> {
    let project = Project::find()?;
    let found = found(&project)?;
    let known = known(&project, &found)?;
    for (place, baseline) in &found {
        if known.get(place) != Some(baseline) {
            baseline.write(&project.baselines.join(place))?;
        }
    }
    for place in known
        .keys()
        .filter(|place| gone && !found.contains_key(*place))
    {
        let path = project.baselines.join(place);
        fs::remove_file(&path).map_err(|source| Failure::Remove { path, source })?;
    }
    print(&compare::render(&compared(&found, &known)))?;
    Ok(exit_code::PASSED)
}

fn report(directory: Option<PathBuf>, format: Format) -> Result<u8, Failure> {
    let directory = match directory {
        Some(directory) => directory,
        None => Project::find()?.reports,
    };
    let reports = report::read_directory(&directory)?;
    print(&rendered(&reports, &directory, format)?)?;
    Ok(if reports.iter().any(Report::is_failure) {
        exit_code::FAILED
    } else {
        exit_code::PASSED
    })
}

fn rendered(reports: &[Report], directory: &Path, format: Format) -> io::Result<String> {
    match format {
        Format::Table => Ok(format!(
            "{}\n{}, in {}\n",
            table::render(reports),
            table::summary(reports),
            directory.display()
        )),
        Format::Json => Ok(serde_json::to_string_pretty(reports)? + "\n"),
    }
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
