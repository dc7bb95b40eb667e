//! Each request has a cancellation token, with a child for its sub-task, and is
//! cancelled at its end. In the leaky release the two keep each other alive.

#![forbid(unsafe_code)]

use tokio_util::sync::CancellationToken;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(2_000)
        .run(
            || (),
            |(), _| {
                let request = CancellationToken::new();
                let sub_task = request.child_token();
                let deeper = sub_task.child_token();
                request.cancel();
                assert!(deeper.is_cancelled());
            },
        );
    println!("{}", report.to_json());
}
