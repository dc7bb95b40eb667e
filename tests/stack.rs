//! The stack that steps use: what is measured, and that it is the same in every run.

#![forbid(unsafe_code)]
#![cfg(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64"))]

use highwater::{ByteSize, Ceiling, Report, Scenario};
use std::hint::black_box;
use std::process::Command;
use std::sync::mpsc;
use std::thread;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

const FRAME: u64 = 4_096;

/// Needs a frame of more than 4,096 bytes for each level.
#[inline(never)]
fn descend(levels: u64) -> u64 {
    let frame = black_box([levels; 512]);
    match levels {
        0 | 1 => frame[0],
        _ => descend(levels - 1) + black_box(&frame)[1],
    }
}

fn down(levels: u64) {
    black_box(descend(levels));
}

/// A scenario that measures.
fn measuring(name: &str) -> Scenario {
    Scenario::new(name)
        .steps(100)
        .stack_ceiling(ByteSize::mib(2))
}

/// The figure lies within what so many levels need. A frame may have copies of the array.
#[track_caller]
fn assert_levels(report: &Report, levels: u64) {
    let bytes = report.stack_bytes().expect("it was measured");
    let most = levels * (FRAME * 4 + 512) + 16_384;
    assert!(
        (levels * FRAME..most).contains(&bytes),
        "{bytes} B\n{report}"
    );
}

/// Nor is what the harness itself needs between the steps.
#[test]
fn a_step_that_does_nothing_uses_nothing() {
    for steps in [1, 1_000] {
        let scenario = measuring("nothing").steps(steps).warm_up(10);
        let report = scenario.run(Vec::<u64>::new, |_, _| ());
        assert_eq!(report.stack_bytes(), Some(0), "{report}");
        assert!(
            report.to_string().contains("\n  stack       0 B  "),
            "{report}"
        );
    }
}

/// What was not measured is never a zero.
#[test]
fn of_no_step_nothing_is_known() {
    let report = measuring("no-step").steps(0).run(|| (), |(), _| ());
    assert_eq!(report.stack_bytes(), None, "{report}");
    assert!(!report.verdict().is_bounded(), "{report}");
}

#[test]
fn what_nobody_asked_for_is_absent() {
    let report = Scenario::new("not-asked").run(|| (), |(), _| ());
    assert_eq!(report.stack_bytes(), None);
    assert!(!report.to_string().contains("  stack "), "{report}");
    assert!(report.to_json().contains("\"stack_bytes\": null"));
}

#[test]
fn the_deepest_step_counts() {
    for levels in [1, 8, 64] {
        let report = measuring("levels").run(
            || (),
            |(), i| {
                down(if i == 40 { levels } else { 1 });
            },
        );
        assert_levels(&report, levels);
    }
}

/// Set-up, drop, and the steps of the extension do not.
#[test]
fn only_warm_up_and_requested_steps_count() {
    struct Deep;
    impl Drop for Deep {
        fn drop(&mut self) {
            down(60);
        }
    }
    let run = |deep_from: u64| {
        let scenario = measuring("parts").steps(64).warm_up(4);
        scenario.run(
            || {
                down(60);
                Deep
            },
            |_, i| {
                down(if i >= deep_from { 30 } else { 2 });
            },
        )
    };
    assert_levels(&run(68), 2);
    assert_levels(&run(67), 30);
    let warm_up = measuring("parts").steps(64).warm_up(4);
    let warm_up = warm_up.run(
        || (),
        |(), i| {
            down(if i == 0 { 30 } else { 2 });
        },
    );
    assert_levels(&warm_up, 30);
}

/// Threads that a step starts count, whether they end or go on.
#[test]
fn a_thread_that_is_deeper_than_its_step() {
    let ends = measuring("ends").run(
        || (),
        |(), i| {
            let levels = if i == 70 { 50 } else { 1 };
            let thread = thread::spawn(move || descend(levels));
            black_box(thread.join().expect("it returns"));
        },
    );
    assert_levels(&ends, 50);
    let goes_on = measuring("goes-on").steps(20);
    let goes_on = goes_on
        .accept_residue("threads")
        .run(Vec::new, |threads, i| {
            let (order, orders) = mpsc::channel::<()>();
            let (done, is_done) = mpsc::channel();
            let thread = thread::spawn(move || {
                done.send(descend(if i == 7 { 50 } else { 1 }))
                    .expect("heard");
                let _ = orders.recv();
            });
            is_done.recv().expect("it does it");
            threads.push((order, thread));
        });
    assert_levels(&goes_on, 50);
    let panics = measuring("panics").run(
        || (),
        |(), _| {
            let thread = thread::spawn(|| {
                down(50);
                std::panic::resume_unwind(Box::new(()));
            });
            assert!(thread.join().is_err());
        },
    );
    assert_levels(&panics, 50);
}

/// A thread from before the steps, and one outside of the scenario, are not theirs.
#[test]
fn threads_that_steps_did_not_start() {
    let (order, orders) = mpsc::channel::<u64>();
    let outside = thread::spawn(move || orders.iter().map(descend).sum::<u64>());
    let report = measuring("outside").run(
        || thread::spawn(|| black_box(descend(50))),
        |_, _| order.send(50).expect("it listens"),
    );
    drop(order);
    black_box(outside.join().expect("it returns"));
    assert!(report.stack_bytes() < Some(8_192), "{report}");
}

#[test]
fn steps_that_are_async() {
    let report = measuring("async").run_async(
        async || (),
        async |(), i| {
            tokio::task::yield_now().await;
            down(if i == 40 { 30 } else { 1 });
        },
    );
    assert_levels(&report, 30);
}

fn breached() -> Report {
    let scenario = Scenario::new("stack-breached").steps(64);
    let scenario = scenario.stack_ceiling(ByteSize::kib(16));
    scenario.run(
        || (),
        |(), _| {
            down(8);
        },
    )
}

#[test]
fn a_ceiling_that_is_passed() {
    let report = breached();
    let breaches: Vec<_> = report.breaches().iter().map(|b| b.ceiling).collect();
    assert_eq!(breaches, [Ceiling::Stack]);
    let bytes = report.stack_bytes().expect("it was measured");
    let number = |n: u64| format!("{},{:03} B", n / 1_000, n % 1_000);
    let told = format!("{}\n\n{report}", report.failures().join("\n"));
    let told = told
        .replace(&number(bytes), "[BYTES]")
        .replace(&number(bytes - 16_384), "[EXCESS]");
    let lines = told.lines().filter(|line| !line.starts_with("  coverage"));
    insta::assert_snapshot!(lines.take(10).collect::<Vec<_>>().join("\n"));
    let own = Scenario::new("equal")
        .steps(64)
        .stack_ceiling(ByteSize::b(bytes));
    own.run(
        || (),
        |(), _| {
            down(8);
        },
    )
    .assert();
}

/// A panic unwinds as ever, and the thread's stack is nobody's then.
#[test]
fn a_step_that_panics() {
    let caught = std::panic::catch_unwind(|| {
        measuring("panics").run(|| (), |(), i| assert!(i < 7, "the price is negative"))
    });
    let text = caught.expect_err("it panics").downcast::<String>();
    let text = text.expect("a text");
    assert_eq!(
        *text,
        "memory scenario `panics`: step 7 panicked: the price is negative"
    );
    assert_levels(&measuring("after").run(|| (), |(), _| down(3)), 3);
}

/// Where it can't be measured the verdict is open, and says why.
#[test]
fn what_could_not_be_measured_is_said() {
    let too_small = thread::Builder::new().stack_size(96 << 10);
    let too_small = too_small.spawn(|| measuring("small").run(|| (), |(), _| ()));
    let too_small = too_small.expect("a thread").join().expect("it returns");
    let of_level = [1, 2].map(|levels| {
        let report = measuring("level").run(|| (), |(), _| down(levels));
        report.stack_bytes().expect("it was measured")
    });
    // Some more than is painted.
    let levels = (9 << 20) / (of_level[1] - of_level[0]);
    let large = thread::Builder::new().stack_size(16 << 20).spawn(move || {
        measuring("large").stack_ceiling(ByteSize::mib(32)).run(
            || (),
            |(), _| {
                down(levels);
            },
        )
    });
    let large = large.expect("a thread").join().expect("it returns");
    let mut told = Vec::new();
    for report in [too_small, large] {
        assert!(report.is_failure(), "{report}");
        let text = report.to_string();
        told.extend(report.failures());
        let line = text.lines().find(|line| line.starts_with("  stack "));
        let line = line.expect("a line");
        // Where a step's frame begins is the compiler's to say.
        let bytes = line
            .split_once("at least 8,38")
            .map(|(_, rest)| rest.split(' ').next());
        let bytes = bytes.flatten().unwrap_or("[BYTES]");
        told.push(line.replace(bytes, "[BYTES]"));
    }
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn a_scenario_in_a_measured_step() {
    let outer = measuring("outer")
        .steps(1)
        .step_budget(1)
        .accept_inconclusive("one step");
    let outer = outer.run(
        || (),
        |(), _| {
            let inner = measuring("inner").run(|| (), |(), _| down(20));
            // The rehearsal of the outer one is not measured.
            assert!(inner.stack_bytes().is_none() || inner.stack_bytes() >= Some(20 * FRAME));
        },
    );
    assert_levels(&outer, 20);
}

/// What the test below runs in processes of their own.
#[test]
#[ignore = "prints what another test compares"]
fn figures() {
    let mixed = measuring("mixed").run(Vec::new, |numbers: &mut Vec<u64>, i| {
        numbers.push(descend(i % 5));
        let thread = thread::spawn(move || descend(i % 3).to_string());
        let text = thread.join().expect("it returns");
        let map: std::collections::HashMap<_, _> = [(i, text)].into();
        black_box(map);
        numbers.truncate(10);
    });
    let own = measuring("own").run(|| (), |(), i| drop(black_box(format!("{i:?}"))));
    println!("figures: {:?} {:?}", mixed.stack_bytes(), own.stack_bytes());
}

#[test]
fn the_figure_is_the_same_in_every_process() {
    let program = std::env::current_exe().expect("this program");
    let told = |run: usize| {
        let mut command = Command::new(&program);
        command.args(["figures", "--exact", "--ignored", "--nocapture"]);
        // The environment lies above the main thread's stack.
        command.env("SOME_VARIABLE", "x".repeat(run * 97));
        let output = command.output().expect("it starts");
        let text = String::from_utf8(output.stdout).expect("text");
        let line = text.lines().find(|line| line.starts_with("figures: Some"));
        line.unwrap_or_else(|| panic!("{text}")).to_owned()
    };
    let first = told(0);
    for run in 1..8 {
        assert_eq!(told(run), first);
    }
}

/// The second run, in which call stacks are taken, measures as well.
#[highwater::test]
#[should_panic(expected = "ceiling passed in `both`: growth 48 B, ceiling 8 B; stack ")]
fn a_failed_scenario_that_is_run_again() {
    let scenario = Scenario::new("both")
        .steps(64)
        .growth_ceiling(ByteSize::b(8));
    let report = scenario
        .stack_ceiling(ByteSize::kib(4))
        .run(Vec::new, |kept, i| {
            if i < 2 {
                kept.push(black_box(Box::new(descend(8))));
            }
        });
    assert_levels(&report, 8);
    let other = measuring("other").run(|| (), |(), _| down(3));
    assert_levels(&other, 3);
    other.assert();
    report.assert();
}

#[highwater::test(steps = 100, stack = "256 KiB")]
fn the_attribute_sets_a_ceiling(i: u64) {
    down(i % 4);
}

#[highwater::test(steps = 100, stack = "8 KiB")]
#[should_panic(expected = "ceiling passed in `the_attributes_ceiling_is_passed`: stack ")]
fn the_attributes_ceiling_is_passed(i: u64) {
    down(i % 8);
}
