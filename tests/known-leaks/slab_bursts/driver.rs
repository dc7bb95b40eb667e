//! Connections come in bursts of random size, up to 4,096, and go again. A slab keeps
//! the room of the largest burst so far.

#![forbid(unsafe_code)]

use slab::Slab;

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
        .steps(2000)
        .run(
            || Slab::new(),
            |connections: &mut Slab<u64>, i| {
                let burst = 4_096 / (1 + mixed(i) % 1_024);
                let keys: Vec<_> = (0..burst).map(|place| connections.insert(place)).collect();
                for key in keys {
                    connections.remove(key);
                }
            },
        );
    println!("{}", report.to_json());
}
