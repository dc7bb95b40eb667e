//! Runs the scenarios and prints what became of their memory.
//!
//! Exit codes: 0 when everything is within its ceilings and nothing grows, 1
//! when a ceiling is breached, memory grows or a scenario fails, 2 for bad usage
//! or bad input, or if a soak is too short to tell.

#![forbid(unsafe_code)]

mod arguments;
mod contracts_output;
mod findings_output;
mod hypotheses_output;
mod part;
mod repro;
mod shown;
mod soak;
mod table;

use arguments::{Arguments, Command, Format, Proof, Selection};
use clap::Parser as _;
use highwater_fixtures::{CandleSource, InputError, TradeSource};
use highwater_reports::similar::did_you_mean;
use highwater_scenarios::{Entry, Inputs, Reads, SCENARIOS, Twin};
use indicatif::{ProgressBar, ProgressStyle};
use shown::Shown;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

/// Within all ceilings, and nothing grows.
const EXIT_SOUND: u8 = 0;
/// A ceiling was breached, memory grows, or a scenario failed.
const EXIT_UNSOUND: u8 = 1;
/// The command line or an input file is wrong; nothing was run.
const EXIT_USAGE: u8 = 2;
/// A soak was too short to tell.
const EXIT_UNKNOWN: u8 = 2;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.command() {
        Command::List => Ok((table::list(), EXIT_SOUND)),
        Command::Run(run) => prepare(
            &run.selection,
            Manner::of(&run.proof),
            run.ids.iter().map(String::as_str),
        )
        .map(|plan| report_all(&plan, run.format)),
        Command::Show(show) => prepare(
            &show.selection,
            Manner::of(&show.proof),
            [show.id.as_str()].into_iter(),
        )
        .map(|plan| report_one(&plan)),
        Command::Repro(repro) => prepare(
            &repro.selection,
            Manner::Diagnose,
            [repro.id.as_str()].into_iter(),
        )
        .and_then(|plan| repro::report(&plan)),
        Command::Findings(asked) => findings_output::text(&asked).map(|text| (text, EXIT_SOUND)),
        Command::Hypotheses(asked) => {
            hypotheses_output::text(&asked).map(|text| (text, EXIT_SOUND))
        }
        Command::Contracts(asked) => contracts_output::report(&asked),
        Command::Soak(asked) => soak::run(&asked),
    };
    match outcome {
        Ok((text, code)) => print(&text, code),
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::from(EXIT_USAGE)
        }
    }
}

/// A reader that has seen enough may close the pipe; that is no failure.
fn print(text: &str, code: u8) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            eprintln!("error: standard output could not be written: {error}");
            ExitCode::from(EXIT_USAGE)
        }
        _ => ExitCode::from(code),
    }
}

/// Everything that was asked for, checked: nothing can go wrong from here on but
/// the scenarios themselves.
struct Plan {
    entries: Vec<&'static Entry>,
    twin: Twin,
    manner: Manner,
    steps: Option<u64>,
    inputs: Inputs,
}

/// How each scenario is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Run,
    SelfTest,
    Diagnose,
}

impl Manner {
    fn of(proof: &Proof) -> Self {
        if proof.self_test {
            Self::SelfTest
        } else {
            Self::Run
        }
    }
}

fn prepare<'a>(
    selection: &Selection,
    manner: Manner,
    ids: impl Iterator<Item = &'a str>,
) -> Result<Plan, String> {
    let mut entries: Vec<&'static Entry> = Vec::new();
    for id in ids {
        let entry = Entry::find(id).ok_or_else(|| unknown(id))?;
        if !entries.iter().any(|known| known.id == id) {
            entries.push(entry);
        }
    }
    if entries.is_empty() {
        entries.extend(SCENARIOS);
    }
    let generated = Inputs::generated();
    let readers = |reads| entries.iter().any(|entry| entry.reads == reads);
    let candles = match &selection.candles {
        Some(_) if !readers(Reads::Candles) => return Err(unread("--candles", Reads::Candles)),
        Some(file) => CandleSource::from_file(file).map_err(|error| bad_input(&error))?,
        None => generated.candles,
    };
    let trades = match &selection.trades {
        Some(_) if !readers(Reads::Trades) => return Err(unread("--trades", Reads::Trades)),
        Some(file) => TradeSource::from_file(file).map_err(|error| bad_input(&error))?,
        None => generated.trades,
    };
    Ok(Plan {
        entries,
        twin: if selection.leaky {
            Twin::Leaky
        } else {
            Twin::Sound
        },
        manner,
        steps: selection.steps,
        inputs: Inputs { candles, trades },
    })
}

fn unknown(id: &str) -> String {
    let known = SCENARIOS.map(|entry| entry.id);
    unknown_name("scenario", id, &known)
}

/// What is said of a name that nothing has: what it may have been, or all that there are.
fn unknown_name(what: &str, name: &str, known: &[&str]) -> String {
    let similar = did_you_mean(name, known.iter().copied());
    if similar.is_empty() {
        let known = known.join(", ");
        return format!("there is no {what} `{name}`; there are {known}");
    }
    format!("there is no {what} `{name}`{similar}")
}

fn unread(option: &str, reads: Reads) -> String {
    let readers: Vec<_> = SCENARIOS
        .iter()
        .filter(|entry| entry.reads == reads)
        .map(|entry| entry.id)
        .collect();
    format!(
        "{option} was given, but no scenario that was asked for reads it; these do: {}",
        readers.join(", ")
    )
}

fn bad_input(error: &InputError) -> String {
    format!("{error}\nnothing was run and nothing was written")
}

/// What came of one scenario: what its report says, or why there is none.
struct Outcome {
    entry: &'static Entry,
    report: Result<Shown, String>,
}

impl Plan {
    fn run(&self) -> Vec<Outcome> {
        let bar = progress_bar(self.entries.len() as u64);
        let mut outcomes = Vec::new();
        for entry in &self.entries {
            bar.set_message(entry.id);
            let run = shown::run(entry, self);
            outcomes.extend(run.map(|report| Outcome { entry, report }));
            bar.inc(1);
        }
        bar.finish_and_clear();
        outcomes
    }
}

/// A bar on a terminal, and nothing elsewhere.
fn progress_bar(length: u64) -> ProgressBar {
    let bar = ProgressBar::new(length);
    let template = "{spinner} {bar:30} {pos}/{len} {elapsed} {msg}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    if !bar.is_hidden() {
        bar.enable_steady_tick(Duration::from_millis(100));
    }
    bar
}

fn exit_code(outcomes: &[Outcome]) -> u8 {
    let is_unsound = |outcome: &Outcome| {
        outcome
            .report
            .as_ref()
            .map_or(true, |shown| shown.is_failure)
    };
    if outcomes.iter().any(is_unsound) {
        EXIT_UNSOUND
    } else {
        EXIT_SOUND
    }
}

fn report_all(plan: &Plan, format: Format) -> (String, u8) {
    let outcomes = plan.run();
    let text = match format {
        Format::Text => table::results(&outcomes, plan),
        Format::Json => json(&outcomes),
    };
    (text, exit_code(&outcomes))
}

fn report_one(plan: &Plan) -> (String, u8) {
    let outcomes = plan.run();
    (
        outcomes.iter().map(explained).collect(),
        exit_code(&outcomes),
    )
}

/// All that is known of a scenario.
fn explained(outcome: &Outcome) -> String {
    let text = match &outcome.report {
        Ok(shown) => shown.explanation.clone(),
        Err(problem) => problem.clone(),
    };
    format!("{text}\n{}\n", outcome.entry.description())
}

fn json(outcomes: &[Outcome]) -> String {
    let reports: Vec<_> = outcomes
        .iter()
        .filter_map(|outcome| outcome.report.as_ref().ok())
        .map(|shown| shown.json.as_str())
        .collect();
    format!("[\n{}\n]\n", reports.join(",\n"))
}
