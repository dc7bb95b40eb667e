//! A request looks up an entry of a directory in a cache of 256, and puts it there if
//! it is new. The leaky release keeps every key that has ever been evicted, so that an
//! old reader cannot bring it back.

#![forbid(unsafe_code)]

use concread::arcache::{ARCache, ARCacheBuilder};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(2_000)
        .run(
            || {
                ARCacheBuilder::new()
                    .set_size(256, 8)
                    .build()
                    .expect("the sizes are set")
            },
            |entries: &mut ARCache<u64, String>, request| {
                let mut update = entries.write();
                if update.get(&request).is_none() {
                    update.insert(request, format!("cn=user{request:08},ou=people"));
                }
                update.commit();
            },
        );
    println!("{}", report.to_json());
}
