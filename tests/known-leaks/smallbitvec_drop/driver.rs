//! Each batch marks what it has seen in a set of bits that is too large to be kept
//! inline. The leaky release never frees such a set.

#![forbid(unsafe_code)]

use smallbitvec::SmallBitVec;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(2_000)
        .run(
            || (),
            |(), i| {
                let mut seen = SmallBitVec::new();
                for place in 0..256 {
                    seen.push((i + place) % 3 == 0);
                }
                assert_eq!(seen.len(), 256);
            },
        );
    println!("{}", report.to_json());
}
