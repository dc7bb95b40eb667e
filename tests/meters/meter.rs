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
        println!("{}", Figures::from(&usage).to_line());
    }
}
