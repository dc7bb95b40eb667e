//! A connection reserves room in its read buffer, writes a frame, and consumes it.
//! The leaky release never uses the room again that was consumed, and doubles.

#![forbid(unsafe_code)]

use bytes::{Buf as _, BytesMut};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(4_000)
        .run(
            || BytesMut::with_capacity(64),
            |buffer, _| {
                buffer.reserve(16);
                buffer.extend_from_slice(&[7; 16]);
                let frame = std::io::Cursor::new(&buffer[..16]).remaining();
                buffer.advance(frame);
            },
        );
    println!("{}", report.to_json());
}
