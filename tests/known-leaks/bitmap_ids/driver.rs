//! Events mark the ids of users in a bitmap. There are 200,000, and events prefer
//! the newest, so the bitmap grows for long, and never again.

#![forbid(unsafe_code)]

#[path = "../random.rs"]
mod random;

use random::mixed;
use roaring::RoaringBitmap;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(50_000)
        .run(RoaringBitmap::new, |seen, i| {
            seen.insert((mixed(i) % 200_000) as u32);
        });
    println!("{}", report.to_json());
}
