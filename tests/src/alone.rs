//! Tests that run in a process of their own: what other tests allocate meanwhile could seem to
//! be of their scenario, and stale words of others, on the stacks of their threads and in memory
//! that they share, could seem to hold what it leaks.

use std::env;
use std::process::Command;

/// Ends a test that shares its process, after it was run in one of its own.
#[macro_export]
macro_rules! in_its_own_process {
    () => {
        if !$crate::alone::is_alone() {
            return;
        }
    };
}

/// Whether this process is the test's own. If not, the test is run in one.
///
/// # Panics
///
/// If the test fails in its own process, with what it printed there.
#[track_caller]
#[must_use]
pub fn is_alone() -> bool {
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

/// Whether the test of this program with this name passes with this variable, and what it
/// prints.
///
/// # Panics
///
/// If the program does not start.
#[must_use]
pub fn run(test: &str, variable: &str, value: &str) -> (bool, String) {
    let output = Command::new(env::current_exe().expect("this program"))
        .args([test, "--exact", "--nocapture"])
        .env(variable, value)
        .output()
        .expect("it starts");
    let texts = [output.stdout, output.stderr];
    let texts = texts.map(|text| String::from_utf8_lossy(&text).into_owned());
    (output.status.success(), texts.concat())
}
