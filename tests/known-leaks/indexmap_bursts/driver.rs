//! Orders come in bursts, of 600 to 6,000, and are cancelled at random after that.
//! The map keeps the room of its largest burst, the strings of the orders go.

#![forbid(unsafe_code)]

#[path = "../random.rs"]
mod random;

use indexmap::IndexMap;
use random::mixed;
use std::hash::{BuildHasherDefault, DefaultHasher};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

type Orders = IndexMap<u64, String, BuildHasherDefault<DefaultHasher>>;

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(2_000)
        .run(Orders::default, |orders, i| {
            let burst = (12_000 / (mixed(i / 500) % 20 + 1)).min(6_000);
            if i % 500 == 0 {
                for order in 0..burst {
                    orders.insert(mixed(i + order), format!("order {order} of tick {i}"));
                }
            }
            // Sixteen a tick are cancelled, so that all are gone before the next burst.
            for n in 0..16 {
                if !orders.is_empty() {
                    let at = mixed(i ^ (n << 40)) as usize % orders.len();
                    orders.swap_remove_index(at);
                }
            }
        });
    println!("{}", report.to_json());
}
