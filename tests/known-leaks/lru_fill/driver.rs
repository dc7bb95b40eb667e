//! Responses are cached under fresh keys, 40,000 of them. Until the cache is full,
//! nothing tells it from a leak.

#![forbid(unsafe_code)]

use lru::LruCache;
use std::num::NonZeroUsize;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(10_000)
        .run(
            || LruCache::new(NonZeroUsize::new(40_000).expect("not zero")),
            |cache, i| {
                cache.put(i, format!("response to {i:08}"));
            },
        );
    println!("{}", report.to_json());
}
