//! A tail watcher's buffer grew from 41 to 44 million lines. One task read the new
//! lines of a log into it, another processed them and cleared it when it was done.
//! While a batch was processed more lines came, a clear would have lost them, and so
//! the clear had to wait, on a log that never stopped. Each pass went over all lines
//! again and took longer than the one before. What fixed it was the order: take the
//! lines out, which empties the buffer at once, and process what was taken.
//!
//! The log is a real file in a temporary directory. The clock is tokio's, paused. The
//! paths and the threads are made outside of what is measured: the length of the ones
//! and what a test runner hands to the others are nothing of the watcher's.

mod findings;

use crate::{Entry, Inputs, Reads, Twin};
use highwater::{ByteSize, Report, Scenario};
use highwater_fixtures::{DrainOrder, LogWriter, Processor, TailWatcher};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::{Instant, pause, sleep_until};

pub(crate) static ENTRY: Entry = Entry {
    id: "tail-watcher",
    what: "each step a log grows by about 1,174 lines, read and processed at the same time",
    defect: "clears its buffer after processing, if nothing came meanwhile",
    steps: 10,
    growth_ceiling: ByteSize::kb(50),
    peak_ceiling: ByteSize::kb(300),
    reads: Reads::Nothing,
    findings: Some(findings::tables),
    run,
};

/// How many lines the service read between two batches.
const LINES_A_ROUND: u64 = 1_174;
/// Rounds differ by up to this many lines, up and down.
const SPREAD: u64 = 24;
const PORTIONS: u64 = 10;
const BETWEEN_PORTIONS: Duration = Duration::from_millis(100);

/// Where the log is, and who adds up what is in it. The directory goes when this is
/// dropped.
struct Place {
    _directory: TempDir,
    log: Arc<Path>,
    put_aside: Arc<Path>,
    processor: Arc<Processor>,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        Self {
            log: Arc::from(directory.path().join("service.log")),
            put_aside: Arc::from(directory.path().join("service.log.1")),
            _directory: directory,
            processor: Arc::new(Processor::new()),
        }
    }
}

/// A service that writes a log, and the watcher of it.
struct Service {
    log: LogWriter,
    watcher: TailWatcher,
    now: Instant,
}

impl Service {
    /// The first portion is read; from here on, a step is ten portions and one batch.
    async fn start(place: &Place, twin: Twin) -> Self {
        let order = match twin {
            Twin::Sound => DrainOrder::BeforeProcessing,
            Twin::Leaky => DrainOrder::AfterProcessing,
        };
        pause();
        let log = LogWriter::create(&place.log, &place.put_aside);
        let log = log.expect("the log can be made");
        let watcher = TailWatcher::start(&place.log, &place.processor, order);
        let watcher = watcher.expect("the log is there");
        let now = Instant::now();
        let mut service = Self { log, watcher, now };
        service.write(LINES_A_ROUND / PORTIONS).await;
        service
    }

    async fn round(&mut self, number: u64) {
        let lines = LINES_A_ROUND - SPREAD + number * 37 % (2 * SPREAD + 1);
        for portion in 0..PORTIONS {
            let until = |portion| lines * portion / PORTIONS;
            self.write(until(portion + 1) - until(portion)).await;
        }
    }

    async fn write(&mut self, lines: u64) {
        self.log.append(lines).expect("the log can be written");
        self.now += BETWEEN_PORTIONS;
        sleep_until(self.now).await;
    }
}

fn run(scenario: &Scenario, twin: Twin, _: &Inputs) -> Report {
    let place = Place::new();
    scenario.run_async(
        async || Service::start(&place, twin).await,
        async |service, i| {
            service.round(i).await;
            if twin.is_sound() {
                assert_each_line_once(service);
            }
        },
    )
}

/// All that was written was read, and all that was read was processed once or waits.
fn assert_each_line_once(service: &Service) {
    let progress = service.watcher.progress().expect("the log can be read");
    assert_eq!(progress.lines_read, service.log.lines(), "lines read");
    let processed = progress.processed;
    let waiting = service.watcher.buffered() as u64;
    assert_eq!(processed.lines + waiting, progress.lines_read, "none lost");
    assert_eq!(progress.lines_repeated(), 0, "none repeated");
    assert_eq!(processed.other_lines, 0, "all understood");
}
