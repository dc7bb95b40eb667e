//! `cargo highwater`: the command line over the library of the same crate.
//!
//! What can be asked for is in `arguments`; `commands` does it. Whatever can go wrong ends
//! here as a message on standard error and an exit code.

#![forbid(unsafe_code)]

mod addresses;
mod arguments;
mod commands;

use arguments::{Arguments, Command};
use cargo_highwater::exit_code;
use cargo_highwater::output::github;
use clap::Parser as _;
use commands::Failure;
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;

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
    // Those that run tests, or print names in tables; what others print is for programs.
    let is_log = matches!(
        arguments.command,
        Command::Run { .. }
            | Command::Check { .. }
            | Command::Gate { .. }
            | Command::Repro { .. }
            | Command::Bisect { .. }
    );
    if is_log {
        tell_runner(github::stop_commands());
    }
    let code = run(arguments.command);
    if is_log {
        tell_runner(github::resume_commands());
    }
    match code {
        Ok(code) => code.into(),
        Err(failure) => {
            // With standard error gone, only the exit code can still tell.
            let _ = writeln!(io::stderr(), "error: {failure}");
            exit_code::NO_ANSWER.into()
        }
    }
}

/// A line for the runner of a CI system; none elsewhere.
fn tell_runner(line: Option<String>) {
    let _ = io::stdout().write_all(line.unwrap_or_default().as_bytes());
    let _ = io::stdout().flush();
}

fn run(command: Command) -> Result<u8, Failure> {
    match command {
        Command::Init(asked) => commands::init::init(&asked),
        Command::Run {
            base,
            export,
            tests,
        } => commands::run(&base, &export, &tests.arguments),
        Command::Report { directory, format } => commands::report(directory, format),
        Command::Bless { gone } => commands::bless(gone),
        Command::Check { base, outputs } => commands::gate::check(base, &outputs),
        Command::Gate {
            base,
            outputs,
            tests,
        } => commands::gate::gate(&base, &outputs, &tests.arguments),
        Command::Comment { outcome } => commands::comment(&outcome),
        Command::View { output } => commands::view(output),
        Command::Repro { test, steps, tests } => {
            commands::repro::repro(&test, steps, &tests.arguments)
        }
        Command::Bisect { test, ends, tests } => {
            commands::bisect::bisect(&test, &ends, &tests.arguments)
        }
        Command::Sweep(asked) => commands::sweep::sweep(&asked),
        Command::RunProgram(asked) => commands::sweep::run_program(&asked),
        Command::Watch(asked) => commands::watch::watch(&asked),
        Command::Judge(asked) => commands::judge::judge(&asked),
        Command::Merge { shards, into } => commands::merge(&shards, into),
    }
}

/// Cargo passes the name of the subcommand on as the first argument; started by
/// its own name, the tool does not get it.
fn own_arguments(all: impl Iterator<Item = OsString>) -> impl Iterator<Item = OsString> {
    all.enumerate()
        .filter(|(index, argument)| *index != 1 || argument != "highwater")
        .map(|(_, argument)| argument)
}
