//! Messages intern their words. The vocabulary has 4,000, common and rare, so new
//! ones turn up ever more seldom, long after the requested steps.

#![forbid(unsafe_code)]

use lasso::Rodeo;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

/// A number that looks random, the same in every run.
fn mixed(seed: u64) -> u64 {
    let mixed = (seed ^ (seed >> 31)).wrapping_mul(0x7FB5_D329_728E_A185);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x81DA_DEF4_BC2D_D44D);
    mixed ^ (mixed >> 33)
}

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(4000)
        .run(
            || Rodeo::default(),
            |words: &mut Rodeo, i| {
                let rank = mixed(i) % 4_000 * (mixed(i ^ 0xABCD) % 4_000) / 4_000;
                words.get_or_intern(format!("word-{rank:06}"));
            },
        );
    println!("{}", report.to_json());
}
