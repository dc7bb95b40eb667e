//! Annotations for GitHub Actions: lines on standard output that the runner turns
//! into remarks beside the code.

use crate::outcome::{Comparison, Outcome, Status};
use crate::table::printable;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::LazyLock;

/// An annotation for each scenario that blocks, is unsteady or is not recorded, at the line that
/// leaks, or else at the one that runs it. `prefix` is where the workspace is in the repository,
/// with a slash at the end; empty if it is the repository.
pub fn annotations(outcome: &Outcome, prefix: &str) -> String {
    let blocking = outcome.scenarios.iter().filter(|c| c.status.blocks());
    let unrecorded = outcome
        .scenarios
        .iter()
        .filter(|c| !c.status.blocks())
        .filter(|c| c.status == Status::Unsteady || c.recorded == Some(false));
    let errors = blocking.map(|comparison| annotation("error", comparison, prefix));
    let warnings = unrecorded.map(|comparison| annotation("warning", comparison, prefix));
    errors.chain(warnings).collect()
}

/// What a line of the log means to the runner is up to this tool alone, from here on: names and
/// the tests' own output are no commands. None elsewhere than on GitHub Actions.
pub fn stop_commands() -> Option<String> {
    is_there().then(|| format!("::stop-commands::{}\n", token()))
}

/// The end of that.
pub fn resume_commands() -> Option<String> {
    is_there().then(|| format!("::{}::\n", token()))
}

/// Commands in between.
pub fn with_commands(commands: &str) -> String {
    let [resume, stop] = [resume_commands(), stop_commands()].map(Option::unwrap_or_default);
    format!("{resume}{commands}{stop}")
}

/// Whether this runs on GitHub Actions.
pub fn is_there() -> bool {
    std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true")
}

/// A word that nobody else knows.
fn token() -> &'static str {
    static TOKEN: LazyLock<String> = LazyLock::new(|| {
        let half = || RandomState::new().hash_one(std::process::id());
        format!("{:016x}{:016x}", half(), half())
    });
    &TOKEN
}

fn annotation(level: &str, comparison: &Comparison, workspace: &str) -> String {
    let location = comparison.place().map(|location| {
        format!(
            "file={},line={},",
            property(&format!("{workspace}{}", location.file)),
            location.line
        )
    });
    let word = match comparison.status {
        Status::Same => "not recorded",
        status => status.word(),
    };
    let title = property(&format!("{}: {word}", comparison.scenario));
    let changes = comparison.changes.iter().map(ToString::to_string);
    let ranges = comparison.ranges.iter().map(ToString::to_string);
    let sites = comparison.sites.iter().map(ToString::to_string);
    let notes = comparison.notes.iter();
    let notes = notes.filter(|_| comparison.status == Status::Unsteady);
    let run = comparison.location.as_ref();
    let run = run.filter(|_| comparison.leak.is_some());
    let run = run.map(|at| format!("run at {}:{}", at.file, at.line));
    let lines: Vec<_> = comparison
        .failures
        .iter()
        .chain(notes)
        .cloned()
        .chain(changes)
        .chain(ranges)
        .chain(sites)
        .chain(run)
        .collect();
    let text = if lines.is_empty() {
        "`cargo highwater bless` records it".to_owned()
    } else {
        lines.join("\n")
    };
    let location = location.unwrap_or_default();
    format!("::{level} {location}title={title}::{}\n", data(&text))
}

/// Text as the runner wants it behind the colons.
fn data(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(printable).collect();
    lines.join("\n").replace('%', "%25").replace('\n', "%0A")
}

/// Text as the runner wants it before them.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
