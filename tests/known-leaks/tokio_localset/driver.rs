//! Each connection runs its tasks in a `LocalSet` that is dropped while they wait.

#![forbid(unsafe_code)]

use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::task::LocalSet;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(500)
        .run(
            || Builder::new_current_thread().build().expect("a runtime"),
            |runtime: &mut Runtime, _| {
                let local = LocalSet::new();
                let (send, mut receive) = mpsc::channel::<u64>(1);
                local.spawn_local(async move { receive.recv().await });
                local.block_on(runtime, tokio::task::yield_now());
                drop(local);
                drop(send);
            },
        );
    println!("{}", report.to_json());
}
