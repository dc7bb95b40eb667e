//! A process-wide price cache keyed by symbol and timestamp. Every key is new, so no lookup
//! finds an entry and no entry is ever removed. The fix is a cache that keeps only the 1,000
//! entries used last.
//!
//! The cache outlives the state, so the leaky twin leaves residue as well.

use crate::{Entry, Inputs, Reads, Twin};
use highwater::{ByteSize, Report, Scenario};
use highwater_fixtures::{CandleStream, PriceCache, Retention};
use std::sync::MutexGuard;

pub(crate) static ENTRY: Entry = Entry {
    id: "pattern-global-cache",
    what: "each step caches a price in a process-wide LRU of 1,000",
    defect: "the cache is never cleared",
    steps: 10_000,
    growth_ceiling: ByteSize::kb(250),
    peak_ceiling: ByteSize::kb(250),
    reads: Reads::Candles,
    findings: None,
    run,
};

/// Holding the guard keeps other runs in this process away from the cache.
struct Feed {
    cache: MutexGuard<'static, PriceCache>,
    candles: CandleStream,
}

fn run(scenario: &Scenario, twin: Twin, inputs: &Inputs) -> Report {
    let retention = match twin {
        Twin::Sound => Retention::last(1_000),
        Twin::Leaky => Retention::Unbounded,
    };
    scenario.run(
        || Feed {
            cache: PriceCache::process_wide(retention),
            candles: inputs.candles.stream(),
        },
        |feed, _| {
            if let Some(candle) = feed.candles.next() {
                feed.cache
                    .record("BTCUSDT", candle.open_time_ms, candle.close);
            }
        },
    )
}
