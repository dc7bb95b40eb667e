//! A peer opens streams and resets each at once, while the server is too busy to
//! accept any. The leaky release keeps every stream until it is accepted; the fixed
//! one closes the connection after some, and the peer comes again.

#![forbid(unsafe_code)]

use bytes::Bytes;
use h2::server::{self, Connection};
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use tokio::io::{AsyncRead as _, AsyncWriteExt as _, DuplexStream, ReadBuf, duplex};
use tokio::runtime::{Builder, Runtime};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
/// GET http://a/, by the numbers of the static table and one literal.
const HEADERS: [u8; 6] = [0x82, 0x86, 0x84, 0x41, 1, b'a'];

struct Peer {
    connection: Connection<DuplexStream, Bytes>,
    client: DuplexStream,
    stream: u32,
}

impl Peer {
    async fn connect() -> Self {
        let (mut client, server) = duplex(1 << 16);
        client.write_all(PREFACE).await.expect("there is room");
        client.write_all(&SETTINGS).await.expect("there is room");
        let connection = server::handshake(server)
            .await
            .expect("they understand each other");
        Self {
            connection,
            client,
            stream: 1,
        }
    }

    /// Opens a stream and resets it; says whether the server is still there.
    async fn open_and_reset(&mut self) -> bool {
        let id = self.stream.to_be_bytes();
        self.stream += 2;
        let mut frames = vec![0, 0, HEADERS.len() as u8, 1, 5];
        frames.extend(id);
        frames.extend(HEADERS);
        frames.extend([0, 0, 4, 3, 0]);
        frames.extend(id);
        frames.extend([0, 0, 0, 8]);
        if self.client.write_all(&frames).await.is_err() {
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
        .steps(500)
        .run(
            || {
                let runtime = Builder::new_current_thread().build().expect("a runtime");
                let peer = runtime.block_on(Peer::connect());
                (runtime, peer)
            },
            |(runtime, peer): &mut (Runtime, Peer), _| {
                runtime.block_on(async {
                    if !peer.open_and_reset().await {
                        *peer = Peer::connect().await;
                    }
                });
            },
        );
    println!("{}", report.to_json());
}
