//! Samples go into a window of the newest 30,000 and a small ring. Memory rises in
//! proportion to the samples until the window is full.

#![forbid(unsafe_code)]

use ringbuf::HeapRb;
use ringbuf::traits::RingBuffer as _;
use std::collections::VecDeque;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(10_000)
        .run(
            || (VecDeque::new(), HeapRb::new(64)),
            |(window, ring): &mut (VecDeque<u64>, HeapRb<u64>), i| {
                if window.len() == 30_000 {
                    window.pop_front();
                }
                window.push_back(i);
                ring.push_overwrite(i);
            },
        );
    println!("{}", report.to_json());
}
