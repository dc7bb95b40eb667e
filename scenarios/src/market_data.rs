//! What the scenarios of the market-data store share: how much is fetched, and when
//! the caps hold.

use crate::Twin;
use highwater_fixtures::{CandleSource, Caps, MarketFeed};
use std::time::Duration;

/// Everything is fetched for each of so many symbols.
pub(crate) const SYMBOLS: usize = 10;
/// Fetches in [`PERIOD`], as the post-mortem counted them.
pub(crate) const FETCHES: u64 = 79;
/// Simulated time.
pub(crate) const PERIOD: Duration = Duration::from_mins(15);

/// The exchange that is fetched from.
pub(crate) fn feed(candles: &CandleSource) -> MarketFeed {
    MarketFeed::new(SYMBOLS, candles)
}

/// When the stores drop what is above their caps.
pub(crate) fn caps(twin: Twin) -> Caps {
    match twin {
        Twin::Sound => Caps::AtMerge,
        // And nobody cleans up.
        Twin::Leaky => Caps::AtCleanUp,
    }
}
