//! A loop waits for events and for the message that stops it, and each event makes it poll
//! both. The leaky release queues the waiting receiver once more at every poll.

#![forbid(unsafe_code)]

use flume::Sender;
use flume::r#async::RecvStream;
use futures::StreamExt as _;
use futures::executor::block_on;
use futures::future::{Either, ready, select};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

struct Loop {
    stop: RecvStream<'static, ()>,
    _stopper: Sender<()>,
    handled: u64,
}

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(5_000)
        .run(
            || {
                let (stopper, stop) = flume::unbounded();
                Loop {
                    stop: stop.into_stream(),
                    _stopper: stopper,
                    handled: 0,
                }
            },
            |it, event| match block_on(select(it.stop.next(), ready(event))) {
                Either::Left(_) => unreachable!("nobody stops it"),
                Either::Right((event, _)) => it.handled += event,
            },
        );
    println!("{}", report.to_json());
}
