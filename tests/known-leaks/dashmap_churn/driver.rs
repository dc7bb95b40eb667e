//! Connections are registered under random ids, 2,000 of them at a time. The shards
//! of the map rehash when removed entries have used up their room.

#![forbid(unsafe_code)]

#[path = "../random.rs"]
mod random;

use dashmap::DashMap;
use random::mixed;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(5_000)
        .run(
            DashMap::new,
            |connections: &mut DashMap<u64, [u64; 6]>, i| {
                connections.insert(mixed(i), [0; 6]);
                if let Some(old) = i.checked_sub(2_000) {
                    connections.remove(&mixed(old));
                }
            },
        );
    println!("{}", report.to_json());
}
