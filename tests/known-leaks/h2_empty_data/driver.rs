//! A peer sends empty frames of a body, while the server keeps the request and has not
//! come to read it. The leaky release queues every frame; the fixed one drops them, and
//! closes the connection after some, and the peer comes again.

#![forbid(unsafe_code)]

use bytes::Bytes;
use h2::RecvStream;
use h2::server::{self, Connection, SendResponse};
use http::Request;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use tokio::io::{AsyncRead as _, AsyncWriteExt as _, DuplexStream, ReadBuf, duplex};
use tokio::runtime::{Builder, Runtime};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
/// POST http://a/ on stream 1, by the numbers of the static table and one literal; a
/// body follows.
const HEADERS: [u8; 15] = [0, 0, 6, 1, 4, 0, 0, 0, 1, 0x83, 0x86, 0x84, 0x41, 1, b'a'];
/// An empty piece of the body on stream 1, not the last.
const EMPTY: [u8; 9] = [0, 0, 0, 0, 0, 0, 0, 0, 1];

struct Peer {
    connection: Connection<DuplexStream, Bytes>,
    client: DuplexStream,
    // The server reads it when it has the time.
    _upload: (Request<RecvStream>, SendResponse<Bytes>),
}

impl Peer {
    async fn connect() -> Self {
        let (mut client, server) = duplex(1 << 16);
        client.write_all(PREFACE).await.expect("there is room");
        client.write_all(&SETTINGS).await.expect("there is room");
        client.write_all(&HEADERS).await.expect("there is room");
        let mut connection = server::handshake(server)
            .await
            .expect("they understand each other");
        let upload = connection.accept().await.expect("there is a request");
        Self {
            connection,
            client,
            _upload: upload.expect("it is sound"),
        }
    }

    /// Sends an empty frame; says whether the server is still there.
    async fn send_nothing(&mut self) -> bool {
        if self.client.write_all(&EMPTY).await.is_err() {
            return false;
        }
        let Self {
            connection, client, ..
        } = self;
        poll_fn(|context| {
            let closed = connection.poll_closed(context).is_ready();
            // What the server says is read and forgotten.
            let mut buffer = [0; 1_024];
            let mut answer = ReadBuf::new(&mut buffer);
            while let Poll::Ready(Ok(())) = Pin::new(&mut *client).poll_read(context, &mut answer) {
                if answer.filled().is_empty() {
                    break;
                }
                answer.clear();
            }
            Poll::Ready(!closed)
        })
        .await
    }
}

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(1_000)
        .run(
            || {
                let runtime = Builder::new_current_thread().build().expect("a runtime");
                let peer = runtime.block_on(Peer::connect());
                (runtime, peer)
            },
            |(runtime, peer): &mut (Runtime, Peer), _| {
                runtime.block_on(async {
                    if !peer.send_nothing().await {
                        *peer = Peer::connect().await;
                    }
                });
            },
        );
    println!("{}", report.to_json());
}
