//! Leaks of threads, and what is said of a figure that can't be measured.

#![forbid(unsafe_code)]

use highwater::{Ceiling, Report, Resource, Scenario};
use rstest::rstest;
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
