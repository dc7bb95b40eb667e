//! A table of 2,000 rows with long texts is there from the start. Rows are migrated at
//! random, and the newest 9,000 migrations are kept: memory falls and then rises.

#![forbid(unsafe_code)]

#[path = "../random.rs"]
mod random;

use random::mixed;
use slab::Slab;
use std::collections::VecDeque;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

struct Migration {
    table: Slab<String>,
    history: VecDeque<String>,
}

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(1_000)
        .run(
            || {
                let mut table = Slab::new();
                for row in 0..2_000 {
                    table.insert(format!("row {row:0500}"));
                }
                Migration {
                    table,
                    history: VecDeque::new(),
                }
            },
            |migration, i| {
                let row = (mixed(i) % 2_000) as usize;
                let moved = migration.table.try_remove(row).is_some();
                if migration.history.len() == 9_000 {
                    migration.history.pop_front();
                }
                let entry = format!("step {i:06}: row {row:04} moved: {moved}");
                migration.history.push_back(entry);
            },
        );
    println!("{}", report.to_json());
}
