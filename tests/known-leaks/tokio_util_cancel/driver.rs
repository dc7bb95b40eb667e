//! Each request has a cancellation token, with a nested child for a sub-task, and is
//! cancelled at its end. The leaky release then loses the token between the two.

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
                let sub_task = request.child_token().child_token();
                request.cancel();
                assert!(sub_task.is_cancelled());
            },
        );
    println!("{}", report.to_json());
}
