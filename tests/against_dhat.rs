//! dhat and highwater must agree on every workload, to the byte, peak included.
//!
//! dhat counts a resized block as a new one in its totals, so these are
//! converted; what is live and the peak are compared as they are.

#![forbid(unsafe_code)]

use highwater_tests::comparison::compare;
use highwater_tests::workload::Figures;
use libtest_mimic::{Arguments, Failed, Trial};
use std::process::ExitCode;

#[global_allocator]
static ALLOC: dhat::Alloc = dhat::Alloc;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // On the main thread: the counters are the whole process's.
    arguments.test_threads = Some(1);
    let agrees = Trial::test("dhat_agrees_to_the_byte", || {
        compare(
            env!("CARGO_BIN_EXE_meter"),
            |work| {
                let profiler = dhat::Profiler::builder().testing().build();
                let left = work();
                let stats = dhat::HeapStats::get();
                drop(left);
                drop(profiler);
                Seen {
                    live_bytes: stats.curr_bytes as u64,
                    live_blocks: stats.curr_blocks as u64,
                    peak_bytes: stats.max_bytes as u64,
                    total_bytes: stats.total_bytes,
                    total_blocks: stats.total_blocks,
                }
            },
            as_dhat,
        )
        .map_err(Failed::from)
    });
    libtest_mimic::run(&arguments, vec![agrees]).exit_code()
}

#[derive(Debug, PartialEq)]
struct Seen {
    live_bytes: u64,
    live_blocks: u64,
    peak_bytes: u64,
    total_bytes: u64,
    total_blocks: u64,
}

/// What dhat would have said.
fn as_dhat(figures: &Figures) -> Seen {
    Seen {
        live_bytes: figures.live_bytes,
        live_blocks: figures.live_blocks,
        peak_bytes: figures.peak_bytes,
        total_bytes: figures.total_bytes - figures.regrown_bytes + figures.reallocated_bytes,
        total_blocks: figures.total_blocks + figures.reallocations,
    }
}
