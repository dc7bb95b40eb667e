//! Each tenant starts a server on loopback, which answers one request and is then
//! aborted. In the leaky release a task that waits for connections to end stays.

#![forbid(unsafe_code)]

use axum::Router;
use axum::routing::get;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

async fn serve_one() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    let service = Router::new().route("/", get(|| async { "hello" }));
    let server = tokio::spawn(async move { axum::serve(listener, service).await });
    let mut client = TcpStream::connect(address).await.expect("a connection");
    let request = b"GET / HTTP/1.1\r\nhost: tenant\r\nconnection: close\r\n\r\n";
    client.write_all(request).await.expect("it is sent");
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await.expect("an answer");
    assert!(answer.ends_with(b"hello"));
    server.abort();
    let _ = server.await;
    // What the server left behind may end now, if it ever does.
    for _ in 0..8 {
        tokio::task::yield_now().await;
    }
}

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(60)
        .run(
            || {
                Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .expect("a runtime")
            },
            |runtime: &mut Runtime, _| runtime.block_on(serve_one()),
        );
    println!("{}", report.to_json());
}
