//! Above jemalloc the figures are those above the system's allocator.

#![forbid(unsafe_code)]
#![cfg(test)]

use highwater::{Hold, Scenario};
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
