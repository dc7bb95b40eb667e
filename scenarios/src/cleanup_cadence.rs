//! Computing features leaves intermediate results behind, which the collector threw
//! away every 1,000 cycles, or above a threshold that was set for a larger machine. It
//! never leaked, and was killed for its memory all the same. What fixed it was a
//! clean-up every 100 cycles and half the threshold.
//!
//! The twin is bounded too. What catches it is the peak.

use crate::{Entry, Inputs, Reads, Twin};
use highwater::{ByteSize, Report, Scenario};
use highwater_fixtures::{CleanUp, Workspace};

pub(crate) static ENTRY: Entry = Entry {
    id: "cleanup-cadence",
    what: "intermediate results are thrown away every 100 steps, or above 4 MB",
    defect: "every 1,000 steps, or above 8 MB",
    steps: 10_000,
    growth_ceiling: ByteSize::mb(5),
    peak_ceiling: ByteSize::mb(5),
    reads: Reads::Nothing,
    findings: None,
    run,
};

fn run(scenario: &Scenario, twin: Twin, _: &Inputs) -> Report {
    let clean_up = match twin {
        Twin::Sound => CleanUp::default(),
        Twin::Leaky => CleanUp::RARE,
    };
    scenario.run(|| Workspace::new(clean_up), Workspace::compute)
}
