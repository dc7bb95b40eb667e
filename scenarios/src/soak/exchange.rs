//! The exchange: sends the trades of the feed over sockets on the loopback, and what receives
//! them in the service.
//!
//! It has no clock. Whoever has one tells it when a second begins, and it writes the trades of
//! that second from a thread of its own. Each connection ends a second with a heartbeat, so the
//! receiver knows without a clock that all of it has arrived. What the exchange holds is in a
//! component of its own: it is not the service.

use highwater_fixtures::TradeFeed;
use highwater_monitor::Component;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// The name of its component.
pub(super) const NAME: &str = "exchange";

/// What ends a second on a connection.
const HEARTBEAT: &str = r#"{"kind":"heartbeat"}"#;

/// After so long without a byte a connection is dead.
const SILENCE: Duration = Duration::from_secs(30);

/// The exchange's side: ends when it is dropped.
pub(super) struct Exchange {
    seconds: Option<SyncSender<()>>,
    sent: Arc<AtomicU64>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

/// The service's side: one end of each connection.
pub(super) struct Connections(Vec<BufReader<TcpStream>>);

/// Starts the exchange, and opens all connections to it.
pub(super) fn open() -> io::Result<(Exchange, Vec<TcpStream>)> {
    let _component = Component::enter(NAME);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..TradeFeed::CONNECTIONS {
        let client = TcpStream::connect(address)?;
        let server = loop {
            let (server, peer) = listener.accept()?;
            // Any program of this machine may connect.
            if peer == client.local_addr()? {
                break server;
            }
        };
        client.set_read_timeout(Some(SILENCE))?;
        server.set_write_timeout(Some(SILENCE))?;
        server.set_nodelay(true)?;
        ours.push(client);
        theirs.push(server);
    }
    let (seconds, begun) = sync_channel(1);
    let sent = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&sent);
    let thread = thread::Builder::new().name(NAME.to_owned());
    let thread = thread.spawn(move || send(&mut theirs, &begun, &counter))?;
    let exchange = Exchange {
        seconds: Some(seconds),
        sent,
        thread: Some(thread),
    };
    Ok((exchange, ours))
}

/// Writes the trades of each second that begins, until there are no more.
fn send(streams: &mut [TcpStream], begun: &Receiver<()>, sent: &AtomicU64) -> io::Result<()> {
    let mut feed = TradeFeed::new();
    let mut lines = vec![String::new(); streams.len()];
    while begun.recv().is_ok() {
        let mut count = 0;
        feed.next_second(|connection, message| {
            lines[connection].push_str(message);
            lines[connection].push('\n');
            count += 1;
        });
        // Before they are written, so that never more was received than sent.
        sent.fetch_add(count, Ordering::Relaxed);
        for (stream, lines) in streams.iter_mut().zip(&mut lines) {
            lines.push_str(HEARTBEAT);
            lines.push('\n');
            stream.write_all(lines.as_bytes())?;
            lines.clear();
        }
    }
    Ok(())
}

impl Exchange {
    /// A second begins.
    pub(super) fn second(&mut self) -> io::Result<()> {
        let seconds = self.seconds.as_ref();
        if seconds.is_some_and(|seconds| seconds.send(()).is_ok()) {
            return Ok(());
        }
        Err(self.end().err().unwrap_or_else(ended))
    }

    /// How many messages it sent, heartbeats aside.
    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Has it end, and says what it ended with.
    fn end(&mut self) -> io::Result<()> {
        self.seconds = None;
        let Some(thread) = self.thread.take() else {
            return Err(ended());
        };
        let outcome = thread.join().unwrap_or_else(|_| Err(ended()));
        outcome.map_err(|error| io::Error::new(error.kind(), format!("the exchange: {error}")))
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        // It may be that nobody reads any more; that is no failure now.
        let _ = self.end();
    }
}

fn ended() -> io::Error {
    io::Error::other("the exchange has ended")
}

impl Connections {
    /// Of the service's ends of all connections. What buffers the messages belongs to who calls
    /// this.
    pub(super) fn new(streams: Vec<TcpStream>) -> Self {
        Self(streams.into_iter().map(BufReader::new).collect())
    }

    /// Receives what comes until all connections have ended a second, and hands over each message
    /// with the number of its connection.
    pub(super) fn second(&mut self, mut deliver: impl FnMut(usize, &str)) -> io::Result<()> {
        let mut line = String::new();
        for (number, stream) in self.0.iter_mut().enumerate() {
            loop {
                line.clear();
                let read = stream.read_line(&mut line);
                let read = read.map_err(|error| lost(number, error.kind(), &error.to_string()))?;
                let Some(message) = line.strip_suffix('\n') else {
                    let what = match read {
                        0 => "the exchange closed it",
                        _ => "the exchange closed it within a message",
                    };
                    return Err(lost(number, io::ErrorKind::UnexpectedEof, what));
                };
                if message == HEARTBEAT {
                    break;
                }
                deliver(number, message);
            }
        }
        Ok(())
    }
}

fn lost(number: usize, kind: io::ErrorKind, what: &str) -> io::Error {
    let what = match kind {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            format!("nothing came for {} s", SILENCE.as_secs())
        }
        _ => what.to_owned(),
    };
    let of = TradeFeed::CONNECTIONS;
    io::Error::new(kind, format!("connection {} of {of}: {what}", number + 1))
}

#[cfg(test)]
mod tests {
    use super::{Connections, Exchange, HEARTBEAT};
    use highwater_fixtures::TradeFeed;
    use std::io::{self, Write as _};
    use std::net::{Ipv4Addr, TcpListener, TcpStream};

    type Messages = Vec<Vec<String>>;

    fn open() -> io::Result<(Exchange, Connections)> {
        let (exchange, streams) = super::open()?;
        Ok((exchange, Connections::new(streams)))
    }

    /// The messages of so many seconds by connection, as the feed makes them.
    fn of_the_feed(seconds: u64) -> Messages {
        let mut feed = TradeFeed::new();
        let mut messages = vec![Vec::new(); TradeFeed::CONNECTIONS];
        for _ in 0..seconds {
            feed.next_second(|connection, text| messages[connection].push(text.to_owned()));
        }
        messages
    }

    #[test]
    fn every_message_arrives_in_the_order_of_its_connection() {
        let (mut exchange, mut connections) = open().unwrap();
        let mut messages = vec![Vec::new(); TradeFeed::CONNECTIONS];
        for _ in 0..300 {
            exchange.second().unwrap();
            let take = |connection: usize, text: &str| messages[connection].push(text.to_owned());
            connections.second(take).unwrap();
        }
        assert_eq!(messages, of_the_feed(300));
        let received = messages.iter().map(Vec::len).sum::<usize>() as u64;
        assert_eq!((exchange.sent(), received), (51_299, 51_299));
    }

    /// Seconds that nobody received wait in the sockets.
    #[test]
    fn a_receiver_that_is_late_misses_nothing() {
        let (mut exchange, mut connections) = open().unwrap();
        for _ in 0..5 {
            exchange.second().unwrap();
        }
        let mut messages = vec![Vec::new(); TradeFeed::CONNECTIONS];
        for _ in 0..5 {
            let take = |connection: usize, text: &str| messages[connection].push(text.to_owned());
            connections.second(take).unwrap();
        }
        assert_eq!(messages, of_the_feed(5));
    }

    #[test]
    fn a_connection_that_the_exchange_closes_is_named() {
        let (exchange, mut connections) = open().unwrap();
        drop(exchange);
        let error = connections.second(|_, _| {}).unwrap_err();
        let expected = "connection 1 of 20: the exchange closed it";
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn a_message_that_is_cut_off_is_none() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let pair = || -> io::Result<_> {
            let client = TcpStream::connect(listener.local_addr()?)?;
            Ok((client, listener.accept()?.0))
        };
        let ((first, mut to_first), (second, mut to_second)) = (pair().unwrap(), pair().unwrap());
        let whole = format!("a\nb\n{HEARTBEAT}\n");
        to_first.write_all(whole.as_bytes()).unwrap();
        to_second.write_all(b"c\n{\"kind\"").unwrap();
        drop(to_second);
        let mut messages = Vec::new();
        let mut connections = Connections::new(vec![first, second]);
        let take = |number, text: &str| messages.push((number, text.to_owned()));
        let error = connections.second(take).unwrap_err();
        let expected = "connection 2 of 20: the exchange closed it within a message";
        assert_eq!(error.to_string(), expected);
        let message = |number, text: &str| (number, text.to_owned());
        assert_eq!(
            messages,
            [message(0, "a"), message(0, "b"), message(1, "c")]
        );
    }

    #[test]
    fn an_exchange_that_nobody_listens_to_says_so() {
        let (mut exchange, connections) = open().unwrap();
        drop(connections);
        // The first writes may go into buffers.
        let outcome = (0..10_000).find_map(|_| exchange.second().err());
        let error = outcome.expect("it notices").to_string();
        assert!(error.starts_with("the exchange: "), "{error}");
    }
}
