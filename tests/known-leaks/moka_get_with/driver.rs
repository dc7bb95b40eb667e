//! A page needs 16 records at once, and the cache loads those that it does not have.
//! The leaky release keeps the lock of a load that is under way while its table of
//! locks is rebuilt, together with the record.

#![forbid(unsafe_code)]

use moka::future::Cache as Hashed;
use std::hash::{BuildHasherDefault, DefaultHasher};
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinSet, yield_now};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

/// Hashes the same in every run.
type Hasher = BuildHasherDefault<DefaultHasher>;
type Cache = Hashed<u64, String, Hasher>;

const RECORDS: u64 = 16;

async fn load(id: u64) -> String {
    yield_now().await;
    format!("the record of customer {id:010}")
}

async fn page(cache: &Cache, number: u64) {
    let mut records = JoinSet::new();
    for id in number * RECORDS..(number + 1) * RECORDS {
        let cache = cache.clone();
        records.spawn(async move { cache.get_with(id, load(id)).await });
    }
    while let Some(record) = records.join_next().await {
        assert!(!record.expect("the load succeeds").is_empty());
    }
    cache.run_pending_tasks().await;
}

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(250)
        .run(
            || {
                let runtime = Builder::new_current_thread().build().expect("a runtime");
                let cache = Hashed::builder().max_capacity(100);
                (runtime, cache.build_with_hasher(Hasher::default()))
            },
            |(runtime, cache): &mut (Runtime, Cache), number| {
                runtime.block_on(page(cache, number));
            },
        );
    println!("{}", report.to_json());
}
