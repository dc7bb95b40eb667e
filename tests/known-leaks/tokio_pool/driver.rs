//! Requests share a runtime; the load rises to 24 blocking calls at once and stays.
//! The pool keeps its threads.

#![forbid(unsafe_code)]

use std::sync::{Arc, Barrier};
use tokio::runtime::Builder;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(200)
        .run(
            || {
                Builder::new_multi_thread()
                    .worker_threads(1)
                    .build()
                    .expect("a runtime")
            },
            |runtime, i| {
                let calls = (1 + i / 40).min(24) as usize;
                let together = Arc::new(Barrier::new(calls));
                runtime.block_on(async {
                    let calls: Vec<_> = (0..calls)
                        .map(|_| {
                            let together = Arc::clone(&together);
                            tokio::task::spawn_blocking(move || together.wait().is_leader())
                        })
                        .collect();
                    for call in calls {
                        call.await.expect("the call ends");
                    }
                });
            },
        );
    println!("{}", report.to_json());
}
