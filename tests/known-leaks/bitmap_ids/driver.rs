//! Events mark the ids of users in a bitmap. There are 200,000, and events prefer
//! the newest, so the bitmap grows for long, and never again.

#![forbid(unsafe_code)]

use roaring::RoaringBitmap;

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
        .steps(50000)
        .run(
            || RoaringBitmap::new(),
            |seen, i| {
                seen.insert((mixed(i) % 200_000) as u32);
            },
        );
    println!("{}", report.to_json());
}
