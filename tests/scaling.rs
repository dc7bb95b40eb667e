//! `Scaling` on work whose law is known: a server, the market-data store, an order book, and
//! what its messages say.

#![forbid(unsafe_code)]

use highwater::{ByteSize, Law, Scaled, Scaling};
use highwater_fixtures::{CandleSource, Caps, MarketFeed, OhlcvStore};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

/// The message of a failed assertion, which fits the screen.
#[track_caller]
fn message_of(scaled: &Scaled) -> String {
    let payload = catch_unwind(AssertUnwindSafe(|| scaled.assert())).expect_err("it fails");
    let text = *payload.downcast::<String>().expect("it is formatted");
    fits_the_screen(&text);
    text
}

#[track_caller]
fn fits_the_screen(text: &str) {
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    assert!(text.lines().count() <= 24, "{text}");
}

/// A server in this process, and its connections.
struct Server {
    // Dropped before its tasks.
    connections: Vec<mpsc::Sender<String>>,
    runtime: Runtime,
}

impl Server {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().build().expect("a runtime");
        let connections = Vec::new();
        Self {
            connections,
            runtime,
        }
    }

    /// A connection is a task with a buffer. With `peers` it has a list of all others.
    fn connect(&mut self, with_peers: bool) {
        let (sender, mut requests) = mpsc::channel::<String>(8);
        let peers = if with_peers {
            self.connections.clone()
        } else {
            Vec::new()
        };
        self.runtime.spawn(async move {
            let mut buffer = String::with_capacity(4_096);
            while let Some(request) = requests.recv().await {
                buffer.clear();
                let _ = write!(buffer, "{request} of {}", peers.len());
            }
        });
        self.connections.push(sender);
    }

    fn run_until_idle(&self) {
        self.runtime.block_on(async {
            // A few tasks are polled each time.
            for _ in 0..self.connections.len() {
                tokio::task::yield_now().await;
            }
        });
    }
}

fn server_with(connections: u64) -> Server {
    let mut server = Server::new();
    (0..connections).for_each(|_| server.connect(false));
    server.run_until_idle();
    server
}

#[test]
fn a_connection_of_a_server_has_its_bytes() {
    let scaled = Scaling::new("connections")
        .sizes([64, 128, 256, 512])
        .at_most(Law::Linear)
        .bytes_per_unit(ByteSize::kib(6))
        .run(server_with);
    scaled.assert();
    assert_eq!(scaled.law(), Some(Law::Linear));
    let (least, most) = scaled.bytes_per_unit_bounds().expect("it is told");
    assert!(4_096.0 < least && most < 6_144.0, "{scaled}");
    fits_the_screen(&scaled.to_string());
}

/// Each connection knows all others: the leaky twin.
#[test]
fn connections_that_know_each_other_are_superlinear() {
    let scaled = Scaling::new("connections")
        .sizes([256, 512, 1_024, 2_048])
        .at_most(Law::Linear)
        .bytes_per_unit(ByteSize::kib(6))
        .run(|connections| {
            let mut server = Server::new();
            (0..connections).for_each(|_| server.connect(true));
            server
        });
    let text = message_of(&scaled);
    assert!(scaled.law() == Some(Law::Superlinear), "{text}");
    assert!(
        text.starts_with("`connections` by size: live: superlinear, as n^"),
        "{text}"
    );
}

#[highwater::test]
fn a_symbol_of_the_market_store_has_its_bytes() {
    let candles = CandleSource::generated();
    let store_of = |symbols: u64| {
        let mut feed = MarketFeed::new(usize::try_from(symbols).expect("few"), &candles);
        let mut store = OhlcvStore::new(Caps::AtMerge);
        for _ in 0..3 {
            store.fetch(&feed);
            feed.move_on();
        }
        store
    };
    let scaled = Scaling::new("symbols")
        .sizes([2, 4, 8, 16])
        .at_most(Law::Linear)
        .bytes_per_unit(ByteSize::kib(400))
        .run(store_of);
    scaled.assert();
}

/// Leaves of a tree are between half full and full.
#[test]
fn an_order_book_is_linear_in_its_depth() {
    let book = |depth: u64| -> BTreeMap<u64, f64> {
        let price = |level: u64| (level * 7_919) % (depth * 8_191);
        (0..depth).map(|level| (price(level), 1.0)).collect()
    };
    let scaled = Scaling::new("order-book")
        .sizes([1_000, 2_000, 4_000, 8_000])
        .at_most(Law::Linear)
        .bytes_per_unit(ByteSize::b(64))
        .run(book);
    scaled.assert();
}

/// The sizes double, as the table does: what it takes between them shows halfway.
#[test]
fn a_table_that_doubles_has_bounds_that_hold() {
    let table = |n: u64| {
        let mut table = Vec::new();
        (0..n).for_each(|i| table.push(i));
        table
    };
    let scaled = Scaling::new("table").run(table);
    scaled.assert();
    let (least, most) = scaled.bytes_per_unit_bounds().expect("it is told");
    for n in [100, 128, 129, 256, 257, 512, 513, 800] {
        let each = (table(n).capacity() * 8) as f64 / n as f64;
        assert!(
            least <= each && each <= most,
            "{n}: {each} in {least} to {most}"
        );
    }
    fits_the_screen(&scaled.to_string());
    insta::assert_snapshot!(scaled);
}

/// A list of neighbours for each node.
fn neighbours(n: u64) -> Vec<Vec<u64>> {
    (0..n).map(|_| black_box((0..n).collect())).collect()
}

#[test]
fn too_fast_a_law_and_too_many_bytes() {
    let scaled = Scaling::new("neighbours")
        .at_most(Law::Linear)
        .bytes_per_unit(ByteSize::kib(1))
        .run(neighbours);
    insta::assert_snapshot!(message_of(&scaled));
}

#[test]
fn a_law_within_its_limit() {
    let scaled = Scaling::new("neighbours")
        .at_most(Law::Superlinear)
        .run(neighbours);
    scaled.assert();
    let scaled = Scaling::new("constant")
        .at_most(Law::Constant)
        .bytes_per_unit(ByteSize::b(0))
        .run(|n| {
            // Live bytes are the same; more is allocated.
            (0..n).for_each(|i| drop(black_box(Box::new(i))));
            black_box(vec![0_u8; 1_000])
        });
    scaled.assert();
    insta::assert_snapshot!(scaled);
}

#[test]
fn too_few_sizes_tell_nothing() {
    let scaled = Scaling::new("few").sizes([100, 200, 300]).run(neighbours);
    assert_eq!((scaled.law(), scaled.samples().len()), (None, 0));
    insta::assert_snapshot!(message_of(&scaled));
}

#[test]
fn work_that_does_not_vary_tells_nothing() {
    let same = Scaling::new("same").run(|_| black_box(vec![0_u8; 1_000]));
    insta::assert_snapshot!(message_of(&same));
    let nothing = Scaling::new("nothing").run(|_| ());
    let text = message_of(&nothing);
    assert!(
        text.contains("the work allocates nothing at any size"),
        "{text}"
    );
}

/// Every second run holds more than grows from size to size.
#[test]
fn what_differs_from_run_to_run_is_left_open() {
    let runs = AtomicUsize::new(0);
    let scaled = Scaling::new("noisy").at_most(Law::Linear).run(|n| {
        let noise = if runs.fetch_add(1, Relaxed) > 7 {
            20_000
        } else {
            1
        };
        (
            black_box(vec![0_u8; noise]),
            black_box(vec![0_u64; usize::try_from(n).unwrap_or(0)]),
        )
    });
    insta::assert_snapshot!(message_of(&scaled));
}

#[test]
fn a_name_is_needed() {
    let outcome = catch_unwind(|| Scaling::new(""));
    let payload = outcome.map(drop).expect_err("it is refused");
    let text = payload.downcast_ref::<&str>().expect("it is not formatted");
    assert_eq!(*text, "highwater: what scales needs a name");
}
