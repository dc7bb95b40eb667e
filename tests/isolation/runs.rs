//! In which of its runs a test takes call stacks, and where the second one is.

use super::{subject, text};
use std::env;
use std::process::Stdio;

/// What the first run of a subject says and the second, where the test runner makes a process
/// for each test.
#[track_caller]
fn runs_alone(name: &str, passes: bool) -> [String; 2] {
    let mut command = subject(name);
    command.args(["--exact", "--nocapture"]);
    command.env("NEXTEST_EXECUTION_MODE", "process-per-test");
    // This program has frame pointers, so its first runs could take call stacks.
    command.env("HIGHWATER_SITES", "on-failure");
    let output = command.stderr(Stdio::piped()).output();
    let output = output.expect("it runs");
    // What panics in this process is told on standard error.
    let errors = String::from_utf8_lossy(&output.stderr);
    let text = text(&output);
    assert_eq!(output.status.success(), passes, "{text}{errors}");
    let parts = text.split_once("highwater: once more, with call stacks, in a new process:\n");
    let (first, second) = parts.expect(&text);
    [format!("{first}{errors}"), second.to_owned()]
}

#[test]
fn a_runner_that_isolates_has_its_second_run_in_a_new_process() {
    let site = "elsewhere::keep_a_block  tests/isolation/subjects.rs:";
    let [first, second] = runs_alone("elsewhere::grows_on_a_static_worker", false);
    assert!(first.contains("memory leak in `elsewhere`: "), "{first}");
    assert!(!first.contains(site), "{first}");
    assert!(second.contains(site), "{second}");
    let [first, second] = runs_alone("elsewhere::needs_call_stacks", true);
    assert!(!second.contains("panicked"), "{second}");
    // What the first run did to its process is not the second one's.
    let here = format!("in {:?}\n", env::current_dir());
    assert!(first.contains(&here) && second.contains(&here), "{second}");

    let [first, second] = runs_alone("elsewhere::passes_a_limit_on_a_static_worker", false);
    assert!(!first.contains("panicked"), "{first}");
    assert!(second.contains(site), "{second}");
    let name = "elsewhere::passes_a_limit_and_tries_until_nothing_panics";
    let [first, second] = runs_alone(name, false);
    assert_eq!(first.matches("caught\n").count(), 1, "{first}");
    assert!(!second.contains("caught"), "{second}");
    assert!(second.contains(site), "{second}");
}

/// This program has frame pointers, so the first run takes call stacks.
#[test]
fn a_leak_has_its_call_sites_from_the_only_run() {
    let mut command = subject("elsewhere::grows_on_a_static_worker");
    let output = command.args(["--exact", "--nocapture"]).output();
    let text = text(&output.expect("it runs"));
    let site = "elsewhere::keep_a_block  tests/isolation/subjects.rs:";
    assert!(text.contains(site), "{text}");
    assert!(!text.contains("once more, with call stacks"), "{text}");
}
