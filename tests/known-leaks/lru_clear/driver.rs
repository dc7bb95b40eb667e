//! A batch memoises what it looks up, and clears the cache at its end. `clear` of
//! the leaky release forgets the entries without dropping what they hold.

#![forbid(unsafe_code)]

use lru::LruCache;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(1_000)
        .run(
            || LruCache::new(64),
            |cache: &mut LruCache<u64, String>, batch| {
                for key in 0..16 {
                    cache.put(key, format!("{:014}", batch * 16 + key));
                }
                cache.clear();
            },
        );
    println!("{}", report.to_json());
}
