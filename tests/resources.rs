//! Leaks of threads and of tasks, and what is said of a figure that can't be measured.

#![forbid(unsafe_code)]

use highwater::{Ceiling, Report, Resource, Scenario};
use rstest::rstest;
use std::future::pending;
use std::hint::black_box;
use std::sync::mpsc;
use std::thread;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

#[track_caller]
fn resource(report: &Report, kind: Ceiling) -> &Resource {
    let resource = report.resources().iter().find(|known| known.kind() == kind);
    resource.unwrap_or_else(|| panic!("{kind} is not in the report\n{report}"))
}

/// A thread that waits until it is dropped.
struct Waiting(Option<(mpsc::Sender<()>, thread::JoinHandle<()>)>);

impl Waiting {
    fn start() -> Self {
        let (end, ended) = mpsc::channel();
        let (start, has_started) = mpsc::channel();
        let thread = thread::spawn(move || {
            let _ = start.send(());
            let _ = ended.recv();
        });
        has_started.recv().expect("it starts");
        Self(Some((end, thread)))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some((end, thread)) = self.0.take() {
            drop(end);
            thread.join().expect("it ends");
        }
    }
}

#[rstest]
fn threads(#[values(false, true)] leaky: bool) {
    let name = if leaky { "threads-leaky" } else { "threads" };
    let report = Scenario::new(name).steps(16).thread_ceiling(4).run(
        || Vec::with_capacity(300),
        |waiting, _| {
            let thread = Waiting::start();
            if leaky {
                waiting.push(thread);
            }
        },
    );
    let threads = resource(&report, Ceiling::Threads);
    let growth = if leaky { 16 } else { 0 };
    assert_eq!(threads.growth(), Some(growth), "{report}");
    assert_eq!(
        threads
            .verdict()
            .is_some_and(highwater::Verdict::is_growing),
        leaky,
        "{report}"
    );
    let breached: Vec<_> = report
        .breaches()
        .iter()
        .map(|breach| breach.ceiling)
        .collect();
    assert_eq!(breached.contains(&Ceiling::Threads), leaky);
}

/// A scenario inside another's step is never alone, and says so.
#[test]
fn what_could_not_be_measured_is_said() {
    let _outer = Scenario::new("outer").steps(1).run(
        || (),
        |(), _| {
            let inner = Scenario::new("inner")
                .steps(1)
                .descriptor_ceiling(0)
                .run(|| (), |(), _| ());
            let descriptors = resource(&inner, Ceiling::Descriptors);
            assert_eq!(descriptors.growth(), None);
            let line = "descriptors not measured: another scenario ran in this process";
            assert!(inner.to_string().contains(line), "{inner}");
        },
    );
}

/// Tasks that wait for ever; those of a leaky step are more each time.
fn tasks(leaky: bool) -> Report {
    let name = if leaky { "tasks-leaky" } else { "tasks" };
    let scenario = Scenario::new(name).steps(40).task_ceiling(20);
    let wait = async |i: u64| {
        let _kept = Box::new(i);
        pending::<()>().await;
    };
    scenario.run_async(
        async move || tokio::spawn(wait(0)),
        async move |_, i| {
            let task = tokio::spawn(wait(i));
            if !leaky {
                task.abort();
            }
        },
    )
}

#[test]
fn tasks_that_never_end_are_found() {
    let sound = tasks(false);
    sound.assert();
    let alive = resource(&sound, Ceiling::Tasks);
    assert_eq!((alive.growth(), alive.per_step()), (Some(0), Some(0.0)));
    let leaky = tasks(true);
    let alive = resource(&leaky, Ceiling::Tasks);
    assert_eq!((alive.growth(), alive.per_step()), (Some(40), Some(1.0)));
    let verdict = alive.verdict().expect("it was measured");
    assert!(verdict.is_growing(), "{leaky}");
    let breached = leaky.breaches().iter().map(|breach| breach.ceiling);
    assert_eq!(breached.collect::<Vec<_>>(), [Ceiling::Tasks]);
    let failures = leaky.failures();
    let of_tasks = failures.iter().filter(|text| text.starts_with("tasks"));
    insta::assert_snapshot!(of_tasks.cloned().collect::<Vec<_>>().join("\n"));
    // Where they are spawned is where their memory is allocated.
    let diagnosis = leaky.diagnosis().expect("call stacks, on Linux");
    let largest = diagnosis.sites().first().expect("it grows");
    let own = largest.frames().iter().find(|frame| !frame.is_dependency());
    let file = own.and_then(highwater::Frame::file);
    assert_eq!(file, Some("tests/resources.rs"), "{diagnosis}");
}

/// A scenario without a runtime has no tasks, and does not speak of them unless asked.
#[test]
fn tasks_of_a_scenario_that_is_not_async() {
    let scenario = Scenario::new("sync").steps(1);
    let report = scenario.run(|| (), |(), _| ());
    assert!(report.resources().is_empty(), "{report}");
    assert!(!report.to_json().contains("\"tasks\""), "{report}");
    let report = scenario.task_ceiling(0).run(|| (), |(), _| ());
    let tasks = resource(&report, Ceiling::Tasks);
    insta::assert_snapshot!(tasks.obstacle().expect("there are none"));
}

async fn waits(i: u64) {
    let message = [i; 100];
    tokio::task::yield_now().await;
    black_box(message);
}

/// The figure is the size of what the closure returns; of a box, that of the box.
#[test]
fn futures_have_the_size_that_the_compiler_gives_them() {
    let size = size_of_val(&waits(0)) as u64;
    assert!(size >= 800, "{size}");
    let scenario = Scenario::new("futures").steps(64);
    let plain = scenario.run_async(async || (), |(): &mut (), i| waits(i));
    assert_eq!(plain.future_bytes(), Some(size));
    let boxed = scenario.run_async(async || (), |(): &mut (), i| Box::pin(waits(i)));
    assert_eq!(boxed.future_bytes(), Some(8));
    let line = "  future      8 B\n";
    assert!(boxed.to_string().contains(line), "{boxed}");
    let awaited = scenario.run_async(async || (), async |(), i| waits(i).await);
    assert!(
        awaited.future_bytes() > Some(size),
        "with the closure's own"
    );
    let none = scenario.run(|| (), |(), i| drop(black_box(waits(i))));
    assert_eq!(none.future_bytes(), None);
    assert!(!none.to_string().contains("  future "), "{none}");
    let no_step = scenario.steps(0).future_ceiling(highwater::ByteSize::b(0));
    let no_step = no_step.run_async(async || (), |(): &mut (), i| waits(i));
    assert_eq!(
        (no_step.future_bytes(), no_step.breaches()),
        (None, &[][..])
    );
}

/// Below the attribute it is that of the function alone.
#[highwater::test(steps = 64, future = "1 KB", in_process)]
async fn the_future_of_a_function(i: u64) {
    waits(i).await;
}

#[highwater::test(steps = 64, future = "799 B", in_process)]
#[should_panic(expected = "future 8")]
async fn the_future_of_a_function_is_too_large(i: u64) {
    waits(i).await;
}
