//! Documents are shared by all who have them open, 1,500 at a time, by a table of weak
//! references. Entries of closed ones go when the table is full, many at once.

#![forbid(unsafe_code)]

#[path = "../random.rs"]
mod random;

use random::mixed;
use std::collections::VecDeque;
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::sync::{Arc, Weak};
use weak_table::WeakValueHashMap;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

type Table = WeakValueHashMap<u64, Weak<String>, BuildHasherDefault<DefaultHasher>>;

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(1_000)
        .run(
            || {
                (
                    Table::with_hasher(BuildHasherDefault::default()),
                    VecDeque::new(),
                )
            },
            |(documents, open): &mut (Table, VecDeque<Arc<String>>), i| {
                let id = mixed(i) % 40_000;
                let document = documents.get(&id).unwrap_or_else(|| {
                    let loaded = Arc::new(format!("text of document {id:06}"));
                    documents.insert(id, Arc::clone(&loaded));
                    loaded
                });
                if open.len() == 1_500 {
                    open.pop_front();
                }
                open.push_back(document);
            },
        );
    println!("{}", report.to_json());
}
