//! The simplest leak: a list that is appended to and never cut. Leak detectors that look for lost
//! memory do not find it, because every element is still reachable and used now and then.

use crate::{Entry, Inputs, Reads, Twin};
use highwater::{ByteSize, Report, Scenario};
use highwater_fixtures::{Candle, CandleStream, History, Retention};

pub(crate) static ENTRY: Entry = Entry {
    id: "pattern-unbounded-list",
    what: "a bot appends each candle to a list of the last 1,000",
    defect: "the list is never cut",
    steps: 10_000,
    growth_ceiling: ByteSize::kb(64),
    peak_ceiling: ByteSize::kb(64),
    reads: Reads::Candles,
    findings: None,
    run,
};

struct Feed {
    list: History<Candle>,
    candles: CandleStream,
}

fn run(scenario: &Scenario, twin: Twin, inputs: &Inputs) -> Report {
    let retention = match twin {
        Twin::Sound => Retention::last(1_000),
        Twin::Leaky => Retention::Unbounded,
    };
    scenario.run(
        || Feed {
            list: History::new(retention),
            candles: inputs.candles.stream(),
        },
        |feed, _| feed.take_candle(),
    )
}

impl Feed {
    fn take_candle(&mut self) {
        if let Some(candle) = self.candles.next() {
            self.list.push(candle);
        }
    }
}
