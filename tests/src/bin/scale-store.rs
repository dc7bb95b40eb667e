//! The market-data store with ever more symbols: time and memory against size.
//!
//! Run on request, since it is about a machine and not about right or wrong:
//! `cargo run --release -p highwater-tests --bin scale-store`. Memory is exact all
//! the same, so the program fails if a symbol takes more among many than among few.

#![forbid(unsafe_code)]

use comfy_table::presets::NOTHING;
use comfy_table::{Cell, CellAlignment, Table};
use highwater::{ByteSize, Scope};
use highwater_fixtures::{CandleSource, Caps, MarketFeed, OhlcvStore, OpenInterestStore};
use std::process::ExitCode;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

/// How many, and how that is written.
const SYMBOLS: [(u64, &str); 3] = [(10, "10"), (100, "100"), (1_000, "1,000")];
/// A quarter of an hour's.
const FETCHES: u32 = 79;
/// How much more or less a symbol may take, in per cent.
const TOLERANCE: u64 = 1;

struct Measured {
    symbols: u64,
    label: &'static str,
    /// Of all fetches.
    duration: Duration,
    /// Of all symbols, once.
    quickest_fetch: Duration,
    live_bytes: u64,
    peak_bytes: u64,
}

impl Measured {
    fn bytes_per_symbol(&self) -> u64 {
        self.live_bytes / self.symbols
    }
}

fn main() -> ExitCode {
    let measured = SYMBOLS.map(measure);
    println!("{}", table(&measured));
    let sizes = measured.each_ref().map(Measured::bytes_per_symbol);
    let least = sizes.into_iter().min().unwrap_or(0);
    let most = sizes.into_iter().max().unwrap_or(0);
    println!(
        "a symbol takes {} to {}",
        ByteSize::b(least),
        ByteSize::b(most)
    );
    if most - least > least * TOLERANCE / 100 {
        eprintln!(
            "error: memory a symbol differs by more than {TOLERANCE}%, expected it to be flat"
        );
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Fetches for so many symbols. The exchange that is fetched from is not counted.
fn measure((symbols, label): (u64, &'static str)) -> Measured {
    let count = usize::try_from(symbols).expect("a thousand at the most");
    let mut feed = MarketFeed::new(count, &CandleSource::generated());
    let scope = Scope::enter("market-data store");
    let start = Instant::now();
    let mut candles = OhlcvStore::new(Caps::AtMerge);
    let mut open_interest = OpenInterestStore::new(Caps::AtMerge);
    let mut quickest_fetch = Duration::MAX;
    for _ in 0..FETCHES {
        let fetch = Instant::now();
        candles.fetch(&feed);
        open_interest.fetch(&feed);
        quickest_fetch = quickest_fetch.min(fetch.elapsed());
        feed.move_on();
    }
    let duration = start.elapsed();
    let usage = scope.usage();
    Measured {
        symbols,
        label,
        duration,
        quickest_fetch,
        live_bytes: usage.live_bytes,
        peak_bytes: usage.peak_bytes,
    }
}

fn table(measured: &[Measured]) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING);
    let right = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
    let header = [
        "symbols",
        "time",
        "quickest fetch a symbol",
        "live",
        "peak",
        "live a symbol",
    ];
    table.set_header(header.map(|name| right(name.to_owned())));
    for row in measured {
        let us_per_symbol = row.quickest_fetch.as_secs_f64() * 1e6 / row.symbols as f64;
        table.add_row([
            right(row.label.to_owned()),
            right(format!("{:.2} s", row.duration.as_secs_f64())),
            right(format!("{us_per_symbol:.1} us")),
            right(ByteSize::b(row.live_bytes).to_string()),
            right(ByteSize::b(row.peak_bytes).to_string()),
            right(ByteSize::b(row.bytes_per_symbol()).to_string()),
        ]);
    }
    table
}
