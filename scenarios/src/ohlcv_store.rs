//! A service grew by 220 MB a minute and hit its limit of 6 GB after 25 minutes.
//! It held candles of ten symbols in four timeframes, and fetched all of them 79
//! times in a quarter of an hour. Each fetch was merged with what was held and
//! duplicates were dropped, so nobody suspected the store; but whatever a window
//! brought for the first time stayed. What fixed it was a cap for each timeframe.

use crate::market_data::{FETCHES, caps, feed};
use crate::market_findings::{Estimate, Hour, criteria, sizes, unexplained};
use crate::{Entry, Findings, Inputs, Reads, Twin};
use highwater::{ByteSize, Report, Scenario};
use highwater_fixtures::{MarketFeed, OhlcvStore};

pub(crate) static ENTRY: Entry = Entry {
    id: "ohlcv-store",
    what: "candles of 10 symbols in 4 timeframes are fetched and merged, up to a cap each",
    defect: "has no caps",
    steps: FETCHES,
    growth_ceiling: ByteSize::mb(2),
    peak_ceiling: ByteSize::mb(3),
    reads: Reads::Candles,
    findings: Some(findings),
    run,
};

struct Collector {
    feed: MarketFeed,
    store: OhlcvStore,
}

fn run(scenario: &Scenario, twin: Twin, inputs: &Inputs) -> Report {
    // Half of what is usual, since the twin holds a lot by then.
    let scenario = scenario.clone().step_budget(8 * FETCHES);
    scenario.run(
        || Collector {
            feed: feed(&inputs.candles),
            store: OhlcvStore::new(caps(twin)),
        },
        |collector, _| {
            collector.store.fetch(&collector.feed);
            collector.feed.move_on();
        },
    )
}

/// The post-mortem's estimate on paper.
const ESTIMATE: Estimate = Estimate {
    item: "a candle",
    items: "candles",
    item_bytes: 200,
    cap: 1_440 + 864 + 672 + 360,
    symbol: "667 KB",
    ten_symbols: "6.7 MB",
};

fn findings() -> Vec<Findings> {
    let hour = |twin| {
        Hour::of(
            || OhlcvStore::new(caps(twin)),
            OhlcvStore::fetch,
            OhlcvStore::len,
        )
    };
    let (sound, leaky) = (hour(Twin::Sound), hour(Twin::Leaky));
    let mut criteria = criteria(&sound, &leaky);
    criteria.notes.push(unexplained());
    vec![sizes(&ESTIMATE, &sound, &leaky), criteria]
}
