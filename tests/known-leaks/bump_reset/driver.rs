//! Requests take memory from an arena, which is reset every 7,000 of them and keeps
//! its largest chunk. Until then it doubles.

#![forbid(unsafe_code)]

use bumpalo::Bump;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(5_000)
        .run(Bump::new, |arena: &mut Bump, i| {
            arena.alloc([i; 8]);
            if i % 7_000 == 6_999 {
                arena.reset();
            }
        });
    println!("{}", report.to_json());
}
