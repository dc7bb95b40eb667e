//! Tests of this program, run again by themselves.

use std::env;
use std::process::Command;

/// Whether this process is the test's own. If not, the test is run in one: stale words of other
/// tests, on the stacks of their threads and in memory that they share, could seem to hold what it
/// leaks.
#[track_caller]
pub(super) fn is_alone() -> bool {
    const ALONE: &str = "HIGHWATER_TEST_IS_ALONE";
    if env::var_os(ALONE).is_some() {
        return true;
    }
    let thread = std::thread::current();
    let test = thread.name().expect("the runner names it by its test");
    let (passes, printed) = run(test, ALONE, "1");
    assert!(passes, "{printed}");
    false
}

/// Whether the test with this name passes with this variable, and what it prints.
fn run(test: &str, variable: &str, value: &str) -> (bool, String) {
    let output = Command::new(env::current_exe().expect("this program"))
        .args([test, "--exact", "--nocapture"])
        .env(variable, value)
        .output()
        .expect("it starts");
    let texts = [output.stdout, output.stderr];
    let texts = texts.map(|text| String::from_utf8_lossy(&text).into_owned());
    (output.status.success(), texts.concat())
}

#[test]
fn the_environment_says_when() {
    let with_sites = |test, sites| run(test, "HIGHWATER_SITES", sites).1;
    let never = with_sites("a_list_in_the_state", "never");
    assert!(never.contains("it failed, on Linux"), "{never}");
    let always = with_sites("what_does_not_fail_is_not_diagnosed", "always");
    assert!(
        always.contains("assertion failed: report.diagnosis().is_none()"),
        "{always}"
    );
    let wrong = with_sites("a_list_in_the_state", "sometimes");
    let message = "highwater: HIGHWATER_SITES is \"sometimes\"; it may be `always`, `replay`, \
                   `on-failure` or `never`\n";
    assert!(wrong.contains(message), "{wrong}");
}
