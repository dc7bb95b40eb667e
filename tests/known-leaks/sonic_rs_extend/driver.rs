//! A reply starts as an empty object, gets the fields of an order and is written. The
//! leaky release forgets that the object owns the memory that `extend` takes for it.

#![forbid(unsafe_code)]

use sonic_rs::Object;
use std::collections::BTreeMap;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(1_000)
        .run(
            || BTreeMap::from([("amount", 2), ("price", 450), ("discount", 10)]),
            |order: &mut BTreeMap<&str, u64>, _| {
                let mut reply = Object::new();
                reply.extend(&*order);
                let text = sonic_rs::to_string(&reply).expect("it is JSON");
                assert!(text.contains("price"));
            },
        );
    println!("{}", report.to_json());
}
