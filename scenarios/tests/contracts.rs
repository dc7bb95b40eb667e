//! The service's other contracts hold, and the twin of each breaks it with a message that fits
//! the screen.

#![forbid(unsafe_code)]
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod sandbox;

use highwater_scenarios::CONTRACTS;
use regex::Regex;
use rstest::rstest;
use sandbox::Sandbox;

/// How much stack functions use is the compiler's choice.
fn without_frames(text: &str) -> String {
    let bytes = Regex::new(r"(stack|a step uses) +[\d,]+ B").expect("it is one");
    bytes.replace_all(text, "$1 [..] B").into_owned()
}

#[test]
fn all_hold() {
    let sandbox = Sandbox::new();
    let output = sandbox.run(&["contracts"]);
    insta::assert_snapshot!(without_frames(&sandbox.stdout(&output)));
    assert_eq!(sandbox.stderr(&output), "");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn the_leaky_twins_break_them() {
    let sandbox = Sandbox::new();
    let output = sandbox.run(&["contracts", "--leaky"]);
    insta::assert_snapshot!(without_frames(&sandbox.stdout(&output)));
    assert_eq!(sandbox.stderr(&output), "");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn each_message_fits_the_screen() {
    let sandbox = Sandbox::new();
    for contract in CONTRACTS {
        let output = sandbox.run(&["contracts", contract.id, "--leaky"]);
        let text = sandbox.stdout(&output);
        insta::assert_snapshot!(contract.id, without_frames(&text));
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.lines().count() <= 24, "{text}");
        assert!(
            text.lines().all(|line| line.chars().count() <= 80),
            "{text}"
        );
    }
}

#[rstest]
#[case("unknown-contract", &["tick"])]
#[case("steps-are-fixed", &["ticks", "--steps", "3"])]
fn bad_usage_is_refused(#[case] name: &str, #[case] arguments: &[&str]) {
    let sandbox = Sandbox::new();
    let output = sandbox.run(&[&["contracts"], arguments].concat());
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(sandbox.stdout(&output), "");
    insta::assert_snapshot!(name, sandbox.stderr(&output));
}
