//! Each job has a private runtime with blocking work, which is shut down before the
//! queue has drained. The leaky release forgets the tasks that never ran.

#![forbid(unsafe_code)]

use std::sync::mpsc;
use tokio::runtime::Builder;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(100)
        .run(
            || (),
            |(), _| {
                let runtime = Builder::new_multi_thread()
                    .worker_threads(1)
                    .max_blocking_threads(1)
                    .build()
                    .expect("a runtime");
                let (go_on, wait) = mpsc::channel::<()>();
                let (started, has_started) = mpsc::channel();
                runtime.spawn_blocking(move || {
                    started.send(()).expect("the job waits");
                    let _ = wait.recv();
                });
                has_started.recv().expect("the first task runs");
                for _ in 0..4 {
                    runtime.spawn_blocking(|| ());
                }
                // The queue is closed first, and then the thread goes on.
                let handle = runtime.handle().clone();
                runtime.shutdown_background();
                drop(handle);
                drop(go_on);
            },
        );
    println!("{}", report.to_json());
}
