//! A store holds 100 documents under long paths: each new one takes the place of the oldest.
//! The leaky release frees only the first of the chunks in which a large node is stored.

#![forbid(unsafe_code)]

use ic_stable_structures::{BTreeMap, VectorMemory};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn path(number: u64) -> String {
    format!("{number:08}/{}", "folder/".repeat(100))
}

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(500)
        .run(
            || BTreeMap::init(VectorMemory::default()),
            |store: &mut BTreeMap<String, Vec<u8>, VectorMemory>, number| {
                store.insert(path(number), vec![7; 200]);
                if let Some(oldest) = number.checked_sub(100) {
                    store.remove(&path(oldest));
                }
            },
        );
    println!("{}", report.to_json());
}
