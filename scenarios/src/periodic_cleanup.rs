//! The second line of defence: a task that enforces the caps of both stores every
//! ten minutes, whatever was merged in between. Live memory is a sawtooth over a
//! flat floor, which a comparison of its ends calls a leak as often as not. A task
//! that is written, reviewed and never started looks the same for ten minutes.

mod findings;

use crate::market_data::{FETCHES, PERIOD, feed};
use crate::{Entry, Inputs, Reads, Twin};
use highwater::{ByteSize, Report, Scenario, Scope};
use highwater_fixtures::{CandleSource, CleanUpSchedule, MarketFeed, MarketService};
use std::time::Duration;

pub(crate) static ENTRY: Entry = Entry {
    id: "periodic-cleanup",
    what: "a task enforces the caps of both stores every 600 s, on a simulated clock",
    defect: "the task never runs",
    // A simulated hour.
    steps: 4 * FETCHES,
    growth_ceiling: ByteSize::mb(30),
    peak_ceiling: ByteSize::mb(40),
    reads: Reads::Candles,
    findings: Some(findings::findings),
    run,
};

struct Collector {
    feed: MarketFeed,
    service: MarketService,
    /// Of the service, which reads its live memory from it.
    scope: Scope,
}

fn run(scenario: &Scenario, twin: Twin, inputs: &Inputs) -> Report {
    // Twice is enough to tell, and the twin holds a lot by then.
    let scenario = scenario.clone().step_budget(2 * ENTRY.steps);
    scenario.run_async(
        async || {
            tokio::time::pause();
            Collector::new(twin, &inputs.candles)
        },
        async |collector, _| collector.fetch().await,
    )
}

impl Collector {
    fn new(twin: Twin, candles: &CandleSource) -> Self {
        let schedule = match twin {
            Twin::Sound => CleanUpSchedule::Every(Duration::from_mins(10)),
            Twin::Leaky => CleanUpSchedule::Never,
        };
        let feed = feed(candles);
        let scope = Scope::enter("market data");
        let handle = scope.handle();
        Self {
            feed,
            service: MarketService::start(schedule, move || handle.usage().live_bytes),
            scope,
        }
    }

    async fn fetch(&mut self) {
        let between_fetches = PERIOD.div_f64(FETCHES as f64);
        tokio::time::sleep(between_fetches).await;
        self.service.fetch(&self.feed);
        self.feed.move_on();
    }
}
