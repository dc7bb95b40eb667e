//! The scenarios of the simulated trading service.
//!
//! A scenario is data: one entry in [`SCENARIOS`], with its steps, its ceilings
//! and the function that runs it, sound or with its defect switched on. The
//! table drives the program, its list and the tests.

#![forbid(unsafe_code)]

mod aggregator;
mod candles_10k;
mod cleanup_cadence;
mod collector_findings;
mod contracts;
mod feature_history;
mod findings;
mod hypotheses;
mod hypothesis;
mod market_data;
mod market_findings;
mod ml_collector;
mod ohlcv_store;
mod open_interest;
mod pattern_cycle;
mod pattern_global_cache;
mod pattern_unbounded_list;
mod periodic_cleanup;
mod sessions_10k;
mod stop_releases;
mod tail_watcher;
mod trades_1k;
mod two_minutes;

use highwater::{ByteSize, Report, Scenario};
use highwater_fixtures::{CandleSource, TradeSource};

pub use aggregator::CrossAudit;
pub use contracts::{CONTRACTS, Contract};
pub use findings::{Findings, signed_bytes, thousands};
pub use hypotheses::{Experiment, HYPOTHESES};
pub use hypothesis::{Control, Expected, Hypothesis, Memory, Priority, Register, Tested};

/// Every scenario, in the order in which they are run and listed.
pub static SCENARIOS: [&Entry; 15] = [
    &candles_10k::ENTRY,
    &sessions_10k::ENTRY,
    &trades_1k::ENTRY,
    &pattern_unbounded_list::ENTRY,
    &pattern_cycle::ENTRY,
    &pattern_global_cache::ENTRY,
    &ohlcv_store::ENTRY,
    &open_interest::ENTRY,
    &periodic_cleanup::ENTRY,
    &ml_collector::ENTRY,
    &feature_history::ENTRY,
    &cleanup_cadence::ENTRY,
    &stop_releases::ENTRY,
    &tail_watcher::ENTRY,
    &aggregator::ENTRY,
];

/// One scenario.
pub struct Entry {
    /// Its name on the command line and in reports.
    pub id: &'static str,
    /// What runs, in a line.
    pub what: &'static str,
    /// What the leaky twin does otherwise, in a line.
    pub defect: &'static str,
    /// How many steps it has unless told otherwise.
    pub steps: u64,
    /// The most that live memory may grow.
    pub growth_ceiling: ByteSize,
    /// The most live memory at any moment.
    pub peak_ceiling: ByteSize,
    /// What input it can take from a file.
    pub reads: Reads,
    /// Measures what the post-mortem estimated on paper; not every one has that.
    pub findings: Option<fn() -> Vec<Findings>>,
    run: fn(&Scenario, Twin, &Inputs) -> Report,
}

/// What a scenario can be fed from a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// Nothing: it makes its own input.
    Nothing,
    /// Candles.
    Candles,
    /// Trades.
    Trades,
}

/// Which of a scenario's twins to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Twin {
    /// As it should be.
    Sound,
    /// With the defect switched on.
    Leaky,
}

impl Twin {
    fn is_sound(self) -> bool {
        self == Self::Sound
    }
}

/// Where candles and trades come from.
#[derive(Clone)]
pub struct Inputs {
    /// For scenarios that eat candles.
    pub candles: CandleSource,
    /// For scenarios that eat trades.
    pub trades: TradeSource,
}

impl Inputs {
    /// Generated, the same on every run.
    pub fn generated() -> Self {
        Self {
            candles: CandleSource::generated(),
            trades: TradeSource::generated(),
        }
    }
}

impl Entry {
    /// The scenario called `id`.
    pub fn find(id: &str) -> Option<&'static Self> {
        SCENARIOS.into_iter().find(|entry| entry.id == id)
    }

    /// What runs and what the leaky twin does otherwise, in two lines.
    pub fn description(&self) -> String {
        format!("what runs: {}\nleaky twin: {}", self.what, self.defect)
    }

    /// Runs it, with its own number of steps unless `steps` says otherwise.
    ///
    /// # Panics
    /// If the component under test breaks a promise that is not about memory,
    /// such as which sessions it holds.
    pub fn run(&self, twin: Twin, steps: Option<u64>, inputs: &Inputs) -> Report {
        (self.run)(&self.scenario(twin, steps), twin, inputs)
    }

    /// Runs the sound twin, and once more with a leak in it that must be found.
    ///
    /// # Panics
    /// As [`run`](Self::run) does.
    pub fn self_test(&self, steps: Option<u64>, inputs: &Inputs) -> Report {
        let scenario = self.scenario(Twin::Sound, steps).self_test(true);
        (self.run)(&scenario, Twin::Sound, inputs)
    }

    /// Runs it as [`run`](Self::run) does, and once more with a call stack for each
    /// block, whether it fails or not.
    ///
    /// # Panics
    /// As [`run`](Self::run) does.
    pub fn diagnose(&self, twin: Twin, steps: Option<u64>, inputs: &Inputs) -> Report {
        (self.run)(&self.scenario(twin, steps).diagnose(true), twin, inputs)
    }

    fn scenario(&self, twin: Twin, steps: Option<u64>) -> Scenario {
        let scenario = Scenario::new(self.id)
            .steps(steps.unwrap_or(self.steps))
            .growth_ceiling(self.growth_ceiling)
            .peak_ceiling(self.peak_ceiling);
        match twin {
            Twin::Sound => scenario,
            Twin::Leaky => scenario.variant("leaky"),
        }
    }
}
