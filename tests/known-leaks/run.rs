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

use case::{Outcome, Variant};
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use std::fs;
use std::num::NonZero;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Instant;

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
    let started = Instant::now();
    let mut outcomes: Vec<Outcome> = Vec::new();
    for _ in 0..arguments.rounds {
        let round = run_round(&variants, &programs, &bar)?;
        if outcomes.is_empty() {
            outcomes = round;
        } else {
            for (outcome, again) in outcomes.iter_mut().zip(&round) {
                outcome.add_round(again);
            }
        }
    }
    let took = started.elapsed() / arguments.rounds;
    bar.finish_and_clear();
    print!("{}", table::text(&outcomes, took));
    if let Some(file) = &arguments.markdown {
        let markdown = table::markdown(&outcomes, took);
        fs::write(file, markdown).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    Ok(outcomes.iter().all(Outcome::is_right))
}

/// Runs each program once: as many at a time as there are cores, for no verdict depends on time.
fn run_round(
    variants: &[Variant],
    programs: &[PathBuf],
    bar: &ProgressBar,
) -> Result<Vec<Outcome>, String> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let place = next.fetch_add(1, Relaxed);
            let Some(variant) = variants.get(place) else {
                return done;
            };
            bar.set_message(format!("running {}", variant.name()));
            done.push((place, variant.run(&programs[place])));
            bar.inc(1);
        }
    };
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let mut done = thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        let done = workers.into_iter().map(thread::ScopedJoinHandle::join);
        let done = done.flat_map(|done| done.expect("a failure of a driver is a result"));
        done.collect::<Vec<_>>()
    });
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, outcome)| outcome).collect()
}
