//! The second run of a test, which takes call stacks, where the test runner makes processes.

use super::{subject, text};
use std::env;
use std::process::Stdio;

/// A test that the test runner makes a process for: what its first run printed, and its
/// second, which is in a new process.
#[track_caller]
fn runs_alone(name: &str, passes: bool) -> [String; 2] {
    let mut command = subject(name);
    command.args(["--exact", "--nocapture"]);
    command.env("NEXTEST_EXECUTION_MODE", "process-per-test");
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
