//! Each connection polls its futures in one set, and one of them keeps its own
//! waker while it waits, as every timer does. In the leaky release the two keep each
//! other alive when the set is dropped.

#![forbid(unsafe_code)]

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use unicycle::FuturesUnordered;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

/// Waits for something that does not come, with its waker at hand.
#[derive(Default)]
struct Waiting(Option<Waker>);

impl Future for Waiting {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.0 = Some(context.waker().clone());
        Poll::Pending
    }
}

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(1_000)
        .run(
            || (),
            |(), _| {
                let mut futures = FuturesUnordered::new();
                futures.push(Waiting::default());
                let mut context = Context::from_waker(Waker::noop());
                let next = futures_core::Stream::poll_next(Pin::new(&mut futures), &mut context);
                assert!(next.is_pending());
            },
        );
    println!("{}", report.to_json());
}
