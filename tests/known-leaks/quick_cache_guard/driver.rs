//! A request reserves the place of a value that is not cached, fails to compute it
//! and gives the place back. The leaky release keeps something of each.

#![forbid(unsafe_code)]

use quick_cache::sync::{Cache, GuardResult};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(2_000)
        .run(
            || Cache::<u64, u64>::new(256),
            |cache: &mut Cache<u64, u64>, i| match cache.get_value_or_guard(&i, None) {
                GuardResult::Guard(guard) => drop(guard),
                _ => unreachable!("no value was ever inserted"),
            },
        );
    println!("{}", report.to_json());
}
