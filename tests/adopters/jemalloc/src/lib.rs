//! Above jemalloc the figures are those above the system's allocator.

#![forbid(unsafe_code)]
#![cfg(test)]

use highwater::{Hold, Scenario};
use highwater_monitor::{Allocator, Monitor};
use std::hint::black_box;

#[global_allocator]
static ALLOC: highwater::Alloc<tikv_jemallocator::Jemalloc> =
    highwater::Alloc::new(tikv_jemallocator::Jemalloc);

#[test]
fn every_requested_byte_is_counted() {
    let (kept, usage) = highwater::measure(|| {
        let mut grown = Vec::<u8>::with_capacity(10);
        grown.reserve_exact(3_000);
        drop(black_box(vec![0_u8; 5_000]));
        (grown, Box::new([0_u64; 3]))
    });
    assert_eq!(usage.live_bytes, 3_024);
    assert_eq!(usage.live_blocks, 2);
    assert_eq!(usage.peak_bytes, 8_000);
    drop(kept);
}

#[highwater::test(steps = 2_000, state = Vec::new())]
#[should_panic(expected = "memory leak in")]
fn a_leak_is_found(kept: &mut Vec<String>, i: u64) {
    kept.push(i.to_string());
}

/// glibc can't give back what it does not have.
#[test]
fn nothing_is_said_of_what_goes_back_to_the_system() {
    assert_eq!(highwater::return_to_system(), None);
}

/// Its blocks are told apart where they are tracked, and what was allocated before is
/// not: nothing can be called lost.
#[test]
fn what_has_no_holder_is_not_called_lost() {
    let report = Scenario::new("lost")
        .steps(200)
        .run(|| (), |(), i| std::mem::forget(format!("{i:020}")));
    let diagnosis = report.diagnosis().expect("it failed, on Linux");
    let site = &diagnosis.sites()[0];
    let holders = site.holders().expect("this is Linux");
    assert_eq!(holders[0].hold(), Hold::Unknown, "{diagnosis}");
    let expected = "    no holder was found in what could be searched, ";
    assert!(site.to_string().contains(expected), "{site}");
    assert!(
        !diagnosis.to_string().contains("unreachable"),
        "{diagnosis}"
    );
}

/// What the monitor is told of jemalloc now.
fn told_by_jemalloc(monitor: &Monitor) -> Allocator {
    monitor.sample();
    let sample = monitor.status().sample.expect("it was taken");
    let mut allocators = sample.allocators.into_iter();
    let jemalloc = allocators.find(|allocator| allocator.name == "jemalloc");
    jemalloc.expect("it has statistics")
}

/// Pages on which one block in ten is left are fragmented, and neither used nor given back.
#[test]
fn the_monitor_is_told_what_is_used_and_what_is_fragmented() {
    const BYTES: usize = 20_000_000;
    let monitor = Monitor::builder().build();
    let before = told_by_jemalloc(&monitor);
    let mut blocks: Vec<_> = (0..BYTES / 1_000).map(|_| vec![1_u8; 1_000]).collect();
    let full = told_by_jemalloc(&monitor);
    let mut number = 0;
    blocks.retain(|_| {
        number += 1;
        number % 10 == 0
    });
    let sparse = told_by_jemalloc(&monitor);
    let used = |allocator: &Allocator| allocator.used_bytes.expect("it is told");
    let fragmented = |allocator: &Allocator| allocator.fragmented_bytes.expect("it is told");
    assert!(used(&full) >= used(&before) + BYTES as u64, "{full:?}");
    assert!(full.held_bytes >= used(&full), "{full:?}");
    assert!(
        used(&sparse) < used(&full) - BYTES as u64 * 4 / 5,
        "{sparse:?}"
    );
    assert!(
        fragmented(&sparse) > fragmented(&full) + BYTES as u64 / 5,
        "{sparse:?}"
    );
    drop(black_box(blocks));
}
