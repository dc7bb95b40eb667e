//! Every failure message, as its reader sees it.
//!
//! What is allocated only to be dropped or forgotten goes through `black_box`:
//! an optimised build would leave the allocation out.

#![forbid(unsafe_code)]

use highwater::{ByteSize, Report, Scenario};
use rstest::rstest;
use std::cell::Cell;
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

/// A message without its sites, which differ between debug and release, and have tests
/// of their own.
fn without_sites(message: &str) -> String {
    let Some((before, sites)) = message.split_once("\nsites, by ") else {
        return message.to_owned();
    };
    let after = sites.split_once("\n\n").map_or("", |(_, after)| after);
    format!("{before}\n{after}")
}

/// The text of the panic that `work` ends with.
fn message_of<T>(work: impl FnOnce() -> T) -> String {
    let payload = catch_unwind(AssertUnwindSafe(work)).err();
    let payload = payload.expect("it must fail");
    let text = payload.downcast_ref::<String>().cloned();
    let text = text.or_else(|| Some((*payload.downcast_ref::<&str>()?).to_owned()));
    without_sites(&text.expect("the panic carries text"))
}

/// The message of a failed assertion and, below it, its long form: without the command to run
/// it again, which depends on who runs the test.
fn failure(report: &Report) -> String {
    let short = message_of(|| report.assert());
    let long = without_sites(&report.explanation());
    let (long, command) = long.split_once("\nrun it again: ").expect("it says how");
    assert!(
        command.starts_with("cargo test -p highwater-tests "),
        "{command}"
    );
    assert!(short.contains(command.trim_end()), "{short}");
    // Sites and what could not be told of them have tests of their own.
    let (reasons, _) = short.split_once("\n\n").expect("more follows");
    let is_kept = |paragraph: &&str| {
        let starts = ["  growth ", "  also "];
        starts.iter().any(|start| paragraph.starts_with(start))
    };
    let paragraphs = short.split("\n\n").filter(is_kept);
    let told = |paragraph: &str| {
        let (told, _) = paragraph
            .split_once("\n  types are not known")
            .unwrap_or((paragraph, ""));
        told.to_owned()
    };
    let figures: Vec<_> = paragraphs.map(told).collect();
    let figures = figures.join("\n\n");
    format!("{reasons}\n\n{figures}\n\n----\n\n{long}")
}

/// A vector is set up with `before` bytes; its room is `after` from step 5 on.
fn stepping(name: &str, before: usize, after: usize) -> impl Fn(Scenario) -> Report {
    let name = name.to_owned();
    move |scenario| {
        assert!(!name.is_empty());
        scenario.steps(64).run(
            || Vec::<u8>::with_capacity(before),
            |bytes, i| {
                if i == 5 {
                    *bytes = Vec::with_capacity(after);
                }
            },
        )
    }
}

#[test]
fn growth_breached() {
    let report = stepping("growth", 1_000, 3_000)(
        Scenario::new("growth-breached").growth_ceiling(ByteSize::b(1_999)),
    );
    insta::assert_snapshot!(failure(&report));
}

#[test]
fn live_blocks_breached() {
    let report = Scenario::new("live-blocks-breached")
        .steps(64)
        .live_blocks_ceiling(9)
        .run(|| vec![Box::new(0_u64); 9], |_, _| ());
    // The list is one more.
    assert_eq!(report.live_blocks(), 10);
    insta::assert_snapshot!(failure(&report));
}

#[test]
fn step_ceilings_breached() {
    let scenario = Scenario::new("steps-breached").steps(64).warm_up(6);
    let scenario = scenario.step_blocks_ceiling(1);
    let scenario = scenario.step_bytes_ceiling(ByteSize::b(105));
    let report = scenario.run(
        || black_box(vec![0_u8; 9_000]),
        |_, i| {
            black_box([vec![0_u8; 100], Vec::with_capacity((i % 10 == 0).into())]);
        },
    );
    // In one step of ten a second one.
    assert_eq!((report.step_blocks(), report.step_bytes()), (64 + 6, 6_406));
    let breached = report.breaches().iter();
    let breached: Vec<_> = breached
        .map(|breach| (breach.limit, breach.actual))
        .collect();
    assert_eq!(
        breached,
        [(1, 2)],
        "the average is rounded up, and equal passes"
    );
    insta::assert_snapshot!(failure(&report));
}

#[test]
fn what_a_step_allocates_is_within_its_ceilings() {
    let scenario = Scenario::new("steps-within").steps(64).warm_up(1);
    let scenario = scenario.step_blocks_ceiling(1);
    let scenario = scenario.step_bytes_ceiling(ByteSize::b(100));
    let report = scenario.run(
        || black_box(vec![0_u8; 9_000]),
        |_, i| drop(black_box(vec![0_u8; if i == 0 { 500 } else { 100 }])),
    );
    report.assert();
    insta::assert_snapshot!(without_sites(&report.explanation()));
}

#[test]
fn peak_breached() {
    let report = stepping("peak", 1_000, 3_000)(
        Scenario::new("peak-breached").peak_ceiling(ByteSize::kb(2)),
    );
    insta::assert_snapshot!(failure(&report));
}

#[test]
fn future_breached() {
    let scenario = Scenario::new("future-breached").steps(64);
    let scenario = scenario.future_ceiling(ByteSize::b(512));
    let report = scenario.run_async(
        async || (),
        async |(), i| {
            let message = [i; 100];
            tokio::task::yield_now().await;
            black_box(message);
        },
    );
    let short = message_of(|| report.assert());
    let text = report.to_string();
    let line = text.lines().find(|line| line.starts_with("  future "));
    let told = [short.lines().next(), line];
    let told: Vec<_> = told
        .into_iter()
        .flatten()
        .chain(text.lines().take(1))
        .collect();
    let failures = report.failures();
    insta::assert_snapshot!(format!("{}\n\n{}", failures.join("\n"), told.join("\n")));
}

#[test]
fn a_ceiling_on_futures_where_there_are_none() {
    let scenario = Scenario::new("not-async").future_ceiling(ByteSize::kib(4));
    let message = message_of(|| scenario.run(|| (), |(), _| ()));
    insta::assert_snapshot!(message);
}

#[test]
fn residue_breached() {
    let report = Scenario::new("residue-breached")
        .steps(64)
        .residue_ceiling(ByteSize::b(0))
        .run(
            || {
                std::mem::forget(black_box(vec![0_u8; 500]));
            },
            |(), _| (),
        );
    insta::assert_snapshot!(failure(&report));
}

#[test]
fn growing() {
    let report = Scenario::new("growing")
        .variant("leaky")
        .steps(100)
        .run(Vec::new, |kept, i| kept.push(Box::new(i)));
    assert!(report.breaches().is_empty());
    insta::assert_snapshot!(failure(&report));
}

#[test]
fn everything_at_once() {
    let report = Scenario::new("everything")
        .steps(100)
        .warm_up(10)
        .growth_ceiling(ByteSize::b(0))
        .peak_ceiling(ByteSize::kib(1))
        .residue_ceiling(ByteSize::b(0))
        .run(|| (), |(), i| std::mem::forget(black_box(Box::new(i))));
    insta::assert_snapshot!(failure(&report));
}

#[test]
fn memory_budget_passed_in_the_requested_steps() {
    let report = Scenario::new("too-much")
        .steps(1_000)
        .memory_budget(ByteSize::kb(100))
        .run(Vec::new, |kept, _| kept.push(vec![0_u8; 1_000]));
    insta::assert_snapshot!(failure(&report));
}

#[test]
fn memory_budget_passed_in_the_extension() {
    let report = Scenario::new("much")
        .steps(64)
        .memory_budget(ByteSize::kb(100))
        .run(Vec::new, |kept, _| kept.push(vec![0_u8; 1_000]));
    assert_eq!(report.breaches(), []);
    insta::assert_snapshot!(failure(&report));
}

#[rstest]
#[case::above(2_001, true)]
#[case::equal(2_000, true)]
#[case::below(1_999, false)]
fn ceilings_are_inclusive(#[case] ceiling: u64, #[case] passes: bool) {
    let report = stepping("inclusive", 1_000, 3_000)(
        Scenario::new("inclusive").growth_ceiling(ByteSize::b(ceiling)),
    );
    assert_eq!(report.growth_bytes(), 2_000);
    assert_eq!(!report.is_failure(), passes);
    let peak = stepping("inclusive", 1_000, 3_000)(
        Scenario::new("inclusive").peak_ceiling(ByteSize::b(ceiling + 2_000)),
    );
    assert_eq!(peak.peak_bytes(), 4_000);
    assert_eq!(!peak.is_failure(), passes);
}

#[test]
fn a_ceiling_of_zero_passes_what_does_not_allocate() {
    let idle = Scenario::new("idle")
        .steps(64)
        .growth_ceiling(ByteSize::b(0))
        .peak_ceiling(ByteSize::b(0))
        .residue_ceiling(ByteSize::b(0));
    idle.run(|| (), |(), _| ()).assert();
    let busy = idle.run(|| (), |(), i| drop(black_box(Box::new(i))));
    let breached: Vec<_> = busy.breaches().iter().map(|b| b.ceiling.name()).collect();
    assert_eq!(breached, ["peak"]);
}

#[test]
fn no_steps() {
    let report = Scenario::new("no-steps")
        .steps(0)
        .run(|| vec![0_u8; 100], |_, _| unreachable!("no step is run"));
    assert!(report.is_failure(), "nothing was judged");
    insta::assert_snapshot!(report);
}

#[test]
fn few_steps() {
    let report = Scenario::new("few-steps")
        .steps(1)
        .step_budget(1)
        .run(|| (), |(), _| ());
    insta::assert_snapshot!(failure(&report));
}

/// What is inconclusive, or is left each time, passes for a reason, which is printed.
#[test]
fn what_is_accepted_says_why() {
    let report = Scenario::new("accepted")
        .steps(2)
        .step_budget(2)
        .accept_inconclusive("two steps tell nothing")
        .accept_residue("the broker keeps one letter for each client, see #12")
        .run(
            || (),
            |(), _| std::mem::forget(black_box(Box::new([0_u8; 10]))),
        );
    assert!(!report.is_failure(), "{report}");
    assert_eq!(report.accepted().len(), 2);
    insta::assert_snapshot!(report);
    let nothing = message_of(|| Scenario::new("x").accept_inconclusive(" "));
    insta::assert_snapshot!(nothing, @"highwater: what is accepted needs a reason");
}

/// What is left after each drop is a leak without a ceiling. What a static keeps once is
/// none.
#[test]
fn what_is_left_each_time_fails() {
    let report = Scenario::new("left-each-time").steps(64).run(
        || std::mem::forget(black_box(vec![0_u8; 1_000])),
        |(), _| (),
    );
    assert!(report.verdict().is_bounded(), "{report}");
    assert_eq!(
        report.repetition().map(|again| again.residue_bytes),
        Some(1_000)
    );
    insta::assert_snapshot!(failure(&report));
}

/// The budget holds from set-up on.
#[rstest]
#[case::set_up(100_000, 10, 10, 0)]
#[case::warm_up(10, 100_000, 10, 0)]
#[case::steps(10, 10, 100_000, 1)]
fn the_memory_budget_holds_everywhere(
    #[case] set_up: usize,
    #[case] warm_up: usize,
    #[case] step: usize,
    #[case] steps: u64,
) {
    let name = format!("budget-{set_up}-{warm_up}-{step}");
    let report = Scenario::new(name)
        .steps(64)
        .warm_up(5)
        .memory_budget(ByteSize::kib(64))
        .run(
            || drop(black_box(vec![0_u8; set_up])),
            |(), i| drop(black_box(vec![0_u8; if i < 5 { warm_up } else { step }])),
        );
    let breach = report.breaches().first().expect("it is breached");
    assert_eq!(breach.ceiling.name(), "memory budget");
    assert_eq!(breach.actual, 100_000);
    assert_eq!(report.steps(), steps);
}

#[test]
fn shrinking() {
    let report = Scenario::new("shrinking")
        .steps(64)
        .run(|| vec![vec![0_u8; 10]; 64], |kept, _| drop(kept.pop()));
    assert_eq!(report.growth_bytes(), -640);
    insta::assert_snapshot!(report);
}

#[test]
fn a_step_panics() {
    let message = message_of(|| {
        Scenario::new("fragile")
            .variant("leaky")
            .steps(5_000)
            .run(|| (), |(), i| assert!(i != 1_234, "the price is negative"))
    });
    insta::assert_snapshot!(message, @"memory scenario `fragile (leaky)`: step 1,234 panicked: the price is negative");
}

#[test]
fn set_up_panics() {
    let rehearsed = Cell::new(false);
    let message = message_of(|| {
        Scenario::new("fragile").run(
            || assert!(!rehearsed.replace(true), "the port is taken"),
            |(), _| (),
        )
    });
    insta::assert_snapshot!(message, @"memory scenario `fragile`: set-up panicked: the port is taken");
}

#[test]
fn the_rehearsal_panics() {
    let message = message_of(|| Scenario::new("fragile").run(|| panic!("no"), |(), _| ()));
    insta::assert_snapshot!(message, @"memory scenario `fragile`: the rehearsal (set-up, step 0 and drop) panicked: no");
}

#[test]
fn dropping_the_state_panics() {
    struct Fragile(bool);
    impl Drop for Fragile {
        fn drop(&mut self) {
            assert!(!self.0, "still open");
        }
    }
    let message = message_of(|| {
        Scenario::new("fragile").run(|| Fragile(false), |state, i| state.0 = i == 999)
    });
    insta::assert_snapshot!(message, @"memory scenario `fragile`: dropping the state panicked: still open");
}

#[test]
fn the_extension_panics() {
    let report = Scenario::new("runs-dry")
        .steps(100)
        .run(Vec::new, |kept, i| {
            assert!(i < 1_000, "no descriptors left");
            kept.push(Box::new(i));
        });
    insta::assert_snapshot!(failure(&report));
}

#[test]
fn a_scenario_without_a_name() {
    insta::assert_snapshot!(message_of(|| Scenario::new("")), @"highwater: a scenario needs a name");
}

#[test]
fn first_use_is_not_charged() {
    use std::sync::LazyLock;
    static TABLE: LazyLock<Vec<u8>> = LazyLock::new(|| vec![0; 100_000]);
    let report = Scenario::new("first-use")
        .steps(64)
        .run(|| (), |(), i| assert!(TABLE.len() as u64 > i));
    assert_eq!((report.growth_bytes(), report.peak_bytes()), (0, 0));
    assert_eq!(report.residue_bytes(), 0);
}

#[test]
fn warm_up_is_not_growth() {
    let fill = |cache: &mut Vec<u64>, i: u64| {
        if i < 100 {
            cache.push(i);
        }
    };
    let cold = Scenario::new("cold").steps(200).run(Vec::new, fill);
    let warm = Scenario::new("warm")
        .steps(200)
        .warm_up(100)
        .run(Vec::new, fill);
    assert_eq!(cold.growth_bytes(), 128 * 8);
    assert_eq!(warm.growth_bytes(), 0);
    assert_eq!(warm.peak_bytes(), cold.peak_bytes());
}

#[test]
fn a_passing_report_explains_itself_too() {
    let report = Scenario::new("fine")
        .steps(64)
        .growth_ceiling(ByteSize::mib(1))
        .run(String::new, |text, i| *text = format!("{i:03}"));
    insta::assert_snapshot!(without_sites(&report.explanation()));
}

#[test]
fn the_json_of_a_report() {
    let scenario = Scenario::new("as \"json\"")
        .variant("leaky")
        .steps(64)
        .step_budget(128)
        .peak_ceiling(ByteSize::b(100));
    let report = scenario.run(Vec::new, |kept, i| kept.push(Box::new(i)));
    let line = line!() - 1;
    // The line in which debug and release differ, and that which moves with this test.
    let json = report
        .to_json()
        .replace("\"release\"", "\"debug\"")
        .replace(&format!("\"line\": {line}}}"), "\"line\": [LINE]}");
    let (json, _) = json.split_once("\n  \"diagnosis\": {").expect("sites");
    // What was seen elsewhere is another test's.
    let lines = json
        .lines()
        .map(|line| match line.split_once("\"coverage\": ") {
            Some((indent, coverage)) => {
                assert!(coverage.starts_with("{\"process\": \"shared\", \"threads\": 1, "));
                format!("{indent}\"coverage\": [COVERAGE],")
            }
            None => line.to_owned(),
        });
    let json = lines.collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!(json);
    let written = std::fs::read_to_string(report.json_path()).expect("it was written");
    assert_eq!(written, report.to_json() + "\n");
}
