//! Scenarios without a state: what is said where nothing outlives a step, and async code in
//! which no scenario can be run.

#![forbid(unsafe_code)]

use highwater::{Report, Scenario};
use rstest::rstest;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

thread_local! {
    /// A cache that the program has, of the last eight numbers.
    static CACHE: RefCell<VecDeque<Box<u64>>> = const { RefCell::new(VecDeque::new()) };
}

/// The step makes what it works on, and throws it away.
fn sessions(i: u64) {
    drop(black_box(vec![Box::new(i)]));
}

fn cache(i: u64) {
    CACHE.with_borrow_mut(|cache| {
        if cache.len() == 8 {
            cache.pop_front();
        }
        cache.push_back(Box::new(i));
    });
}

fn scenario(name: &str) -> Scenario {
    Scenario::new(name).steps(200)
}

#[test]
fn steps_that_leave_nothing_are_told_so() {
    let report = scenario("throws-away").run(|| (), |(), i| sessions(i));
    report.assert();
    insta::assert_snapshot!(report);
    let note = report.note().expect("it stands in the text");
    assert!(
        report
            .to_json()
            .contains("\n  \"note\": \"nothing outlives")
    );
    let report = scenario("throws-away-async").run_async(async || (), async |(), i| sessions(i));
    report.assert();
    assert_eq!(report.note(), Some(note));
}

#[highwater::test]
fn in_a_process_of_its_own_they_are_told_so_too() {
    let report = scenario("throws-away-alone").run(|| (), |(), i| sessions(i));
    assert!(report.coverage().is_own_process(), "{report}");
    assert!(report.note().is_some(), "{report}");
}

#[rstest]
#[case::a_state(scenario("state").run(Vec::new, |last, i| *last = vec![i]))]
#[case::a_state_that_stays_empty(scenario("empty").run(String::new, |_, i| sessions(i)))]
#[case::a_static(scenario("static").run(|| (), |(), i| cache(i)))]
#[case::a_static_filled_in_the_warm_up(
    scenario("warm").warm_up(100).run(|| (), |(), i| cache(i))
)]
#[case::a_static_of_async_steps(
    scenario("async").warm_up(100).run_async(async || (), async |(), i| cache(i))
)]
#[case::no_allocations(scenario("idle").run(|| (), |(), _| ()))]
#[case::a_leak(scenario("leak").run(|| (), |(), i| std::mem::forget(Box::new(i))))]
#[case::no_steps(scenario("none").steps(0).run(|| (), |(), i| sessions(i)))]
fn others_are_not(#[case] report: Report) {
    assert_eq!(report.note(), None, "{report}");
}

/// The text of the panic that `work` ends with.
fn message_of<T>(work: impl FnOnce() -> T) -> String {
    let payload = catch_unwind(AssertUnwindSafe(work)).err();
    let payload = payload.expect("it must fail");
    let text = payload.downcast_ref::<String>().cloned();
    text.expect("the panic carries text")
}

fn run_async() -> Report {
    scenario("orders").run_async(async || (), async |(), i| sessions(i))
}

#[tokio::test]
async fn a_scenario_in_async_code_is_told_where_to_go() {
    insta::assert_snapshot!(message_of(run_async));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_scenario_in_a_task_is_told_where_to_go() {
    highwater_tests::in_its_own_process!();
    let message = tokio::spawn(async { message_of(run_async) });
    let message = message.await.expect("it ends");
    assert!(message.contains("makes a runtime of its own"), "{message}");
    // Blocking work may run another runtime.
    let blocking = tokio::task::spawn_blocking(|| run_async().is_failure());
    assert!(!blocking.await.expect("it ends"));
    let in_place = tokio::task::block_in_place(|| run_async().is_failure());
    assert!(!in_place);
}

#[test]
fn a_runtime_that_is_only_at_hand_is_no_obstacle() {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.expect("a runtime without drivers");
    let _inside = runtime.enter();
    run_async().assert();
}
