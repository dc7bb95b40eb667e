//! Responses are cached under strings; the oldest makes room, and every fourth is
//! taken out by hand. The leaky release loses the key of what is taken out.

#![forbid(unsafe_code)]

use lru::LruCache;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(4_000)
        .run(
            || LruCache::new(100),
            |cache: &mut LruCache<String, u64>, request| {
                let key = |request: u64| format!("/users/{request:010}/profile");
                cache.put(key(request), request);
                if request % 4 == 0 {
                    cache.pop(&key(request));
                }
            },
        );
    println!("{}", report.to_json());
}
