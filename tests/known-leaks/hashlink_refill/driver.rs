//! Quotations are cached, 6,000 of them. Every 11,000 steps a new price list makes all of
//! them invalid; the cache is cleared and fills again.

#![forbid(unsafe_code)]

use hashlink::LruCache;
use std::hash::{BuildHasherDefault, DefaultHasher};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

type Hasher = BuildHasherDefault<DefaultHasher>;

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(2_000)
        .run(
            || LruCache::with_hasher(6_000, Hasher::default()),
            |quotations: &mut LruCache<u64, String, Hasher>, i| {
                if i % 11_000 == 5_000 {
                    quotations.clear();
                }
                quotations.insert(i, format!("quotation {i:08}"));
            },
        );
    println!("{}", report.to_json());
}
