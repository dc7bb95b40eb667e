//! `stats_alloc` and highwater must agree on every workload, to the byte.
//!
//! It knows no peak; everything else is compared.

#![forbid(unsafe_code)]

use highwater_tests::comparison::compare;
use highwater_tests::workload::Figures;
use libtest_mimic::{Arguments, Failed, Trial};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, Stats, StatsAlloc};
use std::alloc::System;
use std::process::ExitCode;

#[global_allocator]
static ALLOC: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // On the main thread: the counters are the whole process's.
    arguments.test_threads = Some(1);
    let agrees = Trial::test("stats_alloc_agrees_to_the_byte", || {
        compare(
            env!("CARGO_BIN_EXE_meter"),
            |work| {
                let region = Region::new(ALLOC);
                let left = work();
                let stats = region.change();
                drop(left);
                Stats {
                    bytes_reallocated: 0,
                    ..stats
                }
            },
            as_stats,
        )
        .map_err(Failed::from)
    });
    libtest_mimic::run(&arguments, vec![agrees]).exit_code()
}

/// What `stats_alloc` would have said, but for its signed `bytes_reallocated`,
/// which is set aside on both sides: its parts are in the other two.
fn as_stats(figures: &Figures) -> Stats {
    let size = |bytes: u64| usize::try_from(bytes).expect("a 64-bit machine");
    Stats {
        allocations: size(figures.total_blocks),
        deallocations: size(figures.total_blocks - figures.live_blocks),
        reallocations: size(figures.reallocations),
        bytes_allocated: size(figures.total_bytes),
        bytes_deallocated: size(figures.total_bytes - figures.live_bytes),
        bytes_reallocated: 0,
    }
}
