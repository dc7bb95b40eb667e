//! A connection handles one request, while it also waits for the broadcast that tells
//! all connections to stop, and which does not come. The leaky release keeps the entry
//! of everyone who ever waited until something is sent.

#![forbid(unsafe_code)]

use futures_util::future::{Either, select};
use std::pin::pin;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::broadcast::{self, Sender};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

async fn handle(request: u64) -> u64 {
    request + 1
}

async fn connection(stop: &Sender<()>, request: u64) {
    let mut stop = stop.subscribe();
    match select(pin!(stop.recv()), pin!(handle(request))).await {
        Either::Left(_) => panic!("nobody stops the server"),
        Either::Right((answer, _)) => assert_eq!(answer, request + 1),
    }
}

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(1_000)
        .run(
            || {
                let runtime = Builder::new().basic_scheduler().build();
                let (stop, _) = broadcast::channel(1);
                (runtime.expect("a runtime"), stop)
            },
            |(runtime, stop): &mut (Runtime, Sender<()>), request| {
                runtime.block_on(connection(stop, request));
            },
        );
    println!("{}", report.to_json());
}
