//! What a symbol more takes in the market-data store.

use super::Contract;
use crate::Twin;
use highwater::{ByteSize, Law, Scaling};
use highwater_fixtures::{CandleSource, Caps, MarketFeed, OhlcvStore};

pub(super) static SYMBOLS: Contract = Contract {
    id: "symbols",
    by: "Scaling",
    what: "a symbol more takes at most 400 KiB in the market-data store, however many there are",
    defect: "keeps a correlation with each other symbol for each",
    check: symbols,
};

/// The newest correlations of a pair.
const CORRELATIONS: usize = 2_048;

fn symbols(twin: Twin) -> String {
    let candles = CandleSource::generated();
    let store_of = |symbols: u64| {
        let symbols = usize::try_from(symbols).expect("a few");
        let mut feed = MarketFeed::new(symbols, &candles);
        let mut store = OhlcvStore::new(Caps::AtMerge);
        for _ in 0..3 {
            store.fetch(&feed);
            feed.move_on();
        }
        let pairs = match twin {
            Twin::Sound => 0,
            Twin::Leaky => symbols * symbols,
        };
        let correlations: Vec<_> = (0..pairs).map(|_| vec![0.0; CORRELATIONS]).collect();
        (store, correlations)
    };
    let scaled = Scaling::new(SYMBOLS.id)
        .sizes([2, 4, 8, 16])
        .at_most(Law::Linear)
        .bytes_per_unit(ByteSize::kib(400))
        .run(store_of);
    scaled.assert();
    let (_, most) = scaled.bytes_per_unit_bounds().expect("it was compared");
    format!("linear, at most {:.0} kB a symbol", most / 1e3)
}
