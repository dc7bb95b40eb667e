//! A request registers itself in a slab and is removed at its end. The leaky release
//! empties the slot, but never gives it to anyone again, so that the slab grows.

#![forbid(unsafe_code)]

use sharded_slab::Slab;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(2_000)
        .run(Slab::new, |requests: &mut Slab<u64>, request| {
            let key = requests.insert(request).expect("there is room");
            assert!(requests.contains(key));
            assert!(requests.remove(key));
        });
    println!("{}", report.to_json());
}
