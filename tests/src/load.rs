//! The two loads that allocators are compared on.
//!
//! One program for each allocator calls [`main`] with that allocator installed;
//! the benchmark starts them in turn and compares what they print.

use serde::Deserialize;
use std::cell::Cell;
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
/// For how cost grows there are N pairs so many frames deeper (`deep N FRAMES`), by turns from so
/// many call stacks (`sites N STACKS`), beside so many live blocks (`live N BLOCKS`), and in so
/// many scopes, one in the other (`scopes N SCOPES`). `resident BLOCKS` prints the most resident
/// memory of a process with so many live blocks, in bytes.
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
        [load, units, frames] if load == "deep" => {
            deeper(number(frames), &|| repeated(number(units), pair))
        }
        [load, units, stacks] if load == "sites" => {
            let stacks = number(stacks);
            (0..stacks).for_each(|path| from(LEVELS, path));
            let next = Cell::new(0);
            repeated(number(units), || {
                from(LEVELS, next.get());
                next.set((next.get() + 1) % stacks);
            })
        }
        [load, units, blocks] if load == "live" => {
            let _live = live(number(blocks));
            repeated(number(units), pair)
        }
        [load, units, scopes] if load == "scopes" => {
            in_scopes(number(scopes), &|| repeated(number(units), pair))
        }
        [load, blocks] if load == "resident" => {
            let _live = live(number(blocks));
            most_resident()
        }
        _ => panic!(
            "usage: (pair | load) N [THREADS] | (deep | sites | live | scopes) N COUNT | \
             resident BLOCKS"
        ),
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

/// Does the work so many frames deeper.
#[inline(never)]
fn deeper(frames: u32, work: &dyn Fn() -> u128) -> u128 {
    if frames == 0 {
        return work();
    }
    black_box(deeper(frames - 1, work))
}

/// So many call stacks differ in one of so many frames.
const LEVELS: u32 = 14;

/// Makes a pair from the call stack with this number, which has as many frames as all others.
#[inline(never)]
fn from(levels: u32, path: u32) {
    if levels == 0 {
        pair();
    } else if path.is_multiple_of(2) {
        from(levels - 1, path / 2);
        black_box(levels);
    } else {
        from(levels - 1, path / 2);
        black_box(path);
    }
}

// Boxes are blocks of their own, which is what is measured.
#[allow(clippy::vec_box)]
fn live(blocks: u32) -> Vec<Box<[u8; 64]>> {
    (0..blocks)
        .map(|_| Box::new([black_box(1_u8); 64]))
        .collect()
}

/// Does the work in so many scopes, one in the other.
fn in_scopes(scopes: u32, work: &dyn Fn() -> u128) -> u128 {
    let mut open: Vec<_> = (0..scopes)
        .map(|_| highwater::Scope::enter("nested"))
        .collect();
    let took = work();
    while open.pop().is_some() {}
    took
}

/// In bytes, by the system's word.
fn most_resident() -> u128 {
    let status = std::fs::read_to_string("/proc/self/status").expect("this is Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    1_024
        * kibibytes
            .and_then(|text| text.parse::<u128>().ok())
            .expect("a number")
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
