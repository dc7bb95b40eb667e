//! Responses are cached, 3 MB of bodies. They are long in one half of a day of 10,000
//! requests and short in the other, so over ten times as many fit.

#![forbid(unsafe_code)]

#[path = "../random.rs"]
mod random;

use random::mixed;
use schnellru::{Limiter, LruMap};
use std::hash::{BuildHasherDefault, DefaultHasher};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

/// Keeps the bytes of all bodies below a limit.
struct BodyBytes {
    most: usize,
    used: usize,
}

impl Limiter<u64, Vec<u8>> for BodyBytes {
    type KeyToInsert<'a> = u64;
    type LinkType = u32;

    fn is_over_the_limit(&self, _: usize) -> bool {
        self.used > self.most
    }

    fn on_insert(&mut self, _: usize, key: u64, body: Vec<u8>) -> Option<(u64, Vec<u8>)> {
        self.used += body.len();
        Some((key, body))
    }

    fn on_replace(
        &mut self,
        _: usize,
        _: &mut u64,
        _: u64,
        old: &mut Vec<u8>,
        new: &mut Vec<u8>,
    ) -> bool {
        self.used = self.used - old.len() + new.len();
        true
    }

    fn on_removed(&mut self, _: &mut u64, body: &mut Vec<u8>) {
        self.used -= body.len();
    }

    fn on_cleared(&mut self) {
        self.used = 0;
    }

    fn on_grow(&mut self, _: usize) -> bool {
        true
    }
}

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(5_000)
        .run(
            || {
                let limiter = BodyBytes {
                    most: 3_000_000,
                    used: 0,
                };
                LruMap::with_hasher(limiter, BuildHasherDefault::<DefaultHasher>::default())
            },
            |cache, i| {
                let usual = if i % 10_000 < 5_000 { 6_000 } else { 440 };
                let length = usual / 2 + mixed(i) % usual;
                cache.insert(i, vec![0; length as usize]);
            },
        );
    println!("{}", report.to_json());
}
