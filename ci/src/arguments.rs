//! The command line: what can be asked for.

use cargo_highwater::output::export::Export;
use clap::{Args, Parser, Subcommand, ValueEnum};
use highwater::__private::milliseconds;
use highwater::ByteSize;
use regex::bytes::Regex;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// Runs a project's memory scenarios, reads their reports, and compares them with a
/// base and with baselines.
#[derive(Parser)]
#[command(
    name = "cargo-highwater",
    bin_name = "cargo highwater",
    version,
    after_help = "Exit codes: 0 no failure; 1 a failure or a regression; 2 no answer, for bad \
    usage, broken input or figures that differ from run to run; 3 nothing that blocks is worse, but `bless` must record a change, or an accepted leak is gone."
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Adds highwater to a package: the dependency, the allocator, and a test that passes
    Init(InitArguments),
    /// Runs the project's tests and prints the reports that they write
    Run {
        #[command(flatten)]
        base: BaseArguments<false>,
        /// Write the figures for a service that follows them: bencher=FILE or
        /// github-benchmark=FILE
        #[arg(long, value_name = "FORMAT=FILE")]
        export: Vec<Export>,
        #[command(flatten)]
        tests: TestArguments,
    },
    /// Prints all reports in one table, and exits with 1 if one of them failed
    Report {
        /// Where the reports are [default: what `HIGHWATER_REPORTS` names, else `highwater`
        /// in the target directory of the workspace]
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
    /// Prints the comment on a pull request, in Markdown, that `--markdown` would have written,
    /// from what `--json` wrote. It runs none of the code that was measured, and takes nothing
    /// from the file but figures and names
    Comment {
        /// What `check` or `gate` wrote for `--json`
        outcome: PathBuf,
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
    /// Finds the first commit that changed the figures or the verdict of a scenario
    Bisect {
        /// A scenario's name, or a part of its test's
        test: String,
        #[command(flatten)]
        ends: Ends,
        #[command(flatten)]
        tests: TestArguments,
    },
    /// Runs each test that the project already has in a process of its own, without rebuilding
    /// it for that, and says what it allocates, peaks at and leaves behind (Linux x86-64 with
    /// glibc)
    Sweep(SweepArguments),
    /// Runs a program, and says what its process allocates, peaks at and leaves behind (Linux
    /// x86-64 with glibc)
    RunProgram(ProgramArguments),
    /// Watches the memory of a process and of those that it started, and says whether it is
    /// bounded, or when it reaches its limit (Linux). Exits with 0 if it is bounded, 1 if it grew or
    /// was above the limit, threads or descriptors grew, or the command failed, and 2 if that is
    /// not clear
    Watch(WatchArguments),
    /// Judges a series of heap profiles of a process, in pprof's format: which call stacks grow, and
    /// whether a scenario of this project covers them. Exits with 0 if memory is bounded, 1 if
    /// something grows, and 2 if that is not clear
    Judge(JudgeArguments),
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

#[derive(Args)]
pub(crate) struct InitArguments {
    /// The package [default: that of the current directory]
    #[arg(short, long, value_name = "NAME")]
    pub(crate) package: Option<String>,
    /// Do it without asking
    #[arg(long)]
    pub(crate) yes: bool,
    /// Add a workflow for GitHub Actions, which runs the gate
    #[arg(long)]
    pub(crate) workflow: bool,
    /// Then run the tests, and record what they find as the baselines
    #[arg(long)]
    pub(crate) baselines: bool,
}

#[derive(Args)]
pub(crate) struct SweepArguments {
    #[command(flatten)]
    pub(crate) base: BaseArguments<false>,
    /// Record what is found as the baselines, one text file a package below
    /// `sweep-baselines/`, to be reviewed and committed
    #[arg(long, conflicts_with = "revision")]
    pub(crate) bless: bool,
    /// Run this one test, and print a scenario that judges whether it leaks
    #[arg(long, value_name = "TEST", conflicts_with_all = ["revision", "bless"])]
    pub(crate) scaffold: Option<String>,
    /// Write all figures as JSON, by the schema in `docs/sweep.schema.json`
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    #[arg(long, value_name = "FILE", help = "Write JUnit XML")]
    pub(crate) junit: Option<PathBuf>,
    /// How many tests to print, worst first
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) top: usize,
    /// For how many tests to find where what they leave behind was allocated: those are run
    /// again with call stacks
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) sites: usize,
    /// The most memory that a test may have live, such as "500 MB": the allocation that would
    /// pass it ends the process
    #[arg(long, value_name = "SIZE")]
    pub(crate) limit: Option<ByteSize>,
    /// Passed on to `cargo test`; behind a second `--`, filters of its tests by name
    #[arg(last = true, value_name = "ARGUMENTS")]
    pub(crate) arguments: Vec<OsString>,
}

#[derive(Args)]
pub(crate) struct ProgramArguments {
    /// Write the figures as JSON, by the schema in `docs/program.schema.json`
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// The most memory that it may have live, such as "500 MB": the allocation that would
    /// pass it ends the process
    #[arg(long, value_name = "SIZE")]
    pub(crate) limit: Option<ByteSize>,
    /// Find where what is left and what is live at the peak was allocated: this takes the call
    /// stack of each block
    #[arg(long)]
    pub(crate) sites: bool,
    /// The program and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

#[derive(Args)]
#[command(group = clap::ArgGroup::new("target").required(true))]
pub(crate) struct WatchArguments {
    /// A process that is there
    #[arg(long, group = "target")]
    pub(crate) pid: Option<u32>,
    /// The memory that it may have
    #[arg(long, value_name = "SIZE", default_value = "1GB")]
    pub(crate) limit: ByteSize,
    /// How long it is from one sample to the next; 32 are needed to judge
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    pub(crate) interval: Duration,
    /// End after this time, and the command and what it started with it [default: when the
    /// process ends]
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub(crate) length: Option<Duration>,
    /// Judge memory by the work that is done instead of the time that passes: each line that the
    /// command prints and that matches is a step of it
    #[arg(long, value_name = "REGEX", conflicts_with = "pid")]
    pub(crate) steps_from_log: Option<Regex>,
    /// Start the command again when it has more memory than its limit, or the system killed it for
    /// memory: after 1 s, then 2 s, up to a minute
    #[arg(long, conflicts_with = "pid")]
    pub(crate) restart: bool,
    /// Write each sample as a line of JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// The program to start and its arguments
    #[arg(last = true, value_name = "COMMAND", group = "target")]
    pub(crate) command: Vec<OsString>,
}

#[derive(Args)]
pub(crate) struct JudgeArguments {
    /// The profiles, 32 or more, at equal distances in time
    #[arg(required = true, value_name = "PROFILE")]
    pub(crate) profiles: Vec<PathBuf>,
    /// Write all call stacks as JSON, by the schema in `docs/judge.schema.json`
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write a page with a curve of each call stack, in one file that loads nothing
    #[arg(long, value_name = "FILE")]
    pub(crate) page: Option<PathBuf>,
    /// How many call stacks to print, those that grow first
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) top: usize,
}

fn duration(text: &str) -> Result<Duration, String> {
    milliseconds(text).map(Duration::from_millis)
}

/// The revision to compare with, which some commands can do without.
#[derive(Args)]
pub(crate) struct BaseArguments<const REQUIRED: bool> {
    /// The revision to measure in the same way, beside what is checked out
    #[arg(long = "base", value_name = "REVISION", required = REQUIRED)]
    pub(crate) revision: Option<String>,
    /// Take a base that is no ancestor of what is checked out
    #[arg(long)]
    pub(crate) any_base: bool,
}

/// Where a search for a commit begins and ends.
#[derive(Args)]
pub(crate) struct Ends {
    /// A revision before the change, an ancestor of the other
    #[arg(long, value_name = "REVISION")]
    pub(crate) good: String,
    /// A revision with the change
    #[arg(long, value_name = "REVISION", default_value = "HEAD")]
    pub(crate) bad: String,
}

#[derive(Args)]
pub(crate) struct TestArguments {
    /// Passed on to `cargo nextest run`, or to `cargo test` where that is not
    /// installed
    #[arg(last = true, value_name = "ARGUMENTS")]
    pub(crate) arguments: Vec<OsString>,
}

/// Files to write beside the table on standard output.
#[derive(Args)]
pub(crate) struct Outputs {
    /// Write Markdown for a comment on a pull request
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<PathBuf>,
    #[arg(long, value_name = "FILE", help = "Write JUnit XML")]
    pub(crate) junit: Option<PathBuf>,
    /// Write JSON, by the schema in `docs/outcome.schema.json`
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Format {
    /// A table for people.
    Table,
    /// A JSON array of the reports.
    Json,
}
