//! A server reads messages with two texts each; every fourth has been cut off in its
//! second text and is refused. The leaky release forgets the first text of such a one.

#![forbid(unsafe_code)]

use nanoserde::{DeBin, SerBin};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

/// From whom, and what.
type Message = [String; 2];

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(2_000)
        .run(
            || (),
            |(), number| {
                let cut = number % 4 == 0;
                let sent: Message = [format!("user {number:06}"), "a cup of tea".to_owned()];
                let mut bytes = sent.serialize_bin();
                if cut {
                    bytes.truncate(bytes.len() - 4);
                }
                let got = Message::deserialize_bin(&bytes);
                assert_eq!(got.is_err(), cut);
            },
        );
    println!("{}", report.to_json());
}
