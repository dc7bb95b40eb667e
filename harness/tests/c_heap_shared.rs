//! An allocator beneath that calls C's `malloc` itself, with the feature `c-heap`: Rust's blocks
//! count once, C's do not, and reports say why.

#![forbid(unsafe_code)]
#![cfg(highwater_c_heap)]

use highwater::{Alloc, Scenario, measure};
use std::alloc::System;
use std::hint::black_box;

#[global_allocator]
static ALLOC: Alloc<System> = Alloc::new(System);

#[test]
fn nothing_counts_twice() {
    let (kept, usage) = measure(|| black_box(vec![0_u8; 5_000]));
    assert_eq!((usage.live_bytes, usage.live_blocks), (5_000, 1));
    assert_eq!((usage.total_bytes, usage.total_blocks), (5_000, 1));
    drop(kept);
    let report = Scenario::new("shared").steps(1).run(|| (), |(), _| ());
    let reason = report
        .coverage()
        .not_judged()
        .iter()
        .find_map(|(figure, reason)| (*figure == "C's heap").then_some(*reason));
    assert_eq!(
        reason,
        Some(
            "the allocator beneath calls C's malloc itself, so Rust's blocks would count \
             twice; use `Alloc::system()`"
        )
    );
}
