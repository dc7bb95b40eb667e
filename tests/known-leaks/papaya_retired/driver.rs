//! Peers are registered under random ids, 5,000 of them at a time. Entries that were
//! taken out are freed a batch at a time, and leave marks that only a new table clears.

#![forbid(unsafe_code)]

#[path = "../random.rs"]
mod random;

use papaya::HashMap;
use random::mixed;
use std::hash::{BuildHasherDefault, DefaultHasher};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

type Peers = HashMap<u64, String, BuildHasherDefault<DefaultHasher>>;

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(2_000)
        .run(
            || Peers::with_hasher(BuildHasherDefault::default()),
            |peers, i| {
                let peers = peers.pin();
                peers.insert(mixed(i), format!("peer {i:08}"));
                if let Some(old) = i.checked_sub(5_000) {
                    peers.remove(&mixed(old));
                }
            },
        );
    println!("{}", report.to_json());
}
