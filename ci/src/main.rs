//! `cargo highwater`: the command line over the library of the same crate.
//!
//! It reads arguments, calls the library, prints, and chooses the exit code;
//! whatever can go wrong ends here as a message on standard error.

#![forbid(unsafe_code)]

use cargo_highwater::report::{self, ReadError, Report};
use cargo_highwater::{exit_code, table};
use clap::{Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Reads the reports of highwater's memory scenarios.
#[derive(Parser)]
#[command(name = "cargo-highwater", bin_name = "cargo highwater", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Prints all reports in one table, and exits with 1 if one of them failed.
    Report {
        /// Where the reports are [default: `highwater` in the target directory
        /// of the workspace]
        directory: Option<PathBuf>,
        /// How to print them.
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
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
    let Command::Report { directory, format } = arguments.command;
    match report(directory, format) {
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

fn report(directory: Option<PathBuf>, format: Format) -> Result<u8, Failure> {
    let directory = match directory {
        Some(directory) => directory,
        None => default_directory()?,
    };
    let reports = report::read_directory(&directory)?;
    print(&rendered(&reports, &directory, format)?)?;
    Ok(if reports.iter().any(Report::is_failure) {
        exit_code::FAILED
    } else {
        exit_code::PASSED
    })
}

fn default_directory() -> Result<PathBuf, cargo_metadata::Error> {
    let metadata = cargo_metadata::MetadataCommand::new().no_deps().exec()?;
    Ok(metadata.target_directory.join("highwater").into())
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
