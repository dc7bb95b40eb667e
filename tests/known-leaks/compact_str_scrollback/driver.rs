//! A terminal keeps the last 13,000 lines that were printed, most of which are too long
//! to be kept in place. Nothing tells it from a leak until then.

#![forbid(unsafe_code)]

#[path = "../random.rs"]
mod random;

use compact_str::{CompactString, format_compact};
use random::mixed;
use std::collections::VecDeque;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(1_000)
        .run(VecDeque::new, |lines: &mut VecDeque<CompactString>, i| {
            if lines.len() == 13_000 {
                lines.pop_front();
            }
            let width = (mixed(i) % 80) as usize;
            lines.push_back(format_compact!("{i:06} {:.<width$}", "done"));
        });
    println!("{}", report.to_json());
}
