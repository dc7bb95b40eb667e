//! Beside its candles, the service that grew by 220 MB a minute held open interest:
//! 200 entries a symbol with every fetch, half of them known. This is little compared with the
//! candles, so it needs a ceiling of its own: below a ceiling for candles it would grow
//! unnoticed. The fix was the same, a cap: 288 entries a symbol, which is a day.

use crate::market_data::{FETCHES, caps, feed};
use crate::market_findings::{Estimate, Hour, criteria, sizes};
use crate::{Entry, Findings, Inputs, Reads, Twin};
use highwater::{ByteSize, Report, Scenario};
use highwater_fixtures::{MarketFeed, OpenInterestStore};

pub(crate) static ENTRY: Entry = Entry {
    id: "open-interest",
    what: "200 entries of open interest a symbol are fetched and merged, up to the last 288",
    defect: "has no cap",
    steps: FETCHES,
    growth_ceiling: ByteSize::kb(100),
    peak_ceiling: ByteSize::kb(300),
    reads: Reads::Candles,
    findings: Some(findings),
    run,
};

struct Collector {
    feed: MarketFeed,
    store: OpenInterestStore,
}

fn run(scenario: &Scenario, twin: Twin, inputs: &Inputs) -> Report {
    let scenario = scenario.clone().step_budget(8 * FETCHES);
    scenario.run(
        || Collector {
            feed: feed(&inputs.candles),
            store: OpenInterestStore::new(caps(twin)),
        },
        |collector, _| {
            collector.store.fetch(&collector.feed);
            collector.feed.move_on();
        },
    )
}

/// The post-mortem's estimate on paper.
const ESTIMATE: Estimate = Estimate {
    item: "an entry",
    items: "entries",
    item_bytes: 100,
    cap: 288,
    symbol: "28.8 KB",
    ten_symbols: "288 KB",
};

fn findings() -> Vec<Findings> {
    let hour = |twin| {
        Hour::of(
            || OpenInterestStore::new(caps(twin)),
            OpenInterestStore::fetch,
            OpenInterestStore::len,
        )
    };
    let (sound, leaky) = (hour(Twin::Sound), hour(Twin::Leaky));
    vec![sizes(&ESTIMATE, &sound, &leaky), criteria(&sound, &leaky)]
}
