//! The collector's stop button freed nothing. It wrote every buffer to disk and kept it, with the
//! history, for a next run. The service holds its collector for as long as it runs, so nothing
//! else freed the buffers either.
//!
//! Here the collector outlives the state, as it outlives its runs in the service. So memory that
//! a stop does not free is residue.

use crate::{Entry, Inputs, Reads, Twin, collector_findings};
use highwater::{ByteSize, Report, Scenario};
use highwater_fixtures::{Collector, CollectorConfig, OnStop};
use tokio::sync::Mutex;

/// How long a run of the collector is.
const CYCLES: u64 = 12;

pub(crate) static ENTRY: Entry = Entry {
    id: "stop-releases",
    what: "each step starts a collector, runs it for 12 cycles and stops it",
    defect: "stop writes the buffers to disk and keeps them",
    steps: 10,
    growth_ceiling: ByteSize::b(0),
    peak_ceiling: ByteSize::mb(10),
    reads: Reads::Nothing,
    findings: Some(collector_findings::stop),
    run,
};

fn run(scenario: &Scenario, twin: Twin, _: &Inputs) -> Report {
    let folder = tempfile::tempdir().expect("a folder for the collector's files");
    let config = CollectorConfig {
        on_stop: match twin {
            Twin::Sound => OnStop::Release,
            Twin::Leaky => OnStop::FlushOnly,
        },
        ..CollectorConfig::default()
    };
    let service = Mutex::new(Collector::new(config));
    // Writing files takes its time: less of an extension will do.
    let scenario = scenario.clone().step_budget(4 * ENTRY.steps);
    scenario.residue_ceiling(ByteSize::b(0)).run_async(
        async || {
            tokio::time::pause();
            *service.lock().await = Collector::new(config);
        },
        async |(), _| {
            let mut collector = service.lock().await;
            collector.start(folder.path());
            for _ in 0..CYCLES {
                let outcome = collector.cycle().await;
                outcome.expect("the samples are written");
            }
            let outcome = collector.stop().await;
            outcome.expect("the samples are written");
        },
    )
}
