//! Orders are put into a book by price, 500 at a time. Nodes that were taken out are
//! freed later, many at once, when no thread can look at them any more.

#![forbid(unsafe_code)]

use crossbeam_skiplist::SkipMap;

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
        .steps(5000)
        .run(
            || SkipMap::new(),
            |book: &mut SkipMap<u64, u64>, i| {
                book.insert(mixed(i), i);
                if let Some(old) = i.checked_sub(500) {
                    book.remove(&mixed(old));
                }
            },
        );
    println!("{}", report.to_json());
}
