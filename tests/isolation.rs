//! Tests in processes of their own: what they find there, and what is said of those that
//! do not come to their end.
//!
//! What fails does so in `isolation/subjects.rs`: the tests there are left out unless
//! they are asked for, which the tests here do, of this same program.

#![forbid(unsafe_code)]
#![cfg(target_os = "linux")]

#[path = "isolation/runs.rs"]
mod runs;
#[path = "isolation/subjects.rs"]
mod subjects;

use highwater::{Scenario, measure};
use std::env;
use std::ffi::OsString;
use std::io::Read as _;
use std::os::unix::net::UnixListener;
use std::process::{self, Command, Output, Stdio};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

/// This program, for the subjects with this name in their path.
fn subject(name: &str) -> Command {
    let mut command = Command::new(env::current_exe().expect("this program"));
    command.args([&format!("subjects::{name}"), "--ignored"]);
    for variable in ["NEXTEST_EXECUTION_MODE", "HIGHWATER_IN_PROCESS"] {
        command.env_remove(variable);
    }
    command.env("RUST_BACKTRACE", "0").stdin(Stdio::null());
    command
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What the runner says of a subject that fails, without what differs from run to run.
#[track_caller]
fn said_of_failed(name: &str) -> String {
    let output = subject(name).output().expect("it runs");
    let text = text(&output);
    assert!(!output.status.success(), "{text}");
    let (_, after) = text.split_once("---- subjects::").expect("it failed");
    let (said, _) = after.split_once("\n\nfailures:").expect("it ends");
    // The numbers of threads.
    let mut parts = said.split(" (");
    let mut steady = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once(')') {
            Some((number, rest)) if number.bytes().all(|byte| byte.is_ascii_digit()) => {
                steady += rest;
            }
            _ => {
                steady += " (";
                steady += part;
            }
        }
    }
    steady.trim_end().to_owned()
}

#[test]
fn an_abort_is_told_with_its_step() {
    insta::assert_snapshot!(said_of_failed("aborts_in_a_step"), @r#"
    aborts_in_a_step stdout ----
    about to abort

    thread 'subjects::aborts_in_a_step' panicked at tests/isolation/subjects.rs:34:1:
    memory scenario `isolation::subjects::aborts_in_a_step` failed: the process was ended by signal 6 (SIGABRT) in step 1,234

    the report so far:

      verdict     bounded: the floor has not risen over the last 5 doublings, 15 to 1,000 steps
              step         live bytes    live blocks
                 0                  0              0
               200                  0              0
               400                  0              0
               600                  0              0
               800                  0              0
             1,000                  0              0
             1,200                  0              0

    note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
    "#);
}

#[test]
fn an_exit_is_told_with_its_code() {
    insta::assert_snapshot!(said_of_failed("exits_in_a_step"), @r#"
    exits_in_a_step stdout ----

    thread 'subjects::exits_in_a_step' panicked at tests/isolation/subjects.rs:43:1:
    memory scenario `isolation::subjects::exits_in_a_step` failed: step 1,234 called exit with code 3

    the report so far:

      verdict     bounded: the floor has not risen over the last 5 doublings, 15 to 1,000 steps
              step         live bytes    live blocks
                 0                  0              0
               200                  0              0
               400                  0              0
               600                  0              0
               800                  0              0
             1,000                  0              0
             1,200                  0              0

    note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
    "#);
    insta::assert_snapshot!(said_of_failed("exits_as_if_all_were_well"), @r#"
    exits_as_if_all_were_well stdout ----

    thread 'subjects::exits_as_if_all_were_well' panicked at tests/isolation/subjects.rs:51:1:
    `subjects::exits_as_if_all_were_well` failed: the test's body called exit with code 0

    note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
    "#);
}

#[test]
fn an_abort_is_not_the_panic_that_was_expected() {
    insta::assert_snapshot!(said_of_failed("aborts_where_a_panic_is_expected"), @r#"
    aborts_where_a_panic_is_expected stdout ----
    `subjects::aborts_where_a_panic_is_expected` failed: the process was ended by signal 6 (SIGABRT) in the test's body

    note: test did not panic as expected at tests/isolation/subjects.rs:62:4
    "#);
}

#[test]
fn a_stack_that_overflows_is_told_with_its_step() {
    let said = said_of_failed("overflows_its_stack");
    let expected = "failed: the process was ended by signal 6 (SIGABRT) in step 7: a stack \
                    overflowed\n";
    assert!(said.contains(expected), "{said}");
}

#[test]
fn a_step_that_doubles_without_end_is_stopped() {
    let said = said_of_failed("doubles_without_end");
    let expected = "failed: step 9 went on allocating and was stopped: ";
    assert!(said.contains(expected), "{said}");
    let (_, stack) = said
        .split_once("passed the memory budget of 16,777,216 B: ")
        .expect(&said);
    assert!(
        stack.contains("subjects::double  tests/isolation/subjects.rs:"),
        "{said}"
    );
}

#[test]
fn a_step_that_hangs_is_told_with_its_stack() {
    let said = said_of_failed("hangs_in_a_step");
    let expected = "`isolation::subjects::hangs_in_a_step` failed: did not end within 2 s: it was \
                    in step 8. ";
    assert!(said.contains(expected), "{said}");
    let (_, stack) = said.split_once("its thread was at\n").expect(&said);
    assert!(
        stack.contains("subjects::wait_for_nobody  tests/isolation/subjects.rs:"),
        "{said}"
    );
}

#[test]
fn the_environment_sets_the_time_that_is_usual() {
    let mut command = subject("hangs_in_its_body");
    let output = command.env("HIGHWATER_TIME_LIMIT", "1500 ms").output();
    let said = text(&output.expect("it runs"));
    let expected = "`subjects::hangs_in_its_body` failed: did not end within 1500 ms: it was in \
                    the test's body. ";
    assert!(said.contains(expected), "{said}");
    let mut command = subject("hangs_in_its_body");
    let output = command.env("HIGHWATER_TIME_LIMIT", "soon").output();
    let said = text(&output.expect("it runs"));
    let expected = "highwater: HIGHWATER_TIME_LIMIT: \"soon\" is not a duration: ";
    assert!(said.contains(expected), "{said}");
}

#[test]
fn what_is_printed_is_shown_if_it_fails() {
    insta::assert_snapshot!(said_of_failed("prints_and_panics"), @r#"
    prints_and_panics stdout ----
    out 1
    err 2

    thread 'subjects::prints_and_panics' panicked at tests/isolation/subjects.rs:108:5:
    that was all
    note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
    out 3,
    "#);
    insta::assert_snapshot!(said_of_failed("returns_an_error"), @r#"
    returns_an_error stdout ----

    thread 'subjects::returns_an_error' panicked at tests/isolation/subjects.rs:117:1:
    Error: "no candles"
    note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
    "#);
    let passed = subject("prints_and_passes").output().expect("it runs");
    assert!(passed.status.success());
    assert!(!text(&passed).contains("printed and passed"));
    let shown = subject("prints_and_passes").arg("--nocapture").output();
    let shown = text(&shown.expect("it runs"));
    assert_eq!(shown.matches("printed and passed\n").count(), 1, "{shown}");
    assert_eq!(shown.matches("running").count(), 1, "{shown}");
}

#[test]
fn a_test_of_another_name_is_said_not_to_have_run() {
    let said = said_of_failed("is_not_what_it_says");
    let expected = "\nhighwater: the test program was started again for \
                    `subjects::of_another_name` alone, and did not run it (exit status: 0). With \
                    `in_process` in the attribute, or HIGHWATER_IN_PROCESS=1, the test runs in \
                    this process. What was printed:\nrunning 0 tests\n\ntest result: ok. ";
    assert!(said.contains(expected), "{said}");
}

#[test]
fn other_tests_go_on() {
    let output = subject("among_others").output().expect("it runs");
    let text = text(&output);
    for expected in ["a_first ... ok", "b_aborts ... FAILED", "c_last ... ok"] {
        assert!(text.contains(expected), "{text}");
    }
}

/// The lines that a subject prints which start so.
#[track_caller]
fn lines(command: &mut Command, start: &str) -> Vec<String> {
    let output = command.arg("--nocapture").output().expect("it runs");
    let text = text(&output);
    assert!(output.status.success(), "{text}");
    // The runner's own line has no end yet when a test prints.
    let lines = text.lines().filter_map(|line| line.split_once(start));
    let lines: Vec<_> = lines.map(|(_, rest)| rest.to_owned()).collect();
    assert!(!lines.is_empty(), "{text}");
    lines
}

#[test]
fn environment_and_directory_are_the_runners() {
    let seen = |name: &str| {
        let mut command = subject(name);
        command
            .env("SUBJECT_SEES", "this and that")
            .current_dir(env::temp_dir());
        let mut seen = lines(&mut command, "seen: ");
        seen.sort();
        seen
    };
    let mine = seen("says_what_it_sees");
    assert!(mine.contains(&"SUBJECT_SEES=this and that".to_owned()));
    assert_eq!(mine, seen("says_what_the_runner_sees"));
}

#[test]
fn addresses_are_the_same_in_every_run() {
    let run = |environment: usize| {
        let mut command = subject("says_where_things_are");
        command.env("SUBJECT_HAS", "x".repeat(environment));
        lines(&mut command, "here: ")
    };
    let first = run(1);
    let persona = u32::from_str_radix(first.last().map_or("", |line| line.as_str()), 16);
    if persona.is_ok_and(|persona| persona & 0x004_0000 == 0) {
        println!("this system does not let a program do without address randomisation");
        return;
    }
    assert_eq!(first.len(), 4);
    for environment in [10, 333, 4_444] {
        assert_eq!(run(environment), first);
    }
}

#[test]
fn in_process_is_in_the_process() {
    let ids = |in_process: &str| {
        let mut command = subject("says_which_process_it_is_in");
        command
            .env("HIGHWATER_IN_PROCESS", in_process)
            .arg("--nocapture");
        let process = command.stdout(Stdio::piped()).spawn().expect("it runs");
        let own = process.id();
        let output = process.wait_with_output().expect("it ends");
        let text = text(&output);
        let (_, said) = text.split_once("process: ").expect("it says so");
        let said = said.lines().next().and_then(|id| id.parse().ok());
        (own, said.unwrap_or(own))
    };
    let (runner, test) = ids("1");
    assert_eq!(test, runner);
    let (runner, test) = ids("0");
    assert_ne!(test, runner);
}

#[test]
fn a_runner_that_is_killed_takes_the_test_along() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("calls");
    let listener = UnixListener::bind(&path).expect("a socket");
    let mut command = subject("calls_and_waits");
    let command = command.env("SUBJECT_CALLS", &path).stdout(Stdio::null());
    let mut runner = command.spawn().expect("it runs");
    let (mut connection, _) = listener.accept().expect("it calls");
    let mut said = [0];
    connection.read_exact(&mut said).expect("it says something");
    runner.kill().expect("it runs");
    runner.wait().expect("it ends");
    // The other end is closed when its process ends.
    let mut rest = Vec::new();
    connection.read_to_end(&mut rest).expect("it ends");
    assert!(rest.is_empty());
}

#[highwater::test]
fn a_body_has_a_process_and_a_thread_of_its_own() {
    let name = "a_body_has_a_process_and_a_thread_of_its_own";
    assert_eq!(std::thread::current().name(), Some(name));
    let arguments: Vec<_> = env::args().collect();
    assert!(arguments.contains(&name.to_owned()));
    assert!(arguments.contains(&"--exact".to_owned()));
}

#[highwater::test]
fn what_is_printed_is_kept_in_no_memory() {
    println!("standard output has its buffer");
    let ((), usage) = measure(|| println!("{}", "x".repeat(1_000)));
    assert_eq!(usage.total_bytes, 1_000);
    assert_eq!(usage.live_bytes, 0);
}

#[highwater::test]
fn a_body_may_have_a_scenario_and_a_snapshot() {
    let report = Scenario::new("in-a-body").steps(100).run(|| (), |(), _| ());
    assert!(report.verdict().is_bounded());
    insta::assert_snapshot!(report.steps(), @"100");
}

#[highwater::test]
#[should_panic(expected = "seven is too many")]
fn a_panic_is_the_runners() {
    panic!("{} is too many", "seven");
}

#[highwater::test]
#[allow(clippy::should_panic_without_expect)]
#[should_panic]
fn any_panic_will_do() {
    panic!("any");
}

#[highwater::test]
fn a_result_may_be_right() -> Result<(), std::num::ParseIntError> {
    let number: u8 = "7".parse()?;
    assert_eq!(number, 7);
    Ok(())
}

#[highwater::test]
#[should_panic(expected = "Error: ParseIntError")]
fn a_result_may_be_wrong() -> Result<(), std::num::ParseIntError> {
    "seven".parse::<u8>().map(drop)
}

#[highwater::test]
async fn a_body_may_be_async() {
    let task = tokio::spawn(async { tokio::task::yield_now().await });
    task.await.expect("it ends");
}

#[highwater::test]
#[should_panic(expected = "Error: \"async\"")]
async fn an_async_body_may_fail() -> Result<(), &'static str> {
    tokio::task::yield_now().await;
    Err("async")
}

#[rstest::rstest]
#[case::short(1, "1")]
#[case::long(1_000, "1000")]
#[highwater::test]
fn cases_have_processes_of_their_own(#[case] number: u64, #[case] text: &str) {
    let case = std::thread::current().name().map(str::to_owned);
    let case = case.expect("the body's thread has the test's name");
    assert!(
        case.starts_with("cases_have_processes_of_their_own::case_"),
        "{case}"
    );
    assert!(env::args().any(|argument| argument == case));
    assert_eq!(number.to_string(), text);
}

#[highwater::test]
fn r#try() {}

#[highwater::test(in_process)]
fn a_word_keeps_a_test_in_the_process() {
    assert!(!env::args().any(|argument| argument == "--include-ignored"));
}

#[highwater::test(steps = 100, state = Vec::with_capacity(10), growth = "0 B", time_limit = "5 min")]
fn a_state_is_kept_from_step_to_step(numbers: &mut Vec<u64>, i: u64) {
    if numbers.len() == 10 {
        numbers.clear();
    }
    numbers.push(i);
    assert_eq!(numbers.len() as u64, i % 10 + 1);
}

#[highwater::test(steps = 100, state = async { 7 }.await)]
async fn a_state_may_be_async(number: &mut u64) {
    tokio::task::yield_now().await;
    assert_eq!(*number, 7);
}

/// A program that is no test runner looks at what became of its child.
fn child(test: &str, body: impl FnOnce() + Send) -> highwater::__private::Ended {
    let arguments = [test, "--exact", "--nocapture"].map(OsString::from);
    let child = highwater::__private::Child {
        name: format!("child of {test}"),
        arguments: arguments.to_vec(),
        time_limit: None,
        real_random: false,
    };
    child.run(body)
}

#[test]
fn a_program_can_look_at_what_became_of_its_child() {
    let test = "a_program_can_look_at_what_became_of_its_child";
    let ended = child(test, || print!("from the child"));
    assert_eq!(
        (ended.output.as_str(), ended.outcome),
        ("from the child", Ok(()))
    );
}

#[test]
fn a_program_is_told_of_a_panic() {
    let ended = child("a_program_is_told_of_a_panic", || {
        panic!("{} is too many", 7)
    });
    assert_eq!(ended.outcome, Err("7 is too many".to_owned()));
    assert!(ended.output.contains("panicked at"), "{}", ended.output);
}

#[test]
fn a_program_is_told_of_an_exit() {
    let ended = child("a_program_is_told_of_an_exit", || process::exit(4));
    let expected = "`child of a_program_is_told_of_an_exit` failed: the test's body called exit \
                    with code 4\n";
    assert_eq!(ended.outcome, Err(expected.to_owned()));
}
