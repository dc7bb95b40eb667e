//! A slab, some bits of whose keys are reserved for the user, holds 500 connections: each new
//! one takes the place of the oldest. The leaky release never uses a slot again.

#![forbid(unsafe_code)]

use sharded_slab::{Config, Slab};
use std::collections::VecDeque;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

/// Keeps two bits of a key free for the kind of the connection.
struct Tagged;

impl Config for Tagged {
    const RESERVED_BITS: usize = 2;
}

struct Connections {
    slab: Slab<String, Tagged>,
    keys: VecDeque<usize>,
}

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(1_000)
        .run(
            || Connections {
                slab: Slab::new_with_config(),
                keys: VecDeque::new(),
            },
            |connections, i| {
                let peer = format!("10.0.{}.{}:{:05}", i / 200 % 200, i % 200, i % 60_000);
                let key = connections.slab.insert(peer).expect("the slab has room");
                connections.keys.push_back(key);
                if connections.keys.len() > 500 {
                    let oldest = connections.keys.pop_front().expect("a connection");
                    assert!(connections.slab.remove(oldest));
                }
            },
        );
    println!("{}", report.to_json());
}
