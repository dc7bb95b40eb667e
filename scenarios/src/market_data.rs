//! What the scenarios of the market-data store share: the service's symbols, how
//! often it fetches, and what it does with what it fetched.

use crate::Twin;
use highwater_fixtures::{Caps, MarketFeed, OhlcvStore, OpenInterestStore};
use std::time::Duration;

/// Everything is fetched for each of them.
pub(crate) const SYMBOLS: [&str; 10] = [
    "BTCUSDT", "ETHUSDT", "BNBUSDT", "SOLUSDT", "XRPUSDT", "ADAUSDT", "DOGEUSDT", "AVAXUSDT",
    "LINKUSDT", "DOTUSDT",
];

/// Fetches in [`PERIOD`], as the post-mortem counted them.
pub(crate) const FETCHES: u64 = 79;
/// Simulated time.
pub(crate) const PERIOD: Duration = Duration::from_mins(15);

/// When the stores drop what is above their caps.
pub(crate) fn caps(twin: Twin) -> Caps {
    match twin {
        Twin::Sound => Caps::AtMerge,
        // And nobody cleans up.
        Twin::Leaky => Caps::AtCleanUp,
    }
}

/// Fetches the candles of all symbols.
pub(crate) fn fetch_candles(feed: &MarketFeed, store: &mut OhlcvStore) {
    for symbol in SYMBOLS {
        for (timeframe, candles) in feed.fetch_candles() {
            store.merge(symbol, timeframe, &candles);
        }
    }
}

/// Fetches the open interest of all symbols.
pub(crate) fn fetch_open_interest(feed: &MarketFeed, store: &mut OpenInterestStore) {
    for symbol in SYMBOLS {
        store.merge(symbol, &feed.fetch_open_interest());
    }
}
