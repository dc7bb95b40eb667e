//! A session listens on loopback, accepts the connection of one peer, answers it and is
//! closed. In the leaky release the connection and the table of connections hold each
//! other, and the socket with them.

#![forbid(unsafe_code)]

use tokio::net::UdpSocket;
use tokio::runtime::{Builder, Runtime};
use webrtc_util::conn::Listener as _;
use webrtc_util::conn::conn_udp_listener::listen;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

async fn one_session(peer: &UdpSocket) {
    let listener = listen("127.0.0.1:0").await.expect("a port");
    let address = listener.addr().await.expect("its address");
    peer.send_to(b"hello", address).await.expect("it is sent");
    let (connection, _) = listener.accept().await.expect("the peer comes");
    let mut buffer = [0; 64];
    let length = connection.recv(&mut buffer).await.expect("it speaks");
    let sent = connection.send(&buffer[..length]).await;
    assert_eq!(sent.expect("it listens"), length);
    let (length, _) = peer.recv_from(&mut buffer).await.expect("an answer");
    assert_eq!(&buffer[..length], b"hello");
    drop(connection);
    listener.close().await.expect("it is open");
    drop(listener);
    // The task that read for the listener may end now.
    for _ in 0..8 {
        tokio::task::yield_now().await;
    }
}

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(50)
        .run(
            || {
                let runtime = Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .expect("a runtime");
                let peer = runtime.block_on(UdpSocket::bind("127.0.0.1:0"));
                (runtime, peer.expect("a port"))
            },
            |(runtime, peer): &mut (Runtime, UdpSocket), _| runtime.block_on(one_session(peer)),
        );
    println!("{}", report.to_json());
}
