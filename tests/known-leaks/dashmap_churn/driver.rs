//! Connections are registered under random ids, 2,000 of them at a time. The shards
//! of the map rehash when removed entries have used up their room.

#![forbid(unsafe_code)]

use dashmap::DashMap;

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
        .steps(5000)
        .run(
            || DashMap::new(),
            |connections: &mut DashMap<u64, [u64; 6]>, i| {
                connections.insert(mixed(i), [0; 6]);
                if let Some(old) = i.checked_sub(2_000) {
                    connections.remove(&mixed(old));
                }
            },
        );
    println!("{}", report.to_json());
}
