//! Builds and runs the corpus of known leaks, and prints what the verdict made of
//! it.
//!
//! Each case is a folder beside this file. Its `leaky` and `fixed` releases, or its
//! `decoy`, are packages of their own, with their own lockfiles, outside the
//! workspace: two releases of one semver range cannot share a lockfile. A driver
//! prints its report as JSON; here the reports are judged against what is known.
//!
//! Exit codes: 0 when every leak was called growing and nothing else was, 1 when
//! not, 2 for bad usage, or a driver that does not build or run.

#![forbid(unsafe_code)]

mod case;
mod search;
mod table;

use case::Outcome;
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

/// Runs drivers that reproduce published leaks of real crates, and decoys that look
/// like leaks, and prints what the verdict made of each.
#[derive(Parser)]
#[command(
    after_help = "Exit codes: 0 every leak was called growing, and nothing else was; \
    1 not so; 2 bad usage, or a driver that does not build or run."
)]
struct Arguments {
    /// Which cases; all of them if none is named
    #[arg(value_name = "CASE")]
    cases: Vec<String>,
    /// How often to run each; the verdicts must be the same
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Look for the leaks by search instead, in the cases that have a search program
    #[arg(long, conflicts_with_all = ["rounds", "markdown"])]
    search: bool,
    /// Write the table as Markdown, too
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> Result<bool, String> {
    let variants = case::find(&arguments.cases)?;
    if arguments.search {
        return search::all(&variants);
    }
    let bar = ProgressBar::new(variants.len() as u64 * (1 + u64::from(arguments.rounds)));
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} {msg}") {
        bar.set_style(style);
    }
    let mut programs = Vec::new();
    for variant in &variants {
        bar.set_message(format!("building {}", variant.name()));
        programs.push(variant.build()?);
        bar.inc(1);
    }
    let mut outcomes: Vec<Outcome> = Vec::new();
    for round in 0..arguments.rounds {
        for (place, (variant, program)) in variants.iter().zip(&programs).enumerate() {
            bar.set_message(format!("running {}", variant.name()));
            let outcome = variant.run(program)?;
            if round == 0 {
                outcomes.push(outcome);
            } else {
                outcomes[place].add_round(&outcome);
            }
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    print!("{}", table::text(&outcomes));
    if let Some(file) = &arguments.markdown {
        let markdown = table::markdown(&outcomes);
        fs::write(file, markdown).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    Ok(outcomes.iter().all(Outcome::is_right))
}
