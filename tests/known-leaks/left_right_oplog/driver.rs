//! Prices are kept twice, for readers and the writer. Operations are published every
//! 2,500 steps, and kept until they have been applied to both copies.

#![forbid(unsafe_code)]

#[path = "../random.rs"]
mod random;

use left_right::{Absorb, WriteHandle};
use random::mixed;
use std::collections::BTreeMap;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

#[derive(Clone, Default)]
struct Prices(BTreeMap<u64, String>);

struct Write(u64, String);

impl Absorb<Write> for Prices {
    fn absorb_first(&mut self, write: &mut Write, _: &Self) {
        self.0.insert(write.0, write.1.clone());
    }

    fn sync_with(&mut self, first: &Self) {
        self.clone_from(first);
    }
}

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(500)
        .run(
            || left_right::new::<Prices, Write>().0,
            |prices: &mut WriteHandle<Prices, Write>, i| {
                let symbol = mixed(i) % 1_000;
                prices.append(Write(symbol, format!("price of step {i:08}")));
                if i % 2_500 == 2_499 {
                    prices.publish();
                }
            },
        );
    println!("{}", report.to_json());
}
