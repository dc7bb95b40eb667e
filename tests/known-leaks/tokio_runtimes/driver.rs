//! Each job has a private runtime that is shut down at its end.

#![forbid(unsafe_code)]

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
                    .enable_all()
                    .build()
                    .expect("a runtime");
                let answer = runtime.block_on(async { tokio::spawn(async { 42 }).await });
                assert_eq!(answer.expect("the task ends"), 42);
            },
        );
    println!("{}", report.to_json());
}
