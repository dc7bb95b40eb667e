//! A task waits for a change of the settings, which do not change, or for the next
//! message, and handles one message. The leaky release keeps another waker of the same
//! task each time it is asked for a change.

#![forbid(unsafe_code)]

use futures_util::future::{Either, select};
use n0_watcher::{Direct, Watchable, Watcher as _};
use std::pin::pin;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{Receiver, Sender, channel};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

struct Service {
    runtime: Runtime,
    _settings: Watchable<u64>,
    messages: Sender<u64>,
    answers: Receiver<u64>,
}

async fn serve(mut changes: Direct<u64>, mut messages: Receiver<u64>, answers: Sender<u64>) {
    loop {
        let change = pin!(changes.updated());
        let next = pin!(messages.recv());
        match select(change, next).await {
            Either::Left(_) => panic!("the settings did not change"),
            Either::Right((Some(message), _)) => {
                answers.send(message + 1).await.expect("somebody waits");
            }
            Either::Right((None, _)) => break,
        }
    }
}

impl Service {
    fn start() -> Self {
        let runtime = Builder::new_current_thread().build().expect("a runtime");
        let settings = Watchable::new(1);
        let (messages, to_handle) = channel(16);
        let (handled, answers) = channel(16);
        runtime.spawn(serve(settings.watch(), to_handle, handled));
        Self {
            runtime,
            _settings: settings,
            messages,
            answers,
        }
    }

    fn handle_one(&mut self, message: u64) {
        let Self {
            runtime,
            messages,
            answers,
            ..
        } = self;
        runtime.block_on(async {
            messages.send(message).await.expect("the task runs");
            assert_eq!(answers.recv().await, Some(message + 1));
        });
    }
}

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(4_000)
        .run(Service::start, Service::handle_one);
    println!("{}", report.to_json());
}
