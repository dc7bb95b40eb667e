//! A request computes its value unless another has; the cache keeps the newest. The
//! leaky release forgets the entry of the computation.

#![forbid(unsafe_code)]

use moka::future::Cache;
use tokio::runtime::{Builder, Runtime};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(1_000)
        .run(
            || {
                let runtime = Builder::new_current_thread().build().expect("a runtime");
                (runtime, Cache::new(64))
            },
            |(runtime, cache): &mut (Runtime, Cache<u64, u64>), request| {
                runtime.block_on(async {
                    let value = cache.get_with(request, async move { request * 2 }).await;
                    assert_eq!(value, request * 2);
                    cache.run_pending_tasks().await;
                });
            },
        );
    println!("{}", report.to_json());
}
