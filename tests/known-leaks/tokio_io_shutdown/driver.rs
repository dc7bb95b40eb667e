//! Each job has a private runtime with a server that still waits for a connection
//! when it is shut down. In the leaky release the waiting task and its place in the
//! reactor keep each other alive.

#![forbid(unsafe_code)]

use tokio::net::TcpListener;
use tokio::runtime::Builder;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(50)
        .run(
            || (),
            |(), _| {
                let runtime = Builder::new_current_thread()
                    .enable_io()
                    .build()
                    .expect("a runtime");
                runtime.block_on(async {
                    let server = TcpListener::bind("127.0.0.1:0").await.expect("a port");
                    tokio::spawn(async move { server.accept().await });
                    tokio::task::yield_now().await;
                });
            },
        );
    println!("{}", report.to_json());
}
