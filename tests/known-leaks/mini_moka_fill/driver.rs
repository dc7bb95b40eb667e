//! Responses are cached under fresh keys, 14,300 of them. That is far more than the
//! requested steps, and nothing tells the cache from a leak until it is full.

#![forbid(unsafe_code)]

use mini_moka::unsync::Cache;
use std::hash::{BuildHasherDefault, DefaultHasher};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

type Hasher = BuildHasherDefault<DefaultHasher>;

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(1_200)
        .run(
            || {
                Cache::builder()
                    .max_capacity(14_300)
                    .build_with_hasher(Hasher::default())
            },
            |cache: &mut Cache<u64, String, Hasher>, i| {
                cache.insert(i, format!("response to {i:08}"));
            },
        );
    println!("{}", report.to_json());
}
