//! A block that something else owns is handed on as `Bytes`, and its last user
//! takes the content as a `Vec`. The leaky release then forgets the owner.

#![forbid(unsafe_code)]

use bytes::Bytes;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(2_000)
        .run(
            || (),
            |(), block| {
                let owner = format!("block {block:026}").into_bytes();
                let bytes = Bytes::from_owner(owner);
                let content: Vec<u8> = bytes.into();
                assert_eq!(content.len(), 32);
            },
        );
    println!("{}", report.to_json());
}
