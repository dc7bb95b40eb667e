//! Messages go through a bounded channel, more by day than its receiver can take and
//! fewer at night. It is full before noon, and empty again before the next day.

#![forbid(unsafe_code)]

use std::f64::consts::TAU;
use tokio::sync::mpsc::{self, Receiver, Sender};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

type Ends = (Sender<String>, Receiver<String>);

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(1_250)
        .run(
            || mpsc::channel(6_000),
            |(sender, receiver): &mut Ends, i| {
                let day = i as f64 / 16_000.0 * TAU;
                let arrivals = (10.0 + 5.0 * day.sin()).round() as u64;
                for message in 0..arrivals {
                    // The sender is told when the queue is full, and drops the message.
                    let _ = sender.try_send(format!("message {message} of step {i:06}"));
                }
                for _ in 0..10 {
                    let _ = receiver.try_recv();
                }
            },
        );
    println!("{}", report.to_json());
}
