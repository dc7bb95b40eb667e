//! Latencies go into a histogram that grows when a value is higher than any before.
//! The worst ones are rare, and at most a minute.

#![forbid(unsafe_code)]

#[path = "../random.rs"]
mod random;

use hdrhistogram::Histogram;
use random::mixed;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(4_000)
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
