//! Each request has a span and a child, and the outer one is let go first. When the
//! child ends and closes its parent, the leaky release never removes the parent.

#![forbid(unsafe_code)]

use tracing::{Dispatch, dispatcher, info_span};
use tracing_subscriber::FmtSubscriber;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(1_000)
        .run(
            || Dispatch::new(FmtSubscriber::default()),
            |subscriber, _| {
                dispatcher::with_default(subscriber, || {
                    let outer = info_span!("request");
                    let inner = outer.in_scope(|| info_span!("query"));
                    drop(outer);
                    drop(inner);
                });
            },
        );
    println!("{}", report.to_json());
}
