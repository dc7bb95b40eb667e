//! Each job has a queue that is dropped with what is still in it. The leaky release
//! has no destructor.

#![forbid(unsafe_code)]

use crossbeam::sync::SegQueue;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(500)
        .run(
            || (),
            |(), i| {
                let queue = SegQueue::new();
                for part in 0..4 {
                    queue.push(format!("part {part} of job {i:08}"));
                }
            },
        );
    println!("{}", report.to_json());
}
