//! Messages intern their words. The vocabulary has 4,000, common and rare, so new
//! ones turn up ever more seldom, long after the requested steps.

#![forbid(unsafe_code)]

#[path = "../random.rs"]
mod random;

use lasso::Rodeo;
use random::mixed;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(4_000)
        .run(Rodeo::default, |words: &mut Rodeo, i| {
            let rank = mixed(i) % 4_000 * (mixed(i ^ 0xABCD) % 4_000) / 4_000;
            words.get_or_intern(format!("word-{rank:06}"));
        });
    println!("{}", report.to_json());
}
