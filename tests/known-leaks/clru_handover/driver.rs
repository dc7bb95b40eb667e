//! A cache of 7,000 records has been in use for long, with records in an old format. New code
//! replaces them one by one, by records of the same size.

#![forbid(unsafe_code)]

use clru::{CLruCache, CLruCacheConfig};
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::num::NonZeroUsize;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

enum Record {
    Old(Box<str>),
    New(Box<[u32]>),
}

type Cache = CLruCache<u64, Record, BuildHasherDefault<DefaultHasher>>;

#[inline(never)]
fn old(id: u64) -> Record {
    Record::Old(format!("record {id:09}").into_boxed_str())
}

#[inline(never)]
fn new(id: u64) -> Record {
    Record::New(Box::new([id as u32; 4]))
}

/// As a client would read it.
fn length(record: &Record) -> usize {
    match record {
        Record::Old(text) => text.len(),
        Record::New(words) => words.len() * 4,
    }
}

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(2_000)
        .run(
            || {
                let records = NonZeroUsize::new(7_000).expect("not zero");
                let config =
                    CLruCacheConfig::new(records).with_hasher(BuildHasherDefault::default());
                let mut cache = Cache::with_config(config);
                for id in 0..20_000 {
                    cache.put(id, old(id));
                }
                cache
            },
            |cache, i| {
                let id = 20_000 + i;
                cache.put(id, new(id));
                assert_eq!(cache.get(&id).map(length), Some(16));
            },
        );
    println!("{}", report.to_json());
}
