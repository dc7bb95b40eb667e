//! The collector keeps order books and candles to compute features from: half a
//! megabyte a cycle for fifty symbols. The features look back fifty books and a
//! hundred candles; the history went back to the start of the service.

use crate::{Entry, Inputs, Reads, Twin};
use highwater::{ByteSize, Report, Scenario};
use highwater_fixtures::{FeatureHistory, FeatureRetention};

pub(crate) static ENTRY: Entry = Entry {
    id: "feature-history",
    what: "50 symbols bring an order book and a candle each step; the last 50 and 100 are kept",
    defect: "keeps all of them",
    steps: 200,
    growth_ceiling: ByteSize::mb(32),
    peak_ceiling: ByteSize::mb(32),
    reads: Reads::Nothing,
    findings: None,
    run,
};

fn run(scenario: &Scenario, twin: Twin, _: &Inputs) -> Report {
    let retention = match twin {
        Twin::Sound => FeatureRetention::default(),
        Twin::Leaky => FeatureRetention::UNBOUNDED,
    };
    // The twin grows by 570 KB a step: less of an extension will do.
    let scenario = scenario.clone().step_budget(2 * ENTRY.steps);
    scenario.run(|| FeatureHistory::new(retention), FeatureHistory::record)
}
