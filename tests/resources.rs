//! Leaks of other things than the heap: threads, descriptors and mapped memory.

#![forbid(unsafe_code)]

use highwater::{ByteSize, Ceiling, Report, Resource, Scenario};
use rstest::rstest;
use std::fs::File;
use std::sync::mpsc;
use std::thread;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

#[track_caller]
fn resource(report: &Report, kind: Ceiling) -> &Resource {
    let resource = report.resources().iter().find(|known| known.kind() == kind);
    resource.unwrap_or_else(|| panic!("{kind} is not in the report\n{report}"))
}

#[rstest]
fn descriptors(#[values(false, true)] leaky: bool) {
    let name = if leaky {
        "descriptors-leaky"
    } else {
        "descriptors"
    };
    let report = Scenario::new(name).steps(40).descriptor_ceiling(20).run(
        || Vec::with_capacity(1_000),
        |open, _| {
            let file = File::open("/dev/null").expect("it is always there");
            if leaky {
                open.push(file);
            }
        },
    );
    let descriptors = resource(&report, Ceiling::Descriptors);
    if leaky {
        assert_eq!(descriptors.growth(), Some(40), "{report}");
        assert_eq!(descriptors.per_step(), Some(1.0), "{report}");
        assert!(
            descriptors
                .verdict()
                .is_some_and(highwater::Verdict::is_growing),
            "{report}"
        );
        assert_eq!(report.breaches()[0].ceiling, Ceiling::Descriptors);
        assert!(report.verdict().is_bounded());
        insta::assert_snapshot!(report);
    } else {
        assert_eq!(descriptors.growth(), Some(0), "{report}");
        report.assert();
    }
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

#[rstest]
fn mapped_memory(#[values(false, true)] leaky: bool) {
    let name = if leaky { "mapped-leaky" } else { "mapped" };
    let report = Scenario::new(name)
        .steps(40)
        .mapped_ceiling(ByteSize::mib(1))
        .run(
            || Vec::with_capacity(1_000),
            |maps, _| {
                let map = memmap2::MmapMut::map_anon(1 << 17).expect("there is room");
                if leaky {
                    maps.push(map);
                }
            },
        );
    let mapped = resource(&report, Ceiling::Mapped);
    assert_eq!(
        mapped.verdict().is_some_and(highwater::Verdict::is_growing),
        leaky,
        "{report}"
    );
    let growth = mapped.growth().expect("it is measured");
    if leaky {
        assert!((5 << 20..6 << 20).contains(&growth), "{report}");
        assert_eq!(report.breaches()[0].ceiling, Ceiling::Mapped);
    } else {
        assert!(growth < 1 << 20, "{report}");
        report.assert();
    }
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
