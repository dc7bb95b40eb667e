//! Measures one workload with highwater and prints the figures: the counterpart
//! of the tests that measure the same workload with another meter.
//!
//! Usage: `meter WORKLOAD SEED ROUNDS`, once for each line of standard input.

#![forbid(unsafe_code)]

use highwater_tests::workload::{self, Figures};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn main() {
    for line in std::io::stdin().lines() {
        let line = line.expect("standard input is text");
        let [name, seed, rounds] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("three words were expected, not {line:?}");
        };
        let seed = seed.parse().expect("the seed is a number");
        let rounds = rounds.parse().expect("the number of rounds is a number");
        let (left, usage) = highwater::measure(|| workload::run(name, seed, rounds));
        drop(left);
        let figures = Figures {
            live_bytes: usage.live_bytes,
            live_blocks: usage.live_blocks,
            peak_bytes: usage.peak_bytes,
            total_blocks: usage.total_blocks,
            total_bytes: usage.total_bytes,
            reallocations: usage.reallocations,
            reallocated_bytes: usage.reallocated_bytes,
            regrown_bytes: usage.regrown_bytes,
        };
        println!("{}", figures.to_line());
    }
}
