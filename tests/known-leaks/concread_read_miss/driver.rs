//! Each search reads 40 entries from a cache and includes those that miss. The leaky release
//! loses the node of what makes room in the cache of the reading transaction.

#![forbid(unsafe_code)]

use concread::arcache::{ARCache, ARCacheBuilder};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(200)
        .run(
            || {
                ARCacheBuilder::new()
                    .set_size(256, 16)
                    .build()
                    .expect("a cache")
            },
            |cache: &mut ARCache<u64, String>, search| {
                let mut reading = cache.read();
                for place in 0..40 {
                    let number = (search * 31 + place) % 1_000;
                    if reading.get(&number).is_none() {
                        reading.insert(number, format!("cn=person {number:04}"));
                    }
                }
            },
        );
    println!("{}", report.to_json());
}
