//! The command line.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Runs the scenarios of a simulated trading service and judges their memory.
///
/// Without a command, all of them.
#[derive(Parser)]
#[command(
    version,
    after_help = "Exit codes: 0 within all ceilings and nothing grows; \
    1 a ceiling breached, growing memory or a failed scenario; 2 bad usage or bad input."
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

impl Arguments {
    /// What to do: run everything, if nothing else was said.
    pub(crate) fn command(self) -> Command {
        self.command.unwrap_or_default()
    }
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the scenarios and the hypotheses
    List,
    /// Run scenarios and print a table of the results
    Run(Run),
    /// Run one scenario and print its full report
    Show(Show),
    /// Run one scenario again with a call stack for each block, print where its memory
    /// comes from, and write that for dhat's viewer, pprof and the browser
    Repro(Repro),
    /// Measure what the post-mortems estimated, and print both side by side
    Findings(Findings),
    /// Test what the post-mortems suspected, and print what came of it
    Hypotheses(Hypotheses),
}

impl Default for Command {
    fn default() -> Self {
        Self::Run(Run::default())
    }
}

#[derive(Args, Default)]
pub(crate) struct Run {
    /// Which scenarios; all of them if none is named
    #[arg(value_name = "ID")]
    pub(crate) ids: Vec<String>,
    #[command(flatten)]
    pub(crate) selection: Selection,
    #[command(flatten)]
    pub(crate) proof: Proof,
    /// How to print the results
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

#[derive(Args)]
pub(crate) struct Show {
    /// Which scenario
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) selection: Selection,
    #[command(flatten)]
    pub(crate) proof: Proof,
}

#[derive(Args)]
pub(crate) struct Repro {
    /// Which scenario
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) selection: Selection,
}

#[derive(Args, Default)]
pub(crate) struct Proof {
    /// Run each once more with a small leak in it, which must be found
    #[arg(long, conflicts_with = "leaky")]
    pub(crate) self_test: bool,
}

#[derive(Args, Default)]
pub(crate) struct Selection {
    /// Steps to run instead of the scenario's own number; with 0, only set-up
    /// and drop are measured
    #[arg(long, value_name = "N")]
    pub(crate) steps: Option<u64>,
    /// Run the leaky twins, with their defects switched on
    #[arg(long)]
    pub(crate) leaky: bool,
    /// Candles to use: CSV with `open_time,open,high,low,close,volume`, or the
    /// exchange's 12-column rows
    #[arg(long, value_name = "FILE")]
    pub(crate) candles: Option<PathBuf>,
    /// Trades to use: the exchange's 7-column rows, or candles, bought at the
    /// open and sold at the close
    #[arg(long, value_name = "FILE")]
    pub(crate) trades: Option<PathBuf>,
}

#[derive(Clone, Copy, Default, ValueEnum)]
pub(crate) enum Format {
    /// An aligned table
    #[default]
    Text,
    /// A JSON array of reports
    Json,
}

#[derive(Args)]
pub(crate) struct Findings {
    /// Of which scenarios; of all that have them if none is named
    #[arg(value_name = "ID")]
    pub(crate) ids: Vec<String>,
    /// How to print them
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

#[derive(Args)]
pub(crate) struct Hypotheses {
    /// Which hypotheses; all of them if none is named
    #[arg(value_name = "ID")]
    pub(crate) ids: Vec<String>,
    /// How to print them
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}
