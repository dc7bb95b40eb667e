//! Responses are cached, the oldest makes room. The leaky release forgets what it
//! removes when the cache is full, and never drops it.

#![forbid(unsafe_code)]

use lru::LruCache;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(2_000)
        .run(
            || LruCache::new(100),
            |cache: &mut LruCache<u64, String>, request| {
                cache.put(request, format!("response to {request:08}"));
            },
        );
    println!("{}", report.to_json());
}
