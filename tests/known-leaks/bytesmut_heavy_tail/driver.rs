//! Each of 24 connections has a read buffer that is used again for every frame. Frames
//! are mostly small, a few are 64 kB, and a buffer keeps the room of its largest.

#![forbid(unsafe_code)]

#[path = "../random.rs"]
mod random;

use bytes::{BufMut, BytesMut};
use random::mixed;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(15_000)
        .run(
            || vec![BytesMut::new(); 24],
            |connections, i| {
                let connection = &mut connections[(mixed(i) % 24) as usize];
                let rare = mixed(!i) % 100_000 + 1;
                let length = (6_553_600 / rare).min(65_536);
                connection.clear();
                connection.put_bytes(0, length as usize);
            },
        );
    println!("{}", report.to_json());
}
