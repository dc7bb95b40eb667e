//! The command line.

use crate::part::Part;
use clap::{Args, Parser, Subcommand, ValueEnum};
use highwater::__private::milliseconds;
use highwater::ByteSize;
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
    /// List the scenarios, the hypotheses and the contracts
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
    /// Check the service's other contracts, such as what a step may allocate, and print what came
    /// of each; of one, the whole message
    Contracts(Contracts),
    /// Run the whole service for hours of simulated time, watched, cleaned up and restarted as
    /// in production, and print whether it is what the post-mortems asked for. Exits with 2 if
    /// a criterion is not known after so short a time
    Soak(Soak),
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

#[derive(Args)]
pub(crate) struct Contracts {
    /// Which contracts; all of them if none is named
    #[arg(value_name = "ID")]
    pub(crate) ids: Vec<String>,
    /// Check the leaky twins, which break them
    #[arg(long)]
    pub(crate) leaky: bool,
}

#[derive(Args)]
pub(crate) struct Soak {
    /// How many simulated hours
    #[arg(long, value_name = "N", default_value_t = 8,
        value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub(crate) hours: u64,
    /// Run on the real clock for so long, such as `10m`: the aggregator's trades come over
    /// sockets, and memory and descriptors are sampled each second. At least a minute. Exits with
    /// 0 if all criteria hold that a run of this length can answer
    #[arg(long, value_name = "DURATION", conflicts_with = "hours", value_parser = real_seconds)]
    pub(crate) real: Option<u64>,
    /// The part that has its defect
    #[arg(long, value_name = "PART", value_enum)]
    pub(crate) leaky: Option<Part>,
    /// Restart the service when it has more resident memory than this; alerts are raised at 1 GB,
    /// or at half of this if that is less
    #[arg(long, value_name = "SIZE", default_value = "6 GB")]
    pub(crate) limit: ByteSize,
    /// An existing folder for what must not be lost, the account with its trades, and for the
    /// service's other files. The service goes on with what is there already
    #[arg(long, value_name = "FOLDER")]
    pub(crate) state: Option<PathBuf>,
}

/// The fewest seconds on the real clock that show growth and how far it may be off.
const LEAST_REAL: u64 = 60;

/// Whole seconds, not too few. `10m` is ten minutes, too.
fn real_seconds(text: &str) -> Result<u64, String> {
    let minutes = || milliseconds(&format!("{}min", text.trim().strip_suffix('m')?)).ok();
    let milliseconds = milliseconds(text).or_else(|problem| minutes().ok_or(problem))?;
    let seconds = milliseconds / 1_000;
    if !milliseconds.is_multiple_of(1_000) {
        Err("it is not a whole number of seconds".to_owned())
    } else if seconds < LEAST_REAL {
        Err(format!("a verdict takes {LEAST_REAL} s at least"))
    } else {
        Ok(seconds)
    }
}
