//! Each request has a span, whose child is finished by a thread of a pool that was
//! there before the program chose its subscriber. The leaky release goes on without
//! a subscriber in that thread, and never closes the request's span.

#![forbid(unsafe_code)]

use std::sync::mpsc;
use std::thread;
use tracing::{Dispatch, Span, dispatcher, info_span};
use tracing_subscriber::Registry;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

type Work = (Span, mpsc::Sender<()>);

fn main() {
    let (pool, work) = mpsc::channel::<Work>();
    let (ready, is_ready) = mpsc::channel();
    thread::spawn(move || {
        dispatcher::get_default(|_| ());
        ready.send(()).expect("the program waits");
        for (span, done) in work {
            drop(span);
            done.send(()).expect("the request waits");
        }
    });
    is_ready.recv().expect("the pool starts");
    let subscriber = Registry::default().with(LevelFilter::INFO);
    dispatcher::set_global_default(Dispatch::new(subscriber)).expect("it is the first");

    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(500)
        .run(
            || pool.clone(),
            |pool, _| {
                let request = info_span!("request");
                let child = request.in_scope(|| info_span!("child"));
                drop(request);
                let (done, is_done) = mpsc::channel();
                pool.send((child, done)).expect("the pool runs");
                is_done.recv().expect("the pool answers");
            },
        );
    println!("{}", report.to_json());
}
