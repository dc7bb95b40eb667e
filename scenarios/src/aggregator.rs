//! A trade aggregator grew by 30 MB in two minutes, of which its own bookkeeping found
//! 0.54 MB. The likely cause is a queue to the log writer that is never emptied. Each record in
//! it carries the JSON of a candle and of every trade in it. Bookkeeping that counts the records
//! without what they own misses nearly all of it. The fix is a queue that holds two intervals.

mod audit;

use crate::two_minutes::{SECONDS, Service, leaky};
use crate::{Entry, Inputs, Reads, Twin};
use highwater::{ByteSize, Report, Scenario};
use highwater_fixtures::AggregatorConfig;

pub use audit::CrossAudit;

pub(crate) static ENTRY: Entry = Entry {
    id: "aggregator",
    what: "a trade aggregator of 59 symbols works off a second of messages each step",
    defect: "its log queue is never emptied",
    steps: SECONDS,
    growth_ceiling: ByteSize::kb(1_500),
    peak_ceiling: ByteSize::mb(2),
    reads: Reads::Nothing,
    findings: Some(audit::findings),
    run,
};

fn run(scenario: &Scenario, twin: Twin, _: &Inputs) -> Report {
    // Reading 20,000 messages takes a while without optimisation.
    scenario.clone().step_budget(2 * SECONDS).run(
        || Service::new(config(twin)),
        |service, _| service.run_a_second(),
    )
}

fn config(twin: Twin) -> AggregatorConfig {
    match twin {
        Twin::Sound => AggregatorConfig::default(),
        Twin::Leaky => leaky(),
    }
}
