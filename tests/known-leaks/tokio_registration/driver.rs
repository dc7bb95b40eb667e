//! A job tries to wait for its input, which is a regular file, so that the system
//! refuses to watch it, and reads it at once instead. The leaky release keeps the
//! entry of the refused registration.

#![forbid(unsafe_code)]

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use tokio::io::unix::AsyncFd;
use tokio::runtime::{Builder, Runtime};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

const INPUT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");

fn open() -> File {
    File::open(Path::new(INPUT)).expect("the manifest is there")
}

async fn first_byte() -> u8 {
    let mut byte = [0];
    match AsyncFd::new(open()) {
        Ok(_) => panic!("the system watches a regular file"),
        Err(_) => open().read_exact(&mut byte).expect("it is not empty"),
    }
    byte[0]
}

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(1_000)
        .run(
            || {
                Builder::new_current_thread()
                    .enable_io()
                    .build()
                    .expect("a runtime")
            },
            |runtime: &mut Runtime, _| assert_eq!(runtime.block_on(first_byte()), b'['),
        );
    println!("{}", report.to_json());
}
