//! A request starts work in the background, and is withdrawn before the executor came
//! to it. The leaky release keeps the waker of each task that it never polled.

#![forbid(unsafe_code)]

use async_executor::LocalExecutor;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(1_000)
        .run(
            LocalExecutor::new,
            |executor: &mut LocalExecutor<'static>, request| {
                let work = executor.spawn(async move { request + 1 });
                drop(work);
                while executor.try_tick() {}
            },
        );
    println!("{}", report.to_json());
}
