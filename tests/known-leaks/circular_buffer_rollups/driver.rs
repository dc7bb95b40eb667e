//! A history keeps 1,000 samples, 1,000 summaries of ten steps and 1,000 of a hundred.
//! Memory rises ever more slowly, tier by tier, until the last one is full.

#![forbid(unsafe_code)]

#[path = "../random.rs"]
mod random;

use circular_buffer::FixedCircularBuffer;
use random::mixed;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

type Tier = Box<FixedCircularBuffer<Box<[f64]>, 1_000>>;

/// Mean, least, highest and five quantiles, say.
fn summary(i: u64) -> Box<[f64]> {
    (0..8)
        .map(|of| (mixed(i ^ (of << 40)) % 1_000) as f64)
        .collect()
}

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(8_000)
        .run(
            || [1, 10, 100].map(|every| (every, FixedCircularBuffer::boxed())),
            |tiers: &mut [(u64, Tier); 3], i| {
                for (every, tier) in tiers {
                    if i.is_multiple_of(*every) {
                        tier.push_back(summary(i));
                    }
                }
            },
        );
    println!("{}", report.to_json());
}
