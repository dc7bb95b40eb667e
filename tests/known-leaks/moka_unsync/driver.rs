//! A request puts its response into a cache and invalidates an older one. The leaky
//! release keeps the place in the access order of what was invalidated.

#![forbid(unsafe_code)]

use moka::unsync::Cache;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(2_000)
        .run(
            || Cache::new(256),
            |cache: &mut Cache<u64, u64>, request| {
                cache.insert(request, request);
                if let Some(older) = request.checked_sub(64) {
                    cache.invalidate(&older);
                }
            },
        );
    println!("{}", report.to_json());
}
