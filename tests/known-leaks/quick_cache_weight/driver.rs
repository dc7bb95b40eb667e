//! Documents are cached, 2 MB of them. Most are small and a few are a thousand times
//! larger, so one that comes in can push out hundreds of others.

#![forbid(unsafe_code)]

#[path = "../random.rs"]
mod random;

use quick_cache::Weighter;
use quick_cache::unsync::{Cache, DefaultLifecycle};
use random::mixed;
use std::hash::{BuildHasherDefault, DefaultHasher};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

#[derive(Clone)]
struct Length;

impl Weighter<u64, Vec<u8>> for Length {
    fn weight(&self, _: &u64, document: &Vec<u8>) -> u64 {
        document.len() as u64
    }
}

fn load(id: u64) -> Vec<u8> {
    let share = (mixed(id ^ 0xD0C) % 10_000) as f64 / 10_000.0;
    vec![0; (100.0 * 1_000_f64.powf(share)) as usize]
}

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(4_000)
        .run(
            || {
                Cache::with(
                    500,
                    2_000_000,
                    Length,
                    BuildHasherDefault::<DefaultHasher>::default(),
                    DefaultLifecycle::default(),
                )
            },
            |cache, i| {
                let id = mixed(i) % 3_000 * (mixed(!i) % 3_000) / 3_000;
                if cache.get(&id).is_none() {
                    cache.insert(id, load(id));
                }
            },
        );
    println!("{}", report.to_json());
}
