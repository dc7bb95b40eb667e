//! `cargo highwater`: the command line over the library of the same crate.
//!
//! What can be asked for is here; `commands` does it. Whatever can go wrong ends
//! here as a message on standard error and an exit code.

#![forbid(unsafe_code)]

mod addresses;
mod commands;

use cargo_highwater::exit_code;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

/// Runs a project's memory scenarios, reads their reports, and holds them to what
/// is known of them.
#[derive(Parser)]
#[command(
    name = "cargo-highwater",
    bin_name = "cargo highwater",
    version,
    after_help = "Exit codes: 0 all is well; 1 a failure or a regression; 2 no answer, for bad \
    usage, broken input or figures that differ from run to run; 3 nothing that blocks is worse, but `bless` must record what is found."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the project's tests and prints the reports that they write
    Run {
        #[command(flatten)]
        base: BaseArguments<false>,
        #[command(flatten)]
        tests: TestArguments,
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
        /// Compare with the base too that `run --base` or `merge` left beside it
        #[arg(long)]
        base: bool,
        #[command(flatten)]
        outputs: Outputs,
    },
    /// Measures a base and what is checked out, and compares them; holds what is
    /// checked out to its baselines too, if the project keeps some
    Gate {
        #[command(flatten)]
        base: BaseArguments<true>,
        #[command(flatten)]
        outputs: Outputs,
        #[command(flatten)]
        tests: TestArguments,
    },
    /// Writes a page of all scenarios of the last run, beside the base that was
    /// measured with them
    View {
        /// Where to [default: `index.html` among the reports]
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Runs one scenario again with a call stack for each block, says where its memory
    /// comes from, and writes that for dhat's viewer, pprof and the browser
    Repro {
        /// A scenario's name, or a part of its test's
        test: String,
        /// Steps to run instead of the scenario's own number
        #[arg(long, value_name = "N")]
        steps: Option<u64>,
        #[command(flatten)]
        tests: TestArguments,
    },
    /// Joins the reports of a suite that ran in shards
    Merge {
        /// Directories of reports, one a shard
        #[arg(required = true)]
        shards: Vec<PathBuf>,
        /// Where to write all of them [default: `highwater` in the target directory
        /// of the workspace, in place of what is there]
        #[arg(long, value_name = "DIRECTORY")]
        into: Option<PathBuf>,
    },
}

/// The revision to compare with, which some commands can do without.
#[derive(Args)]
struct BaseArguments<const REQUIRED: bool> {
    /// The revision to measure in the same way, beside what is checked out
    #[arg(long = "base", value_name = "REVISION", required = REQUIRED)]
    revision: Option<String>,
    /// Take a base that is no ancestor of what is checked out
    #[arg(long)]
    any_base: bool,
}

#[derive(Args)]
struct TestArguments {
    /// Passed on to `cargo nextest run`, or to `cargo test` where that is not
    /// installed
    #[arg(last = true, value_name = "ARGUMENTS")]
    arguments: Vec<OsString>,
}

/// Files to write beside the table on standard output.
#[derive(Args)]
struct Outputs {
    /// Write Markdown for a comment on a pull request
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    #[arg(long, value_name = "FILE", help = "Write JUnit XML")]
    junit: Option<PathBuf>,
    /// Write JSON, by the schema in `docs/outcome.schema.json`
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// A table for people.
    Table,
    /// A JSON array of the reports.
    Json,
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
    addresses::fix();
    let code = match arguments.command {
        Command::Run { base, tests } => commands::run(&base, &tests.arguments),
        Command::Report { directory, format } => commands::report(directory, format),
        Command::Bless { gone } => commands::bless(gone),
        Command::Check { base, outputs } => commands::gate::check(base, &outputs),
        Command::Gate {
            base,
            outputs,
            tests,
        } => commands::gate::gate(&base, &outputs, &tests.arguments),
        Command::View { output } => commands::view(output),
        Command::Repro { test, steps, tests } => {
            commands::repro::repro(&test, steps, &tests.arguments)
        }
        Command::Merge { shards, into } => commands::merge(&shards, into),
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
