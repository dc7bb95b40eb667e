//! What is printed beside the figures of the post-mortems.

#![forbid(unsafe_code)]

mod sandbox;

use sandbox::{Sandbox, json};
use serde_json::Value;

/// What is measured is the same on every run, but for times.
#[test]
fn findings_of_the_tail_watcher() {
    let sandbox = Sandbox::new();
    let output = sandbox.run(&["findings", "tail-watcher"]);
    assert_eq!(output.status.code(), Some(0), "{}", sandbox.stderr(&output));
    let found = sandbox.stdout(&output);
    let (figures, times) = found
        .split_once("tail-watcher: taking 1,000 lines")
        .expect("the table of times is the last");
    insta::assert_snapshot!("findings-tail-watcher", figures);
    assert_eq!(times.matches("varies from run to run").count(), 1);
    assert!(!sandbox.wrote_anything());
}

/// A line without the figure that differs from run to run.
fn without_resident(line: &str) -> &str {
    let figures = ["resident *", "C4.8 moved resident memory by"];
    let known = figures
        .into_iter()
        .find(|known| line.trim_start().starts_with(known));
    known.unwrap_or(line)
}

fn the_same_each_time(text: &str) -> String {
    text.lines()
        .map(without_resident)
        .map(|line| format!("{line}\n"))
        .collect()
}

#[test]
fn findings_of_the_aggregator() {
    let sandbox = Sandbox::new();
    let output = sandbox.run(&["findings", "aggregator"]);
    assert_eq!(output.status.code(), Some(0));
    let text = sandbox.stdout(&output);
    assert!(text.contains("\nresident * "), "{text}");
    insta::assert_snapshot!("findings-aggregator", the_same_each_time(&text));
}

/// What does not fit is left out or has lines of its own; no word is broken.
#[test]
fn no_table_is_wider_than_the_terminal() {
    let sandbox = Sandbox::new();
    let asked: [&[&str]; 3] = [
        &["run", "--leaky", "pattern-cycle", "tail-watcher"],
        &["list"],
        &["findings", "ml-collector", "open-interest"],
    ];
    for (asked, width) in asked
        .into_iter()
        .flat_map(|a| [80, 100, 200].map(|w| (a, w)))
    {
        let columns = width.to_string();
        let output = sandbox.run_with(asked, "COLUMNS", columns.as_ref());
        let text = sandbox.stdout(&output);
        assert!(!text.is_empty(), "{}", sandbox.stderr(&output));
        for line in text.lines().filter(|line| !line.contains("cargo run ")) {
            assert!(line.chars().count() <= width, "{asked:?}: {line}");
        }
    }
}

#[test]
fn hypotheses_are_tested() {
    let sandbox = Sandbox::new();
    let output = sandbox.run(&["hypotheses"]);
    assert_eq!(output.status.code(), Some(0));
    insta::assert_snapshot!("hypotheses", the_same_each_time(&sandbox.stdout(&output)));
    let output = sandbox.run(&["hypotheses", "C4.7", "C4.8", "--format", "json"]);
    assert_eq!(output.status.code(), Some(0));
    let register: Value = serde_json::from_slice(&output.stdout).expect("a JSON object");
    let tested = register["hypotheses"].as_array().expect("a list");
    let ids: Vec<_> = tested.iter().map(|one| &one["id"]).collect();
    assert_eq!(ids, ["C4.7", "C4.8"]);
    assert_eq!(
        (&tested[0]["valid"], &tested[0]["effect_bytes"]),
        (&false.into(), &0.into())
    );
    assert_eq!(
        (&tested[1]["valid"], &tested[1]["varies"]),
        (&true.into(), &true.into())
    );
    assert!(!sandbox.wrote_anything());
}

#[test]
fn findings_of_the_collector() {
    let sandbox = Sandbox::new();
    let exact = sandbox.run(&["findings", "ml-collector"]);
    assert_eq!(exact.status.code(), Some(0));
    insta::assert_snapshot!("findings-ml-collector", sandbox.stdout(&exact));

    let stop = json(&sandbox.run(&["findings", "stop-releases", "--format", "json"]));
    let rows = stop[0]["rows"].as_array().expect("rows");
    // Those of the process vary from run to run.
    let (vary, exact): (Vec<_>, Vec<_>) = rows
        .iter()
        .partition(|row| row[0].as_str().is_some_and(|name| name.ends_with('*')));
    assert_eq!(vary.len(), 3);
    let figures: Vec<_> = exact
        .iter()
        .map(|row| [&row[0], &row[1], &row[3]])
        .collect();
    assert_eq!(
        figures,
        [
            ["live before stop", "31.6 MB", "31.6 MB"],
            ["live after stop", "31.6 MB", "0 B"],
            ["released by stop", "12.5 KB", "31.6 MB"],
        ]
    );
}

#[test]
fn findings_of_the_market_data_store() {
    let sandbox = Sandbox::new();
    let output = sandbox.run(&[
        "findings",
        "ohlcv-store",
        "open-interest",
        "periodic-cleanup",
    ]);
    assert_eq!(output.status.code(), Some(0));
    insta::assert_snapshot!(sandbox.stdout(&output));
}
