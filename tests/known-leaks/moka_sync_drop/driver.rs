//! A job keeps what it computed in a cache of its own, which is dropped when the job
//! ends. The leaky release drops the keys that are still cached, and not their values.

#![forbid(unsafe_code)]

use moka::sync::Cache;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(200)
        .run(
            || (),
            |(), job| {
                let squares: Cache<u64, u64> = Cache::new(100);
                for number in (job..job + 20).map(|number| number % 10) {
                    let square = squares.get_with(number, || number * number);
                    assert!(square <= 81);
                }
            },
        );
    println!("{}", report.to_json());
}
