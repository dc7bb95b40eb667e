//! A request asks four replicas and takes the first answer; what is unfinished is
//! taken out of the set and cancelled. The leaky release never frees the nodes of the
//! set whose futures its iterator gives away.

#![forbid(unsafe_code)]

use futures_channel::oneshot;
use futures_util::FutureExt as _;
use futures_util::stream::{FuturesUnordered, StreamExt as _};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(1_000)
        .run(
            || (),
            |(), request| {
                let mut replicas = Vec::new();
                let mut answers = FuturesUnordered::new();
                for _ in 0..4 {
                    let (replica, answer) = oneshot::channel();
                    replicas.push(replica);
                    answers.push(answer);
                }
                assert_eq!(answers.next().now_or_never(), None);
                let fastest = replicas.swap_remove(request as usize % 4);
                fastest.send(request).expect("the request waits");
                assert_eq!(answers.next().now_or_never(), Some(Some(Ok(request))));
                for mut unfinished in answers {
                    unfinished.close();
                }
            },
        );
    println!("{}", report.to_json());
}
