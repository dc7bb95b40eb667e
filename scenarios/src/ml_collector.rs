//! A collector of training data went from 5 GB to 25 GB in five hours. It gathered
//! 2,000 samples before it wrote a file, and took samples faster than the disk took
//! files. The files waited in an unbounded queue. The fix was files of 500 samples and a producer
//! that waits for the writer.

use crate::{Entry, Inputs, Reads, Twin, collector_findings};
use highwater::{ByteSize, Report, Scenario};
use highwater_fixtures::{Recorder, RecorderConfig, SampleFiles};
use std::path::Path;

pub(crate) static ENTRY: Entry = Entry {
    id: "ml-collector",
    what: "50 samples a step go to files of 500; the producer waits for the writer",
    defect: "files of 2,000 samples, and the producer outruns the writer",
    steps: 200,
    growth_ceiling: ByteSize::mb(1),
    peak_ceiling: ByteSize::mb(1),
    reads: Reads::Nothing,
    findings: Some(collector_findings::before_and_after),
    run,
};

fn run(scenario: &Scenario, twin: Twin, _: &Inputs) -> Report {
    let folder = tempfile::tempdir().expect("a folder for the collector's files");
    // Writing files takes its time: less of an extension will do.
    let scenario = scenario.clone().step_budget(4 * ENTRY.steps);
    scenario.run_async(
        async || start(twin, folder.path()),
        async |recorder, i| {
            let outcome = recorder.cycle(i).await;
            outcome.expect("the samples are written");
        },
    )
}

fn start(twin: Twin, folder: &Path) -> Recorder {
    tokio::time::pause();
    let config = match twin {
        Twin::Sound => RecorderConfig::default(),
        Twin::Leaky => RecorderConfig::leaky(),
    };
    let mut files = SampleFiles::new(config.limits);
    files.start_in(folder);
    Recorder::start(config, files)
}
