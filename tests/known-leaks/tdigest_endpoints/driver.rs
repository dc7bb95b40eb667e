//! Each endpoint has a digest of its latencies, made at its first call and compressed
//! after every 250. Some endpoints are called seldom.

#![forbid(unsafe_code)]

#[path = "../random.rs"]
mod random;

use random::mixed;
use std::collections::BTreeMap;
use tdigest::TDigest;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(5_000)
        .run(
            BTreeMap::new,
            |endpoints: &mut BTreeMap<u64, TDigest>, i| {
                let share = (mixed(i) >> 11) as f64 / (1_u64 << 53) as f64;
                let endpoint = 61_f64.powf(share) as u64;
                let digest = endpoints
                    .entry(endpoint)
                    .or_insert_with(|| TDigest::new_with_size(50));
                digest.push((mixed(!i) % 10_000) as f64 / 10.0);
            },
        );
    println!("{}", report.to_json());
}
