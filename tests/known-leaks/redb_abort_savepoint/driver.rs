//! An importer writes a batch of rows. Every eighth batch starts with a savepoint and
//! turns out to be bad, so that its transaction is aborted. The leaky release goes on
//! to hold the savepoint, and reuses no page that was freed since.

#![forbid(unsafe_code)]

use redb::backends::InMemoryBackend;
use redb::{Database, TableDefinition};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

const ROWS: TableDefinition<u64, u64> = TableDefinition::new("rows");

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(200)
        .run(
            || {
                Database::builder()
                    .set_cache_size(1 << 20)
                    .create_with_backend(InMemoryBackend::new())
                    .expect("a database")
            },
            |database: &mut Database, batch| {
                let bad = batch % 8 == 0;
                let write = database.begin_write().expect("a transaction");
                if bad {
                    write.persistent_savepoint().expect("a savepoint");
                }
                {
                    let mut rows = write.open_table(ROWS).expect("the table");
                    for row in 0..20 {
                        let id = (batch * 20 + row) % 500;
                        rows.insert(id, batch).expect("the row fits");
                    }
                }
                if bad {
                    write.abort().expect("nothing of it is kept");
                } else {
                    write.commit().expect("all of it is kept");
                }
            },
        );
    println!("{}", report.to_json());
}
