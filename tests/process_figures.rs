//! Leaks of descriptors and of mapped memory, and what goes back to the system. They are
//! the whole process's: a test beside this one would change them with its thread's stack
//! alone. So there is one test in here.

#![forbid(unsafe_code)]

use highwater::{ByteSize, Ceiling, Report, Resource, Scenario};
use std::fs::File;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

#[track_caller]
fn resource(report: &Report, kind: Ceiling) -> &Resource {
    let resource = report.resources().iter().find(|known| known.kind() == kind);
    resource.unwrap_or_else(|| panic!("{kind} is not in the report\n{report}"))
}

#[test]
fn leaks_of_the_process_are_found() {
    // First of all: it is tried once, at the first use, whether the heap is glibc's.
    what_is_tried_is_nobodys();
    // Then: what an arena once gave back stays mapped, but is not in its size.
    blocks_of_an_arena();
    for leaky in [false, true] {
        descriptors(leaky);
        mapped_memory(leaky);
    }
    freed_memory_goes_back();
    tables_of_call_stacks();
}

/// Asking for memory to be given back allocates no more than the few lines that it reads.
fn what_is_tried_is_nobodys() {
    let (returned, usage) = highwater::measure(highwater::return_to_system);
    assert!(returned.is_some(), "glibc on Linux");
    assert!(usage.peak_bytes < 100_000, "{usage:?}");
}

/// Small blocks of 64 MB in all; each thousandth stays, so that the heap's end does
/// not move. Whether glibc gives back any of it by itself is its own affair.
fn freed_memory_goes_back() {
    const BLOCK_BYTES: usize = 1_000;
    let mut blocks: Vec<_> = (0..64_000_u32)
        .map(|number| (number, vec![1_u8; BLOCK_BYTES]))
        .collect();
    let full = highwater::return_to_system().expect("glibc on Linux");
    blocks.retain(|(number, _)| number % 1_000 == 999);
    let returned = highwater::return_to_system().expect("glibc on Linux");
    assert!(
        returned.resident_after_bytes + 32_000_000 < full.resident_after_bytes,
        "{full:?} {returned:?}"
    );
    assert_eq!(blocks.len(), 64);
}

/// Blocks that come from the arena of the test's thread, once glibc has seen one of
/// their size freed: the arena takes what it needs from what it has set aside.
fn blocks_of_an_arena() {
    drop(Vec::<u8>::with_capacity(1 << 20));
    let report = Scenario::new("blocks-of-an-arena")
        .steps(25)
        .step_budget(50)
        .mapped_ceiling(ByteSize::mib(1))
        .run(
            || Vec::with_capacity(100),
            |blocks, _| blocks.push(Vec::<u8>::with_capacity(1 << 20)),
        );
    assert_eq!(report.growth_bytes(), 25 << 20, "{report}");
    let mapped = resource(&report, Ceiling::Mapped);
    assert!(
        mapped.growth().is_some_and(|growth| growth.abs() < 1 << 20),
        "{report}"
    );
}

/// A heap that spreads out takes ever larger tables for its call stacks. They are
/// mapped, but not by the scenario.
fn tables_of_call_stacks() {
    let report = Scenario::new("tables-of-call-stacks")
        .steps(8)
        .step_budget(16)
        .mapped_ceiling(ByteSize::mib(1))
        // Not reached: so that call stacks are taken from the start.
        .stop_at(ByteSize::gib(1))
        .run(
            || Vec::with_capacity(16),
            // Larger than any block that glibc serves from an arena.
            |blocks, _| blocks.push(Vec::<u8>::with_capacity(40 << 20)),
        );
    assert_eq!(report.growth_bytes(), 320 << 20, "{report}");
    let mapped = resource(&report, Ceiling::Mapped);
    assert!(
        mapped.growth().is_some_and(|growth| growth < 1 << 20),
        "{report}"
    );
}

fn descriptors(leaky: bool) {
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

fn mapped_memory(leaky: bool) {
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
