//! Results are memoised in two generations of 4,000. When the newer one is full, it takes
//! the place of the older one, whose results are dropped unless they were used again.

#![forbid(unsafe_code)]

#[path = "../random.rs"]
mod random;

use random::mixed;
use rustc_hash::FxHashMap;
use std::mem;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

#[derive(Default)]
struct Memo {
    newer: FxHashMap<u64, String>,
    older: FxHashMap<u64, String>,
}

impl Memo {
    fn get(&mut self, key: u64) -> &str {
        if self.newer.len() == 4_000 {
            self.older = mem::take(&mut self.newer);
        }
        let older = &mut self.older;
        let made = || {
            older
                .remove(&key)
                .unwrap_or_else(|| format!("result {key:08}"))
        };
        self.newer.entry(key).or_insert_with(made)
    }
}

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(600)
        .run(Memo::default, |memo, i| {
            // Nearly all of the keys are new.
            let result = memo.get(mixed(i) % 1_000_000);
            assert!(result.starts_with("result"));
        });
    println!("{}", report.to_json());
}
