//! A client calls a method of a server on loopback, always by the same WebSocket. The
//! leaky release keeps the handle of every call until the connection ends.

#![forbid(unsafe_code)]

use jsonrpsee_server::{RpcModule, Server, ServerHandle};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

const UPGRADE: &[u8] = b"GET / HTTP/1.1\r\n\
    Host: localhost\r\n\
    Connection: Upgrade\r\n\
    Upgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const CALL: &[u8] = br#"{"jsonrpc":"2.0","method":"greet","id":1}"#;

struct Client {
    runtime: Runtime,
    socket: TcpStream,
    _server: ServerHandle,
}

async fn connect() -> (TcpStream, ServerHandle) {
    let server = Server::builder().build("127.0.0.1:0").await;
    let server = server.expect("a port");
    let address = server.local_addr().expect("its address");
    let mut methods = RpcModule::new(());
    methods
        .register_method("greet", |_, _| "hello")
        .expect("there is no other");
    let server = server.start(methods);
    let mut socket = TcpStream::connect(address).await.expect("a connection");
    socket.write_all(UPGRADE).await.expect("it is sent");
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(socket.read_u8().await.expect("an answer"));
    }
    assert!(answer.starts_with(b"HTTP/1.1 101 "));
    (socket, server)
}

/// A whole text, masked with zeros.
async fn call(socket: &mut TcpStream) {
    let mut frame = vec![0x81, 0x80 | CALL.len() as u8, 0, 0, 0, 0];
    frame.extend(CALL);
    socket.write_all(&frame).await.expect("it is sent");
    assert_eq!(socket.read_u8().await.expect("an answer"), 0x81);
    let length = socket.read_u8().await.expect("an answer");
    let mut answer = vec![0; length.into()];
    socket.read_exact(&mut answer).await.expect("an answer");
    assert!(answer.windows(5).any(|text| text == b"hello"));
    // What the server does after the answer.
    for _ in 0..8 {
        tokio::task::yield_now().await;
    }
}

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(150)
        .run(
            || {
                let runtime = Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .expect("a runtime");
                let (socket, server) = runtime.block_on(connect());
                Client {
                    runtime,
                    socket,
                    _server: server,
                }
            },
            |client: &mut Client, _| client.runtime.block_on(call(&mut client.socket)),
        );
    println!("{}", report.to_json());
}
