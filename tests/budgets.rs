//! Runs that stop before their end, and what they say then.

#![forbid(unsafe_code)]

use highwater::{ByteSize, Ceiling, Scenario};
use std::env;
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

#[test]
fn a_step_that_passes_the_memory_budget_for_a_moment_is_the_last() {
    let report = Scenario::new("momentary")
        .steps(100)
        .memory_budget(ByteSize::kib(64))
        .run(
            || (),
            |(), i| {
                let size = if i == 40 { 80_000 } else { 1_000 };
                drop(std::hint::black_box(vec![0_u8; size]));
            },
        );
    assert_eq!(report.steps(), 41);
    assert_eq!(report.breaches()[0].ceiling, Ceiling::MemoryBudget);
    assert_eq!(report.breaches()[0].actual, 80_000);
}

/// The extension doubles a buffer at every step.
#[test]
fn an_extension_that_doubles_memory_at_every_step_is_stopped() {
    let report = Scenario::new("doubling")
        .steps(64)
        .memory_budget(ByteSize::mib(4))
        .run(Vec::new, |kept: &mut Vec<u8>, i| {
            let more = if i < 64 { 100 } else { kept.len() };
            kept.extend(std::iter::repeat_n(0, more));
        });
    assert_eq!(report.steps(), 64);
    assert!(report.extended_steps() < 80, "{report}");
    assert!(report.breaches().is_empty(), "{report}");
    assert!(
        report
            .to_string()
            .contains("stopped after 74 steps, when live memory had passed the budget of 4 MiB"),
        "{report}"
    );
    assert!(report.verdict().is_growing(), "{report}");
}

#[test]
fn allocations_above_twice_the_budget_fail() {
    let report = Scenario::new("refused")
        .steps(50)
        .memory_budget(ByteSize::mib(1))
        .run(Vec::new, |kept: &mut Vec<u8>, _| {
            assert!(kept.try_reserve(64 << 20).is_err());
            assert!(kept.try_reserve(1 << 10).is_ok());
            kept.clear();
        });
    report.assert();
    assert!(report.peak_bytes() < 2 << 20, "{report}");
}

const CHILD: &str = "HIGHWATER_TEST_RUNAWAY";

#[test]
fn a_step_that_does_not_stop_allocating_is_stopped_with_a_reason() {
    if env::var_os(CHILD).is_some() {
        let _ = Scenario::new("runaway")
            .steps(3)
            .memory_budget(ByteSize::mib(1))
            .run(Vec::new, |kept: &mut Vec<Vec<u8>>, _| {
                loop {
                    kept.push(vec![0; 10_000]);
                }
            });
        return;
    }
    let name = "a_step_that_does_not_stop_allocating_is_stopped_with_a_reason";
    let output = Command::new(env::current_exe().expect("the program's path"))
        .args([name, "--exact", "--nocapture"])
        .env(CHILD, "1")
        .output()
        .expect("it starts");
    assert!(!output.status.success());
    let printed = String::from_utf8_lossy(&output.stderr);
    let line = printed.lines().find(|line| line.starts_with("highwater: "));
    insta::assert_snapshot!(line.unwrap_or(&printed));
}

#[test]
fn when_the_time_is_up_the_verdict_is_the_one_so_far() {
    let report = Scenario::new("slow")
        .steps(100)
        .time_budget(Duration::ZERO)
        .run(Vec::new, |kept, i| kept.push(Box::new(i)));
    assert_eq!(report.extended_steps(), 101);
    assert!(report.verdict().is_growing());
    insta::assert_snapshot!(report);
}

#[test]
fn a_leak_that_could_not_be_detected_is_a_failure() {
    let report = Scenario::new("blind")
        .steps(1_000)
        .step_budget(2_000)
        .detect(ByteSize::b(8), 1_000)
        .run(|| vec![0_u64; 8], |ring, i| ring[(i % 8) as usize] = i);
    assert!(report.is_failure());
    insta::assert_snapshot!(
        report
            .explanation()
            .split("run it again")
            .next()
            .unwrap_or("")
    );
}

#[test]
fn a_panic_in_the_extension_ends_it_and_is_told() {
    let report = Scenario::new("runs-out")
        .steps(100)
        .run(Vec::new, |kept, i| {
            assert!(i < 700, "there are no more descriptors");
            kept.push(Box::new(i));
        });
    assert!(report.verdict().is_growing(), "{report}");
    assert!(
        report.to_string().contains(
            "the extension ended after 700 steps, when the next one panicked: \
         there are no more descriptors"
        ),
        "{report}"
    );
}

/// Leaves its name behind when it is dropped.
struct Session(String);
impl Drop for Session {
    fn drop(&mut self) {
        static KEPT: Mutex<Vec<String>> = Mutex::new(Vec::new());
        let mut kept = KEPT.lock().expect("no step panicked");
        kept.reserve_exact(16);
        kept.push(std::mem::take(&mut self.0));
    }
}

#[test]
fn what_is_left_once_is_told_from_what_is_left_each_time() {
    static FILLED_ONCE: Mutex<Vec<String>> = Mutex::new(Vec::new());

    let once = Scenario::new("left-once").steps(100).run(
        || (),
        |(), i| {
            let mut filled = FILLED_ONCE.lock().expect("no step panicked");
            if i >= 50 && filled.len() < 10 {
                filled.push(i.to_string());
            }
        },
    );
    assert!(once.residue_bytes() > 0, "{once}");
    assert_eq!(once.repetition().map(|each| each.residue_bytes), Some(0));

    let each = Scenario::new("left-each-time")
        .steps(100)
        .run(|| Session("x".repeat(1_000)), |_, _| ());
    let left = each.repetition().expect("it left something").residue_bytes;
    assert!((1_000..2_000).contains(&left), "{each}");
}
