//! Sessions are closed when they were idle for 8,000 seconds, and a step takes one. Most
//! users ask once, some of them often, which puts off the end of their session.

#![forbid(unsafe_code)]

#[path = "../random.rs"]
mod random;

use random::mixed;
use std::collections::BTreeMap;
use std::future;
use std::task::Poll;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio_util::time::DelayQueue;
use tokio_util::time::delay_queue::Key;

const IDLE: Duration = Duration::from_secs(8_000);

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

struct Service {
    runtime: Runtime,
    sessions: BTreeMap<u64, Key>,
    ends: DelayQueue<u64>,
}

fn start() -> Service {
    let mut runtime = Builder::new_current_thread();
    Service {
        runtime: runtime
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime"),
        sessions: BTreeMap::new(),
        ends: DelayQueue::new(),
    }
}

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(1_000)
        .run(start, |service, i| {
            let Service {
                runtime,
                sessions,
                ends,
            } = service;
            runtime.block_on(async {
                tokio::time::advance(Duration::from_secs(1)).await;
                let user = mixed(i) % 20_000 * (mixed(!i) % 20_000) / 20_000;
                sessions
                    .entry(user)
                    .and_modify(|key| ends.reset(key, IDLE))
                    .or_insert_with(|| ends.insert(user, IDLE));
                let expired = future::poll_fn(|context| {
                    let mut expired = Vec::new();
                    while let Poll::Ready(Some(session)) = ends.poll_expired(context) {
                        expired.push(session.into_inner());
                    }
                    Poll::Ready(expired)
                });
                for user in expired.await {
                    sessions.remove(&user);
                }
            });
        });
    println!("{}", report.to_json());
}
