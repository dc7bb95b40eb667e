//! Each request has a span, and a child of it that is finished by a thread of a pool,
//! where no subscriber is set. The leaky release never closes the span then.

#![forbid(unsafe_code)]

use std::sync::mpsc;
use std::thread;
use tracing::{Dispatch, Span, info_span};
use tracing_subscriber::Registry;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

struct Service {
    subscriber: Dispatch,
    pool: mpsc::Sender<(Span, mpsc::Sender<()>)>,
}

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(500)
        .run(
            || {
                let (pool, work) = mpsc::channel::<(Span, mpsc::Sender<()>)>();
                thread::spawn(move || {
                    for (span, done) in work {
                        span.in_scope(|| ());
                        drop(span);
                        done.send(()).expect("the request waits");
                    }
                });
                Service {
                    subscriber: Dispatch::new(Registry::default()),
                    pool,
                }
            },
            |service, request| {
                tracing::dispatcher::with_default(&service.subscriber, || {
                    let span = info_span!("request", request);
                    let child = span.in_scope(|| info_span!("child"));
                    let (done, is_done) = mpsc::channel();
                    service.pool.send((child, done)).expect("the pool runs");
                    drop(span);
                    is_done.recv().expect("the pool answers");
                });
            },
        );
    println!("{}", report.to_json());
}
