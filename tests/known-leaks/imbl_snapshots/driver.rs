//! Prices of 3,000 symbols are kept in a persistent map. Every 250 updates a snapshot is
//! taken, and the newest 40 are kept; each costs what has changed since.

#![forbid(unsafe_code)]

#[path = "../random.rs"]
mod random;

use imbl::OrdMap;
use random::mixed;
use std::collections::VecDeque;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

#[derive(Default)]
struct Book {
    prices: OrdMap<u64, u64>,
    snapshots: VecDeque<OrdMap<u64, u64>>,
}

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(1_000)
        .run(
            || Book {
                prices: (0..3_000_u64).map(|symbol| (symbol, 100_u64)).collect(),
                snapshots: VecDeque::new(),
            },
            |book, i| {
                book.prices.insert(mixed(i) % 3_000, mixed(!i) % 1_000);
                if i % 250 == 0 {
                    if book.snapshots.len() == 40 {
                        book.snapshots.pop_front();
                    }
                    book.snapshots.push_back(book.prices.clone());
                }
            },
        );
    println!("{}", report.to_json());
}
