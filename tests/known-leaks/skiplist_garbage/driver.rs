//! Orders are put into a book by price, 500 at a time. Nodes that were taken out are
//! freed later, many at once, when no thread can look at them any more.

#![forbid(unsafe_code)]

#[path = "../random.rs"]
mod random;

use crossbeam_skiplist::SkipMap;
use random::mixed;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(5_000)
        .run(SkipMap::new, |book: &mut SkipMap<u64, u64>, i| {
            book.insert(mixed(i), i);
            if let Some(old) = i.checked_sub(500) {
                book.remove(&mixed(old));
            }
        });
    println!("{}", report.to_json());
}
