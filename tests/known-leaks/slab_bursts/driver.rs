//! Connections come in bursts of random size, up to 4,096, and go again. A slab keeps
//! the room of the largest burst so far.

#![forbid(unsafe_code)]

#[path = "../random.rs"]
mod random;

use random::mixed;
use slab::Slab;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(2_000)
        .run(Slab::new, |connections: &mut Slab<u64>, i| {
            let burst = 4_096 / (1 + mixed(i) % 1_024);
            let keys: Vec<_> = (0..burst).map(|place| connections.insert(place)).collect();
            for key in keys {
                connections.remove(key);
            }
        });
    println!("{}", report.to_json());
}
