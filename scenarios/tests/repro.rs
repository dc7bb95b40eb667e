//! `repro`: what it prints and writes.

#![forbid(unsafe_code)]

mod sandbox;

use sandbox::Sandbox;
use serde_json::Value;
use std::fs;

/// The files that other programs open, as far as they are in their own formats.
#[test]
fn repro_writes_what_other_programs_open() {
    let sandbox = Sandbox::new();
    let id = "pattern-unbounded-list";
    let output = sandbox.run(&["repro", id, "--leaky", "--steps", "2000"]);
    assert_eq!(output.status.code(), Some(1), "{}", sandbox.stderr(&output));
    let printed = sandbox.stdout(&output);
    // Call stacks differ between debug and release.
    let (figures, rest) = printed.split_once("\nsites, by growth").expect("sites");
    let (sites, rest) = rest.split_once("\n\n").expect("an end of them");
    assert!(sites.starts_with(" over 2,000 steps: +98,304 B in all, all of it explained\n"));
    let rest: String = rest
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n")
        .collect();
    insta::assert_snapshot!("repro", format!("{figures}\n{rest}"));
    let directory = sandbox
        .path()
        .join(format!("target/highwater/repro/{id}@leaky"));
    let file = |name: &str| fs::read(directory.join(name)).expect("it was written");
    let dhat: Value = serde_json::from_slice(&file("dhat.json")).expect("JSON");
    assert_eq!(dhat["mode"], "rust-heap");
    assert_eq!(
        (&dhat["te"], &dhat["pps"][0]["eb"]),
        (&2_000.into(), &98_304.into())
    );
    assert_eq!(dhat["pps"][0]["gb"], 98_304);
    assert!(file("pprof.pb.gz").starts_with(&[0x1f, 0x8b]));
    let page = String::from_utf8(file("index.html")).expect("a text");
    assert!(
        page.starts_with("<!DOCTYPE html>") && page.contains("+98,304 B"),
        "{page}"
    );
}

#[test]
fn repro_of_what_is_sound_has_call_stacks_too() {
    let sandbox = Sandbox::new();
    let output = sandbox.run(&["repro", "trades-1k", "--steps", "200"]);
    assert_eq!(output.status.code(), Some(0), "{}", sandbox.stderr(&output));
    let printed = sandbox.stdout(&output);
    assert!(
        printed.starts_with("memory scenario `trades-1k` passed\n"),
        "{printed}"
    );
    assert!(
        printed.contains("\nsites, by growth over 200 steps: +1,775 B"),
        "{printed}"
    );
}

#[test]
fn repro_without_call_stacks_says_what_they_need() {
    let sandbox = Sandbox::new();
    let output = sandbox.run_with(&["repro", "trades-1k"], "HIGHWATER_SITES", "never".as_ref());
    assert_eq!(output.status.code(), Some(2));
    let printed = sandbox.stdout(&output);
    assert!(
        printed.starts_with("memory scenario `trades-1k` passed\n"),
        "{printed}"
    );
    let message = "error: the report of `trades-1k` has no call stacks: they are taken on Linux \
                   and macOS, with the feature `diagnosis` of highwater, which is on by default, \
                   and unless HIGHWATER_SITES is `never`\n";
    assert_eq!(sandbox.stderr(&output), message);
    assert!(!sandbox.path().join("target/highwater/repro").exists());
}
