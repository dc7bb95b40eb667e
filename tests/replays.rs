//! Call stacks for what does not fail, other steps than a scenario's own, and what the
//! report says of both.
//!
//! The functions that allocate are kept out of line, as in `sites.rs`.

#![forbid(unsafe_code)]
// Boxes are blocks of their own, which is what is to be told.
#![allow(clippy::vec_box)]

use highwater::{ByteSize, Report, Scenario};
use serde_json::Value;
use std::hint::black_box;
use std::process::Command;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

#[inline(never)]
fn boxed() -> Box<[u64; 4]> {
    black_box(Box::new([1; 4]))
}

/// Keeps up to fifty boxes, for a hundred steps.
fn fifty(name: &str) -> Scenario {
    Scenario::new(name).steps(100)
}

fn step(kept: &mut Vec<Box<[u64; 4]>>, i: u64) {
    kept.push(boxed());
    if i % 50 == 49 {
        kept.clear();
    }
}

fn run(scenario: &Scenario) -> Report {
    scenario.run(|| Vec::with_capacity(64), step)
}

fn json(report: &Report) -> Value {
    serde_json::from_str(&report.to_json()).expect("JSON")
}

fn of_boxes(sites: &[Value]) -> &Value {
    let of_boxes = |site: &&Value| site["frames"][0]["function"] == "replays::boxed";
    sites.iter().find(of_boxes).expect("a site")
}

#[test]
fn what_is_sound_can_be_asked_where_its_memory_comes_from() {
    assert!(run(&fifty("unasked")).diagnosis().is_none());
    let report = run(&fifty("asked").diagnose(true));
    assert!(!report.is_failure(), "{report}");
    let json = json(&report);
    let diagnosis = &json["diagnosis"];
    // In step 50, before the boxes are dropped.
    assert_eq!(diagnosis["peak_step"], 50);
    assert_eq!(diagnosis["trap"], Value::Null);
    let sites = diagnosis["sites"].as_array().expect("a list");
    let peak: i64 = sites
        .iter()
        .filter_map(|site| site["peak_bytes"].as_i64())
        .sum();
    assert_eq!(u64::try_from(peak), Ok(report.peak_bytes()));
    let boxes = of_boxes(sites);
    assert_eq!(boxes["total_blocks"], 100);
    assert_eq!(boxes["total_bytes"], 3_200);
    assert_eq!(boxes["peak_bytes"], 1_600);
    let text = json["explanation"].as_str().expect("a text");
    assert_eq!(text, report.explanation());
    assert!(
        text.starts_with("memory scenario `asked` passed\n"),
        "{text}"
    );
    assert!(
        text.contains("\nsites, by growth over 100 steps: "),
        "{text}"
    );
}

/// A second run that can't be finished tells nothing, and says why.
#[test]
fn a_second_run_that_panics_is_told() {
    let set_ups = std::cell::Cell::new(0);
    let report = Scenario::new("twice-only").steps(100).run(
        || {
            // The rehearsal, and the run.
            assert!(set_ups.replace(set_ups.get() + 1) < 2, "not a third time");
            Vec::new()
        },
        |kept, _| kept.push(boxed()),
    );
    assert!(report.verdict().is_growing() && report.diagnosis().is_none());
    let expected = "no call stacks: the second run, in which they are taken, panicked: memory \
                    scenario `twice-only`: set-up panicked: not a third time";
    assert_eq!(report.diagnosis_obstacle(), Some(expected));
    assert!(report.explanation().contains(expected));
}

#[test]
fn sums_are_of_the_requested_steps() {
    let report = fifty("kept").run(Vec::new, |kept, _| kept.push(boxed()));
    assert!(report.extended_steps() > 100, "{report}");
    let json = json(&report);
    let boxes = of_boxes(json["diagnosis"]["sites"].as_array().expect("a list"));
    for figure in [
        "total_blocks",
        "live_blocks",
        "growth_blocks",
        "peak_blocks",
    ] {
        assert_eq!(boxes[figure], 100, "{figure}");
    }
    assert_eq!(boxes["total_bytes"], 3_200);
}

#[test]
fn a_block_that_is_resized_counts_again() {
    let scenario = Scenario::new("resized").steps(1).diagnose(true);
    let report = scenario.run(
        || (),
        |(), _| {
            let mut list = Vec::with_capacity(10);
            list.push(1_u8);
            list.reserve_exact(40);
            drop(black_box(list));
        },
    );
    let json = json(&report);
    let sites = json["diagnosis"]["sites"].as_array().expect("a list");
    let sum = |figure: &str| -> u64 { sites.iter().filter_map(|site| site[figure].as_u64()).sum() };
    assert_eq!((sum("total_blocks"), sum("total_bytes")), (2, 10 + 41));
}

#[test]
fn the_report_has_the_allocation_that_passed_a_limit() {
    let scenario = Scenario::new("limited").stop_at(ByteSize::b(1_000));
    let json = json(&run(&scenario));
    let trap = &json["diagnosis"]["trap"];
    assert_eq!(trap["size_bytes"], 32);
    // A list of 64 boxes, and the sixteenth of them.
    assert_eq!(trap["live_bytes"], 64 * 8 + 16 * 32);
    assert_eq!(trap["frames"][0]["function"], "replays::boxed");
}

/// What the next test runs by itself.
#[test]
fn a_sound_scenario() {
    println!("{}", run(&fifty("sound")).explanation());
}

fn with(variable: &str, value: &str) -> String {
    let output = Command::new(std::env::current_exe().expect("it is there"))
        .args(["a_sound_scenario", "--exact", "--nocapture"])
        .env(variable, value)
        .output()
        .expect("it starts");
    let texts = [output.stdout, output.stderr];
    let texts = texts.map(|text| String::from_utf8_lossy(&text).into_owned());
    texts.concat()
}

#[test]
fn the_environment_asks_for_sites_and_steps() {
    let asked = with("HIGHWATER_SITES", "replay");
    assert!(
        asked.contains("\nsites, by growth over 100 steps: "),
        "{asked}"
    );
    let other = with("HIGHWATER_STEPS", "3000");
    assert!(other.contains("\n  steps       3,000"), "{other}");
    let own = with("HIGHWATER_STEPS", "");
    assert!(own.contains("\n  steps       100"), "{own}");
    for wrong in ["many", "-1", "1e3"] {
        let said = with("HIGHWATER_STEPS", wrong);
        let message = format!(
            "highwater: HIGHWATER_STEPS is {wrong:?}; it may be a number of steps, such as \
             10000\n"
        );
        assert!(said.contains(&message), "{said}");
        assert!(said.contains("panicked at tests/replays.rs:"), "{said}");
    }
}
