//! The whole service over simulated hours, as its users run it, and through its deaths.

#![forbid(unsafe_code)]

mod sandbox;

use regex::Regex;
use rstest::rstest;
use sandbox::Sandbox;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// Without what changes from run to run: resident memory, processor time, and the spaces that
/// depend on their lengths.
fn without_figures(text: &str) -> String {
    let regex = |text| Regex::new(text).expect("it is one");
    let text = regex(r"[+-]?[\d.,]+ (%|(MB|kB|GB|B|ms)\b)").replace_all(text, "[..]");
    let text = regex("[▁-█]+").replace_all(&text, "[curve]");
    let text = regex("\n +").replace_all(&text, " ");
    let text = regex("(?m)^resident memory.*$").replace_all(&text, "resident memory [..]");
    regex("  +").replace_all(&text, "  ").into_owned()
}

#[test]
fn the_sound_service_is_bounded_and_says_what_a_short_soak_does_not_show() {
    let sandbox = Sandbox::new();
    let output = sandbox.run(&["soak", "--hours", "1"]);
    let text = sandbox.stdout(&output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert_eq!(sandbox.stderr(&output), "");
    insta::assert_snapshot!(without_figures(&text));
    let growing = text.lines().filter(|line| line.contains("growing"));
    assert_eq!(growing.count(), 0, "{text}");
}

/// Each defect is found, in the part that has it. That is the work of `ci/nightly.sh`; here the
/// next test has one.
#[rstest]
#[case("bots", "bots")]
#[case("sessions", "sessions")]
#[case("trades", "trades")]
#[case("market-data", "market data")]
#[case("collector", "collector")]
#[case("aggregator", "aggregator")]
#[case("tail-watcher", "tail watcher")]
#[ignore = "takes minutes"]
fn a_leak_is_found_in_its_part(#[case] part: &str, #[case] component: &str) {
    let sandbox = Sandbox::new();
    let output = sandbox.run(&["soak", "--leaky", part]);
    let text = sandbox.stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("alert: memory: growing by"), "{text}");
    assert!(
        text.contains(&format!("\nit is the {component}, where ")),
        "{text}"
    );
    let may_grow = [component, "the whole heap", "resident memory"];
    let mut growing = text.lines().filter(|line| line.contains("  growing  "));
    assert!(
        growing.all(|line| may_grow.iter().any(|name| line.starts_with(name))),
        "{text}"
    );
}

/// As many hours as the post-mortems asked for, and all criteria hold.
#[test]
#[ignore = "takes a minute"]
fn eight_hours_of_the_sound_service_hold_all_criteria() {
    let sandbox = Sandbox::new();
    let output = sandbox.run(&["soak"]);
    let text = sandbox.stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("no alerts"), "{text}");
}

/// A restart loses no trade, and where the limit was reached the projection was right.
#[test]
fn at_the_limit_the_service_is_restarted_and_goes_on() {
    let sandbox = Sandbox::new();
    let arguments = [
        "soak", "--hours", "2", "--leaky", "sessions", "--limit", "130 MB",
    ];
    let output = sandbox.run(&arguments);
    let text = sandbox.stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.contains("restarts: 2; 1,224,000 trades in the account, 0 lost"),
        "{text}"
    );
    let off =
        Regex::new(r"it\s+was\s+reached\s+after\s[^:]*:\s+([\d.]+) % off").expect("it is one");
    let off = off.captures(&text).unwrap_or_else(|| panic!("{text}"));
    let off: f64 = off[1].parse().expect("a number");
    assert!(off < 10.0, "{text}");
    let text = text.replace("\n  ", " ");
    assert!(text.contains("\nit is the sessions, where "), "{text}");
    let site = "are of `<Session>::example` at fixtures/src/session_store.rs:";
    assert!(text.contains(site), "{text}");
    assert!(text.contains("alert: heap: growing by"), "{text}");
}

/// The system gives no more memory, and the process dies. The next one has all trades.
#[test]
#[cfg(target_os = "linux")]
fn killed_by_its_limit_the_service_comes_back_with_every_trade() {
    let sandbox = Sandbox::new();
    let state = sandbox.path().join("state");
    fs::create_dir(&state).expect("a folder");
    let run = |kilobytes: &str, hours: &str| -> Output {
        let script = format!(
            "ulimit -v {kilobytes} && ulimit -c 0 && exec ./program soak --hours {hours} \
             --leaky sessions --state state"
        );
        let mut command = Command::new("sh");
        command.args(["-c", &script]).current_dir(sandbox.path());
        command.output().expect("there is a shell")
    };
    let mut recorded = 0;
    for _ in 0..2 {
        let output = run("200000", "8");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), None, "killed: {errors}");
        assert!(errors.contains("memory allocation of"), "{errors}");
        let now = newest_trade(&state);
        assert!(now > recorded, "{now} trades after {recorded}");
        recorded = now;
    }
    let output = run("unlimited", "1");
    let text = sandbox.stdout(&output);
    assert!(text.contains("trades in the account, 0 lost"), "{text}");
    let growth = text.lines().find(|line| line.starts_with("growth "));
    assert!(
        growth.is_some_and(|line| !line.contains("unknown")),
        "{text}"
    );
    assert_eq!(newest_trade(&state), recorded + 3_600 * 170);
}

/// The number of the newest trade that was written down.
fn newest_trade(state: &Path) -> u64 {
    let read = |name| fs::read_to_string(state.join(name)).expect("it is there");
    let account: Value = serde_json::from_str(&read("account.json")).expect("JSON");
    let journal = read("trades.jsonl");
    let last = journal.lines().last();
    let last = last.map(|line| serde_json::from_str(line).expect("a whole line"));
    let last: Option<Value> = last;
    let number = last
        .as_ref()
        .map_or(&account["trades"], |trade| &trade["id"]);
    number.as_u64().expect("a number")
}

/// A machine that is busy makes seconds late, and no criterion fails.
#[test]
#[ignore = "takes two and a quarter minutes"]
#[cfg(target_os = "linux")]
fn two_minutes_on_the_real_clock_hold_all_criteria_that_they_answer() {
    let sandbox = Sandbox::new();
    let output = sandbox.run(&["soak", "--real", "2m"]);
    let text = sandbox.stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    let expected = "20,520 messages of 59 symbols sent over 20 connections, 20,520 received, 0";
    assert!(text.replace("\n  ", " ").contains(expected), "{text}");
    assert!(text.contains("descriptors: "), "{text}");
    assert!(text.contains(" of 120 seconds"), "{text}");
}

/// A defect is found there, too, in the part that has it.
#[test]
#[ignore = "takes two and a quarter minutes"]
#[cfg(target_os = "linux")]
fn two_minutes_on_the_real_clock_find_a_leak_in_its_part() {
    let sandbox = Sandbox::new();
    let output = sandbox.run(&["soak", "--real", "2m", "--leaky", "aggregator"]);
    let text = sandbox.stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("missed: growth\n"), "{text}");
    assert!(text.contains("\nit is the aggregator, where "), "{text}");
}

#[rstest]
#[case("unknown-part", &["--leaky", "session"])]
#[case("no-hours", &["--hours", "0"])]
#[case("no-size", &["--limit", "6 apples"])]
#[case("real-too-short", &["--real", "59 s"])]
#[case("real-no-duration", &["--real", "ten minutes"])]
#[case("real-no-whole-seconds", &["--real", "90500ms"])]
#[case("real-and-hours", &["--real", "10m", "--hours", "2"])]
#[case("no-folder", &["--state", "nowhere"])]
fn bad_usage_is_refused(#[case] name: &str, #[case] arguments: &[&str]) {
    let sandbox = Sandbox::new();
    let output = sandbox.run(&[&["soak"], arguments].concat());
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(sandbox.stdout(&output), "");
    insta::assert_snapshot!(name, sandbox.stderr(&output));
}
