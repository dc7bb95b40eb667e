//! The tail watcher with as many lines as its buffer held when the real one was looked
//! at: time and memory against size. Run on request, in release.
//!
//! The log is a real file, which is put aside every 10,000 lines. The clock is paused,
//! so that ten hours of a service pass in seconds.
//!
//! Exit codes: 0 when every line was processed once, 1 when not, 2 for bad usage.

#![forbid(unsafe_code)]

use clap::Parser;
use comfy_table::{Cell, CellAlignment, Table, TableStyle, presets};
use highwater::__private::Thousands;
use highwater::Scope;
use highwater_fixtures::{DrainOrder, LogPath, LogWriter, Processor, TailWatcher, TailedService};
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Builder;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

/// A batch of more lines than this takes longer than a second, so that the next one
/// must wait.
const LONG_PASS: u64 = 1_000_000 / TailWatcher::MICROS_PER_LINE;

/// Runs the tail watcher with millions of lines and prints time and memory against
/// size.
#[derive(Parser)]
#[command(
    after_help = "Exit codes: 0 every line was processed once; 1 not so, as with --leaky; \
    2 bad usage."
)]
struct Arguments {
    /// How many million lines
    #[arg(value_name = "MILLIONS", default_values_t = [1, 4, 16, 44], value_parser = clap::value_parser!(u64).range(1..=1_000))]
    millions: Vec<u64>,
    /// Clear the buffer after processing; 44 million lines take 6 GB of memory
    #[arg(long)]
    leaky: bool,
    /// Write the table as Markdown, too
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let order = if arguments.leaky {
        DrainOrder::AfterProcessing
    } else {
        DrainOrder::BeforeProcessing
    };
    let runs: Vec<_> = arguments
        .millions
        .iter()
        .map(|millions| run(order, millions * 1_000_000))
        .collect();
    print!("{}", text(&runs, presets::NOTHING));
    if let Some(file) = &arguments.markdown {
        let markdown = text(&runs, presets::ASCII_MARKDOWN);
        if let Err(error) = fs::write(file, markdown) {
            eprintln!("error: {}: {error}", file.display());
            return ExitCode::from(2);
        }
    }
    ExitCode::from(u8::from(!runs.iter().all(|run| run.each_line_once)))
}

/// What became of a number of lines.
struct Run {
    lines: u64,
    time: Duration,
    simulated: Duration,
    batches: u64,
    largest_batch: u64,
    long_pass: Option<(u64, u64)>,
    most_buffered: u64,
    live_bytes: u64,
    peak_bytes: u64,
    lines_processed: u64,
    each_line_once: bool,
}

impl Run {
    fn nanos_per_line(&self) -> u64 {
        let nanos = self.time.as_nanos() / u128::from(self.lines);
        u64::try_from(nanos).unwrap_or(u64::MAX)
    }
}

fn run(order: DrainOrder, lines: u64) -> Run {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let path = LogPath::within(directory.path());
    let processor = Arc::new(Processor::new());
    let runtime = Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a runtime without descriptors");
    let began = Instant::now();
    runtime.block_on(async {
        let scope = Scope::enter("scale-tail");
        tokio::time::pause();
        let clock = tokio::time::Instant::now();
        let mut service = TailedService::start(&path, &processor, order).await;
        let mut watch = Watch::default();
        while service.lines_written() < lines {
            let rest = lines - service.lines_written();
            service
                .second(rest.min(TailedService::LINES_A_SECOND))
                .await;
            watch.look_at(&service);
        }
        // What was read last is processed within two seconds, if anything ever is.
        for _ in 0..2 {
            service.second(0).await;
            watch.look_at(&service);
        }
        let (usage, processed) = (scope.usage(), service.progress().processed);
        Run {
            lines,
            time: began.elapsed(),
            simulated: clock.elapsed(),
            batches: service.progress().batches,
            largest_batch: watch.largest_batch,
            long_pass: watch.long_pass,
            most_buffered: watch.most_buffered,
            live_bytes: usage.live_bytes,
            peak_bytes: usage.peak_bytes,
            lines_processed: processed.lines,
            each_line_once: processed.lines == lines
                && processed.newest_trade == lines
                && processed.lots == LogWriter::lots_until(lines),
        }
    })
}

/// What was seen of a service, second by second.
#[derive(Default)]
struct Watch {
    lines_done: u64,
    largest_batch: u64,
    /// How many lines the last batch had whose pass took longer than a second, and
    /// the buffer after it.
    long_pass: Option<(u64, u64)>,
    most_buffered: u64,
}

impl Watch {
    fn look_at(&mut self, service: &TailedService) {
        let progress = service.progress();
        self.most_buffered = self.most_buffered.max(service.buffered());
        self.largest_batch = self.largest_batch.max(progress.last_batch as u64);
        let done = progress.processed.lines - self.lines_done;
        self.lines_done = progress.processed.lines;
        if done > LONG_PASS {
            self.long_pass = Some((done, service.buffered()));
        }
    }
}

/// The table, and what a long pass did to the buffer.
fn text(runs: &[Run], style: TableStyle) -> String {
    let mut text = format!("{}\n", table(runs, style));
    for run in runs {
        if let Some((before, after)) = run.long_pass {
            text.push_str(&format!(
                "\n{} lines: the last pass began with {} lines in the buffer and ended with {}, \
                 {:+.1} %.\n",
                thousands(run.lines),
                thousands(before),
                thousands(after),
                (after as f64 / before as f64 - 1.0) * 100.0,
            ));
        }
    }
    text
}

fn table(runs: &[Run], style: TableStyle) -> Table {
    let mut table = Table::new();
    table.load_style(style);
    let header = [
        "lines",
        "time",
        "a line",
        "simulated",
        "batches",
        "largest batch",
        "most buffered",
        "live",
        "peak",
        "processed",
        "once each",
    ];
    table.set_header(header);
    for column in table.column_iter_mut() {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for run in runs {
        table.add_row(
            [
                thousands(run.lines),
                format!("{:.1} s", run.time.as_secs_f64()),
                format!("{} ns", thousands(run.nanos_per_line())),
                format!("{} s", thousands(run.simulated.as_secs())),
                thousands(run.batches),
                thousands(run.largest_batch),
                thousands(run.most_buffered),
                format!("{} B", thousands(run.live_bytes)),
                format!("{} B", thousands(run.peak_bytes)),
                thousands(run.lines_processed),
                if run.each_line_once { "yes" } else { "no" }.to_owned(),
            ]
            .map(Cell::new),
        );
    }
    table
}

fn thousands(number: u64) -> String {
    Thousands(number).to_string()
}
