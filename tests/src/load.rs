//! The two loads that allocators are compared on.
//!
//! One program for each allocator calls [`main`] with that allocator installed;
//! the benchmark starts them in turn and compares what they print.

use serde::Deserialize;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::Instant;

/// Candles in one realistic load.
pub const CANDLES: usize = 10_000;

const SYMBOLS: usize = 10;
/// How many candles a symbol's ring holds.
const RING: usize = 500;

/// Runs what the command line asks for and prints how many nanoseconds that
/// took: `pair N` makes N malloc/free pairs of 64 bytes, `load N` parses the candles N times,
/// and either with `THREADS` behind it on each of so many threads at once.
///
/// # Panics
/// On any other command line.
pub fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |text: &String| -> u32 { text.parse().expect("a number") };
    let nanoseconds = match &arguments[..] {
        [load, units] if load == "pair" => repeated(number(units), pair),
        [load, units, threads] if load == "pair" => {
            on_threads(number(threads), || repeated(number(units), pair))
        }
        [load, units] if load == "load" => {
            let messages = messages();
            repeated(number(units), || realistic(&messages))
        }
        [load, units, threads] if load == "load" => {
            let messages = messages();
            on_threads(number(threads), || {
                repeated(number(units), || realistic(&messages))
            })
        }
        _ => panic!("usage: pair N [THREADS] | load N [THREADS]"),
    };
    println!("{nanoseconds}");
}

fn repeated(units: u32, unit: impl Fn()) -> u128 {
    let started = Instant::now();
    for _ in 0..units {
        unit();
    }
    started.elapsed().as_nanos()
}

/// What the slowest of the threads took.
fn on_threads(threads: u32, work: impl Fn() -> u128 + Sync) -> u128 {
    let together = Barrier::new(threads as usize);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    together.wait();
                    work()
                })
            })
            .collect();
        let times = threads
            .into_iter()
            .map(|thread| thread.join().expect("it ends"));
        times.max().unwrap_or(0)
    })
}

/// A box of 64 bytes, made, filled and dropped: one `malloc` and one `free`, with
/// next to nothing to hide behind. Filled with zeros it would be a `calloc`.
#[inline(never)]
fn pair() {
    drop(black_box(Box::new([black_box(1_u8); 64])));
}

/// A message of an exchange's candle stream.
#[derive(Deserialize)]
struct Message {
    #[serde(rename = "s")]
    symbol: String,
    #[serde(rename = "k")]
    kline: Kline,
}

/// Exchanges send prices as text, so that nobody rounds them on the way.
#[derive(Deserialize)]
struct Kline {
    #[serde(rename = "t")]
    open_time: u64,
    #[serde(rename = "i")]
    interval: String,
    #[serde(rename = "o")]
    open: String,
    #[serde(rename = "h")]
    high: String,
    #[serde(rename = "l")]
    low: String,
    #[serde(rename = "c")]
    close: String,
    #[serde(rename = "v")]
    volume: String,
}

/// What the service keeps of a message.
struct Candle {
    symbol: String,
    interval: String,
    open_time: u64,
    prices: [f64; 5],
}

/// The messages, with the members that nobody reads, as an exchange sends them.
fn messages() -> Vec<String> {
    (0..CANDLES)
        .map(|i| {
            let (price, symbol) = (20_000 + i % 977, i % SYMBOLS);
            let time = 1_700_000_000_000 + i * 60_000;
            format!(
                r#"{{"e":"kline","E":{time},"s":"SYM{symbol}USDT","k":{{"t":{time},"T":{},"s":"SYM{symbol}USDT","i":"1m","f":{i},"L":{},"o":"{price}.10000000","c":"{price}.55000000","h":"{price}.90000000","l":"{price}.05000000","v":"{symbol}.25000000","n":{symbol},"x":true,"q":"{price}.12345678","V":"{symbol}.12500000","Q":"{price}.06172839","B":"0"}}}}"#,
                time + 59_999,
                i + symbol,
            )
        })
        .collect()
}

/// Parses all messages into a ring for each symbol and follows the average of
/// the last closes, as a service does all day.
#[inline(never)]
fn realistic(messages: &[String]) {
    let mut rings: HashMap<String, VecDeque<Candle>, BuildHasherDefault<DefaultHasher>> =
        HashMap::default();
    let number = |text: &String| -> f64 { text.parse().expect("our own prices") };
    for message in messages {
        let Message { symbol, kline } = serde_json::from_str(message).expect("our own JSON");
        let texts = [
            &kline.open,
            &kline.high,
            &kline.low,
            &kline.close,
            &kline.volume,
        ];
        let candle = Candle {
            prices: texts.map(number),
            open_time: kline.open_time,
            interval: kline.interval,
            symbol,
        };
        let ring = rings.entry(candle.symbol.clone()).or_default();
        if ring.len() == RING {
            ring.pop_front();
        }
        ring.push_back(candle);
        let closes = ring.iter().rev().take(30).map(|candle| candle.prices[3]);
        black_box(closes.sum::<f64>());
    }
    for candle in rings.values().filter_map(VecDeque::back) {
        black_box((&candle.symbol, &candle.interval, candle.open_time));
    }
}
