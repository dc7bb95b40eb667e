//! Latencies go into a histogram that grows when a value is higher than any before.
//! The worst ones are rare, and at most a minute.

#![forbid(unsafe_code)]

use hdrhistogram::Histogram;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

/// A number that looks random, the same in every run.
fn mixed(seed: u64) -> u64 {
    let mixed = (seed ^ (seed >> 31)).wrapping_mul(0x7FB5_D329_728E_A185);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x81DA_DEF4_BC2D_D44D);
    mixed ^ (mixed >> 33)
}

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(4000)
        .run(
            || Histogram::<u64>::new(3).expect("three digits"),
            |histogram, i| {
                let rare = mixed(i) % 1_000_000 + 1;
                let microseconds = (1_000_000_000 / rare).clamp(1, 60_000_000);
                histogram.record(microseconds).expect("it resizes");
            },
        );
    println!("{}", report.to_json());
}
