//! A report groups orders by customer in a table of an in-memory database, and deletes
//! the table when it is done. The leaky release does not give back the pages on which
//! the orders of a customer had a tree of their own.

#![forbid(unsafe_code)]

use redb::backends::InMemoryBackend;
use redb::{Database, MultimapTableDefinition};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

const ORDERS: MultimapTableDefinition<u64, &str> = MultimapTableDefinition::new("orders");

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(100)
        .run(
            || {
                Database::builder()
                    .set_cache_size(1 << 20)
                    .create_with_backend(InMemoryBackend::new())
                    .expect("a database")
            },
            |database: &mut Database, _| {
                let write = database.begin_write().expect("a transaction");
                {
                    let mut orders = write.open_multimap_table(ORDERS).expect("the table");
                    for order in 0..40 {
                        let text = format!("{order:06} {:200}", "a pound of tea");
                        orders.insert(order % 2, text.as_str()).expect("it fits");
                    }
                }
                write.commit().expect("all of it is kept");
                let write = database.begin_write().expect("a transaction");
                assert!(
                    write
                        .delete_multimap_table(ORDERS)
                        .expect("nobody reads it")
                );
                write.commit().expect("the table is gone");
            },
        );
    println!("{}", report.to_json());
}
