//! Messages intern four words each, of a vocabulary of 3,000. The rank of a word says how
//! seldom it is, so that the last ones are first seen very late.

#![forbid(unsafe_code)]

#[path = "../random.rs"]
mod random;

use random::mixed;
use std::hash::{BuildHasherDefault, DefaultHasher};
use string_interner::StringInterner;
use string_interner::backend::BucketBackend;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

type Words = StringInterner<BucketBackend, BuildHasherDefault<DefaultHasher>>;

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(1_000)
        .run(Words::new, |words, i| {
            for word in 0..4 {
                let share = (mixed(i * 4 + word) >> 11) as f64 / (1_u64 << 53) as f64;
                let rank = 3_001_f64.powf(share) as u64;
                words.get_or_intern(format!("a longer word of rank {rank}"));
            }
        });
    println!("{}", report.to_json());
}
