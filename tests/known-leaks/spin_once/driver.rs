//! A connection makes a value when it is first needed and drops it at its end. The
//! `Once` of the leaky release has no destructor.

#![forbid(unsafe_code)]

use spin::Once;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(2_000)
        .run(
            || (),
            |(), connection| {
                let peer = Once::new();
                let name: &String = peer.call_once(|| format!("connection {connection:023}"));
                assert_eq!(name.len(), 34);
            },
        );
    println!("{}", report.to_json());
}
