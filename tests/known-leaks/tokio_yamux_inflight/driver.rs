//! A client opens a stream to its peer in memory, which sends back what it hears, and
//! closes it. The leaky release keeps the number of every stream that it opened.

#![forbid(unsafe_code)]

use futures::channel::mpsc::{Receiver, Sender, channel};
use futures::{SinkExt as _, StreamExt as _};
use std::future::poll_fn;
use std::task::Poll;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::runtime::{Builder, Runtime};
use tokio_yamux::config::Config;
use tokio_yamux::session::Session;
use tokio_yamux::stream::StreamHandle;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

async fn echo(mut stream: StreamHandle) {
    let mut word = [0; 5];
    if stream.read_exact(&mut word).await.is_ok() {
        stream.write_all(&word).await.expect("the client listens");
    }
    // What is left is the end.
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
}

async fn serve(mut session: Session<DuplexStream>) {
    while let Some(Ok(stream)) = session.next().await {
        tokio::spawn(echo(stream));
    }
}

/// Opens a stream for each wish.
async fn open(
    mut session: Session<DuplexStream>,
    mut wishes: Receiver<()>,
    mut streams: Sender<StreamHandle>,
) {
    poll_fn(|context| {
        while let Poll::Ready(Some(())) = wishes.poll_next_unpin(context) {
            let stream = session.open_stream().expect("the peer is there");
            streams.try_send(stream).expect("somebody waits for it");
        }
        while let Poll::Ready(next) = session.poll_next_unpin(context) {
            if next.is_none() {
                return Poll::Ready(());
            }
        }
        Poll::Pending
    })
    .await;
}

struct Client {
    runtime: Runtime,
    wishes: Sender<()>,
    streams: Receiver<StreamHandle>,
}

impl Client {
    fn connect() -> Self {
        let runtime = Builder::new().basic_scheduler().build();
        let runtime = runtime.expect("a runtime");
        let (ours, theirs) = duplex(1 << 16);
        let config = Config {
            // There is no clock.
            enable_keepalive: false,
            ..Config::default()
        };
        runtime.spawn(serve(Session::new_server(theirs, config)));
        let (wishes, to_open) = channel(1);
        let (opened, streams) = channel(1);
        let session = Session::new_client(ours, config);
        runtime.spawn(open(session, to_open, opened));
        Self {
            runtime,
            wishes,
            streams,
        }
    }

    fn ask(&mut self) {
        let Self {
            runtime,
            wishes,
            streams,
        } = self;
        runtime.block_on(async {
            wishes.send(()).await.expect("the client runs");
            let mut stream = streams.next().await.expect("a stream");
            stream.write_all(b"hello").await.expect("the peer listens");
            let mut word = [0; 5];
            stream.read_exact(&mut word).await.expect("it answers");
            assert_eq!(&word, b"hello");
            stream.shutdown().await.expect("it is open");
        });
    }
}

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(250)
        .run(Client::connect, |client: &mut Client, _| client.ask());
    println!("{}", report.to_json());
}
