//! A service starts with a backlog of 20,000 jobs. Three are done for each that arrives,
//! so memory falls for 10,000 steps, and what is left is a table that is too large.

#![forbid(unsafe_code)]

#[path = "../random.rs"]
mod random;

use priority_queue::PriorityQueue;
use random::mixed;
use std::hash::{BuildHasherDefault, DefaultHasher};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

type Jobs = PriorityQueue<String, u64, BuildHasherDefault<DefaultHasher>>;

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(1_000)
        .run(
            || {
                let mut jobs = Jobs::default();
                for job in 0..20_000 {
                    jobs.push(format!("job {job:06} of the backlog"), mixed(job));
                }
                jobs
            },
            |jobs, i| {
                jobs.push(format!("job {i:06} of today"), mixed(!i));
                for _ in 0..3 {
                    jobs.pop();
                }
            },
        );
    println!("{}", report.to_json());
}
