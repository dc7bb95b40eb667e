//! A table holds 200 routes: each route that is announced takes the place of the oldest. The
//! leaky release forgets an inner node of the trie when it removes the leaf under it.

#![forbid(unsafe_code)]

use prefix_trie::PrefixMap;
use std::collections::VecDeque;

#[path = "../random.rs"]
mod random;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

/// An address and how many of its bits count.
type Route = (u32, u8);

/// One between 10.0.0.0/17 and 10.255.255.0/24.
fn route(number: u64) -> Route {
    let random = random::mixed(number);
    let length = 17 + random % 8;
    let address = 10 << 24 | random >> 40;
    let mask = u64::from(u32::MAX << (32 - length));
    ((address & mask) as u32, length as u8)
}

#[derive(Default)]
struct Table {
    routes: PrefixMap<Route, u64>,
    order: VecDeque<Route>,
}

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(2_000)
        .run(Table::default, |table, number| {
            let route = route(number);
            table.routes.insert(route, number);
            table.order.push_back(route);
            if table.order.len() > 200 {
                let oldest = table.order.pop_front().expect("a route");
                table.routes.remove(&oldest);
            }
        });
    println!("{}", report.to_json());
}
