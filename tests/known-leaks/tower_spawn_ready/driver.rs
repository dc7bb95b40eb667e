//! A client waits for a service whose only place is taken, gives up and drops it. The
//! leaky release leaves the task behind that waits for the service to be ready.

#![forbid(unsafe_code)]

use std::convert::Infallible;
use std::future::{Ready, poll_fn, ready};
use std::task::{Context, Poll};
use tokio::runtime::{Builder, Runtime};
use tower::Service;
use tower::limit::ConcurrencyLimit;
use tower::spawn_ready::SpawnReady;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

#[derive(Clone)]
struct Echo;

impl Service<u64> for Echo {
    type Response = u64;
    type Error = Infallible;
    type Future = Ready<Result<u64, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: u64) -> Self::Future {
        ready(Ok(request))
    }
}

struct Server {
    runtime: Runtime,
    // It has the only place.
    _first: ConcurrencyLimit<Echo>,
    // Shares it.
    limit: ConcurrencyLimit<Echo>,
}

impl Server {
    fn start() -> Self {
        let runtime = Builder::new_current_thread().build().expect("a runtime");
        let limit = ConcurrencyLimit::new(Echo, 1);
        let mut first = limit.clone();
        runtime
            .block_on(poll_fn(|context| first.poll_ready(context)))
            .expect("there is one place");
        Self {
            runtime,
            _first: first,
            limit,
        }
    }

    fn try_one(&mut self) {
        let Self { runtime, limit, .. } = self;
        runtime.block_on(async {
            let mut client = SpawnReady::new(limit.clone());
            // It has a few turns, and no more patience.
            for _ in 0..4 {
                let is_ready =
                    poll_fn(|context| Poll::Ready(client.poll_ready(context).is_ready())).await;
                assert!(!is_ready);
                tokio::task::yield_now().await;
            }
            drop(client);
            tokio::task::yield_now().await;
        });
    }
}

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(500)
        .run(Server::start, |server: &mut Server, _| server.try_one());
    println!("{}", report.to_json());
}
