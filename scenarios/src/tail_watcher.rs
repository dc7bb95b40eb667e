//! A tail watcher's buffer grew from 41 to 44 million lines. One task read the new
//! lines of a log into it. Another processed them and cleared the buffer when it was done.
//! More lines came while a batch was processed, and a clear would have lost them. So the clear
//! had to wait, on a log that never stopped. Each pass went over all lines again and took longer
//! than the pass before. The fix was the order: take the lines out, which empties the buffer at
//! once, and process them then.
//!
//! The log is a real file in a temporary directory. The clock is tokio's, paused. The paths and
//! the threads are made outside of what is measured, because the length of a path and the output
//! of a test runner's threads are not the watcher's memory.

mod findings;

use crate::{Entry, Inputs, Reads, Twin};
use highwater::{ByteSize, Report, Scenario};
use highwater_fixtures::{DrainOrder, LogPath, Processor, TailedService};
use std::sync::Arc;
use tempfile::TempDir;
use tokio::time::pause;

pub(crate) static ENTRY: Entry = Entry {
    id: "tail-watcher",
    what: "about 1,174 lines of a growing log are read and processed each step",
    defect: "clears its buffer after processing, not before",
    steps: 10,
    growth_ceiling: ByteSize::kb(50),
    peak_ceiling: ByteSize::kb(300),
    reads: Reads::Nothing,
    findings: Some(findings::tables),
    run,
};

/// Rounds differ by up to this many lines, up and down.
const SPREAD: u64 = 24;

/// Where the log is, and who adds up what is in it. The directory goes when this is
/// dropped.
struct Setting {
    _directory: TempDir,
    path: LogPath,
    processor: Arc<Processor>,
}

impl Setting {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        Self {
            path: LogPath::within(directory.path()),
            _directory: directory,
            processor: Arc::new(Processor::new()),
        }
    }

    async fn start(&self, twin: Twin) -> TailedService {
        let order = match twin {
            Twin::Sound => DrainOrder::BeforeProcessing,
            Twin::Leaky => DrainOrder::AfterProcessing,
        };
        pause();
        TailedService::start(&self.path, &self.processor, order).await
    }
}

/// One reading and processing: a second of the service.
async fn round(service: &mut TailedService, number: u64) {
    let lines = TailedService::LINES_A_SECOND - SPREAD + number * 37 % (2 * SPREAD + 1);
    service.second(lines).await;
}

fn run(scenario: &Scenario, twin: Twin, _: &Inputs) -> Report {
    let setting = Setting::new();
    scenario.run_async(
        async || setting.start(twin).await,
        async |service, i| {
            round(service, i).await;
            if twin.is_sound() {
                assert_each_line_once(service);
            }
        },
    )
}

/// All that was written was read, and all that was read was processed once or waits.
fn assert_each_line_once(service: &TailedService) {
    let progress = service.progress();
    assert_eq!(progress.lines_read, service.lines_written(), "lines read");
    let processed = progress.processed;
    let held = processed.lines + service.buffered();
    assert_eq!(held, progress.lines_read, "none lost");
    assert_eq!(progress.lines_repeated(), 0, "none repeated");
    assert_eq!(processed.other_lines, 0, "all understood");
}
