//! A writer defers the release of old records. A long query holds its epoch for 3,000
//! steps, and nothing is freed while it does; the next query starts with a new one.

#![forbid(unsafe_code)]

use crossbeam_epoch::{Collector, Guard, LocalHandle};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

struct Store {
    record: String,
    query: Option<Guard>,
    reader: LocalHandle,
    writer: LocalHandle,
}

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(1_000)
        .run(
            || {
                let collector = Collector::new();
                Store {
                    record: String::new(),
                    query: None,
                    reader: collector.register(),
                    writer: collector.register(),
                }
            },
            |store, i| {
                if i % 3_000 == 0 {
                    store.query = None;
                    store.query = Some(store.reader.pin());
                }
                let new = format!("version {i} of the record");
                let old = std::mem::replace(&mut store.record, new);
                store.writer.pin().defer(move || drop(old));
            },
        );
    println!("{}", report.to_json());
}
