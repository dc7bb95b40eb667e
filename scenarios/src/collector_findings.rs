//! The collector's post-mortem, measured: before and after its repair, and what its
//! stop gives back.

use crate::{Findings, thousands};
use highwater::{Returned, Scope, return_to_system};
use highwater_fixtures::{
    CleanUp, Collector, CollectorConfig, FeatureRetention, OnStop, RecorderConfig, Workspace,
};
use std::fs;
use std::path::Path;
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::time::Instant;

/// After so many cycles a sound history is full.
const SETTLED: u64 = 100;
/// Five rounds of the leaky writer and five sound clean-ups, so that neither is taken
/// for growth.
const CYCLES: u64 = SETTLED + 400;
/// Ten of the leaky clean-ups.
const CLEAN_UP_CYCLES: u64 = 10_000;

/// What the post-mortem says: before the repair, memory went from 5 GB to 25 GB in 5
/// hours. It gives no figures of memory for the time after it.
const REPORTED_START_BYTES: f64 = 5e9;
const REPORTED_END_BYTES: f64 = 25e9;
const REPORTED_HOURS: f64 = 5.0;

/// One run of a collector. Bytes are live ones.
struct Run {
    started: u64,
    settled: u64,
    ended: u64,
    stopped: u64,
    queued: usize,
    /// By the collector's clock.
    took: Duration,
    largest_file: File,
    resident: Option<Resident>,
}

/// Resident memory of the process around a stop.
struct Resident {
    before_stop: u64,
    after_stop: Returned,
}

impl Resident {
    fn given_back_by_stop(&self) -> f64 {
        self.before_stop as f64 - self.after_stop.resident_before_bytes as f64
    }

    fn given_back_by_trim(&self) -> f64 {
        let after = &self.after_stop;
        after.resident_before_bytes as f64 - after.resident_after_bytes as f64
    }
}

#[derive(Clone, Copy, Default)]
struct File {
    samples: u64,
    bytes: u64,
}

impl Run {
    /// Starts, runs and stops a collector.
    fn of(config: CollectorConfig, cycles: u64) -> Run {
        let folder = tempfile::tempdir().expect("a folder for the collector's files");
        let scope = Scope::enter("collector");
        let runtime = Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build();
        let runtime = runtime.expect("a current-thread runtime needs next to nothing");
        let mut collector = Collector::new(config);
        let idle = scope.usage().live_bytes;
        let live = || scope.usage().live_bytes - idle;
        runtime.block_on(async {
            let start = Instant::now();
            collector.start(folder.path());
            let started = live();
            let mut settled = started;
            for cycle in 1..=cycles {
                let outcome = collector.cycle().await;
                outcome.expect("the samples are written");
                if cycle == SETTLED {
                    settled = live();
                }
            }
            let (ended, took, queued) = (live(), start.elapsed(), collector.queued_samples());
            let full = return_to_system();
            let outcome = collector.stop().await;
            outcome.expect("the samples are written");
            Run {
                started,
                settled,
                ended,
                stopped: live(),
                queued,
                took,
                largest_file: largest_file(folder.path()),
                resident: full
                    .zip(return_to_system())
                    .map(|(full, after_stop)| Resident {
                        before_stop: full.resident_after_bytes,
                        after_stop,
                    }),
            }
        })
    }

    fn growth_per_cycle(&self) -> f64 {
        (self.ended as f64 - self.settled as f64) / (CYCLES - SETTLED) as f64
    }

    fn growth_per_hour(&self) -> f64 {
        let cycles_per_hour = CYCLES as f64 / self.took.as_secs_f64() * 3_600.0;
        self.growth_per_cycle() * cycles_per_hour
    }

    fn released(&self) -> f64 {
        self.ended as f64 - self.stopped as f64
    }
}

fn largest_file(folder: &Path) -> File {
    let files = fs::read_dir(folder).expect("the folder is there");
    let files = files.map(|file| {
        let path = file.expect("its entries can be read").path();
        let text = fs::read_to_string(path).expect("CSV is text");
        File {
            // All but the header.
            samples: text.lines().count() as u64 - 1,
            bytes: text.len() as u64,
        }
    });
    files.max_by_key(|file| file.bytes).unwrap_or_default()
}

/// How many cycles there are from one clean-up to the next, on average.
fn cycles_per_clean_up(clean_up: CleanUp) -> String {
    let mut workspace = Workspace::new(clean_up);
    (0..CLEAN_UP_CYCLES).for_each(|cycle| workspace.compute(cycle));
    let clean_ups = workspace.clean_ups();
    let count = clean_ups.by_cadence + clean_ups.by_threshold;
    thousands(CLEAN_UP_CYCLES / count.max(1))
}

/// Everything that the repair changed, before and after it.
pub(crate) fn before_and_after() -> Vec<Findings> {
    let leaky = CollectorConfig {
        recorder: RecorderConfig::leaky(),
        retention: FeatureRetention::UNBOUNDED,
        clean_up: CleanUp::RARE,
        on_stop: OnStop::FlushOnly,
    };
    let sound = CollectorConfig::default();
    let runs = [leaky, sound].map(|config| Run::of(config, CYCLES));
    let mut rows = memory(&runs);
    let clean_ups = [leaky, sound].map(|config| cycles_per_clean_up(config.clean_up));
    rows.push(row(
        "cycles from clean-up to clean-up",
        clean_ups,
        ["1,000", "100"],
    ));
    rows.extend(buffers(&runs));
    vec![Findings {
        title: "the collector before and after its repair".to_owned(),
        header: HEADER.map(str::to_owned).to_vec(),
        rows,
        notes: notes(&runs),
    }]
}

/// The leaky collector is the one before its repair.
const HEADER: [&str; 5] = [
    "",
    "leaky, measured",
    "before the repair, by the post-mortem",
    "sound, measured",
    "after the repair, by the post-mortem",
];

/// A row of figures, leaky and sound, each with the post-mortem's beside it.
fn row(name: &str, [leaky, sound]: [String; 2], [before, after]: [&str; 2]) -> Vec<String> {
    let cells = [name, &leaky, before, &sound, after];
    cells.map(str::to_owned).to_vec()
}

fn memory(runs: &[Run; 2]) -> Vec<Vec<String>> {
    let of = |figure: fn(&Run) -> f64| runs.each_ref().map(|run| bytes(figure(run)));
    let reported_per_hour = (REPORTED_END_BYTES - REPORTED_START_BYTES) / REPORTED_HOURS;
    let (start, end) = (bytes(REPORTED_START_BYTES), bytes(REPORTED_END_BYTES));
    vec![
        row(
            "memory at start",
            of(|run| run.started as f64),
            [&start, "-"],
        ),
        row(
            &format!("memory after {CYCLES} cycles"),
            of(|run| run.ended as f64),
            ["-", "-"],
        ),
        row("growth a cycle", of(Run::growth_per_cycle), ["-", "-"]),
        row(
            "growth an hour",
            of(Run::growth_per_hour),
            [&bytes(reported_per_hour), "-"],
        ),
        row(
            "projected: growth in 5 hours",
            of(|run| run.growth_per_hour() * REPORTED_HOURS),
            [&bytes(REPORTED_END_BYTES - REPORTED_START_BYTES), "-"],
        ),
        row("released by stop", of(Run::released), ["0 B", "-"]),
        row("held after stop", of(|run| run.stopped as f64), [&end, "-"]),
    ]
}

fn buffers(runs: &[Run; 2]) -> Vec<Vec<String>> {
    let of = |figure: fn(&Run) -> String| runs.each_ref().map(figure);
    vec![
        row(
            "samples in the largest file",
            of(|run| thousands(run.largest_file.samples)),
            ["2,000", "500"],
        ),
        row(
            "bytes in the largest file",
            of(|run| bytes(run.largest_file.bytes as f64)),
            ["up to 200 MB", "up to 50 MB"],
        ),
        row(
            "samples in the queue",
            of(|run| thousands(run.queued as u64)),
            ["-", "-"],
        ),
    ]
}

fn notes([leaky, sound]: &[Run; 2]) -> Vec<String> {
    let minutes = |run: &Run| run.took.as_secs_f64() / 60.0;
    let mut workspace = Workspace::new(CleanUp::RARE);
    workspace.compute(0);
    vec![
        format!(
            "memory is the collector's live bytes. Hours are those of its own clock, on which \
             {CYCLES} cycles took {:.1} minutes leaky and {:.1} minutes sound: the sound \
             producer waits for the disk.",
            minutes(leaky),
            minutes(sound)
        ),
        format!(
            "Growth is counted from cycle {SETTLED} on. {} a cycle of the leaky figure, and the \
             list of them, are intermediate results that the next clean-up would have freed.",
            bytes(workspace.bytes() as f64)
        ),
        "The limit on the bytes of a file is never reached: the one on its samples comes first."
            .to_owned(),
        "What a leaky stop releases is what it still writes, the queue, and the intermediate \
         results."
            .to_owned(),
    ]
}

/// What a stop frees, and what the system gets of it.
pub(crate) fn stop() -> Vec<Findings> {
    let runs = [OnStop::FlushOnly, OnStop::Release].map(|on_stop| {
        let config = CollectorConfig::default();
        Run::of(CollectorConfig { on_stop, ..config }, SETTLED)
    });
    let live = |figure: fn(&Run) -> f64| runs.each_ref().map(|run| bytes(figure(run)));
    let resident = |figure: fn(&Resident) -> f64| {
        runs.each_ref().map(|run| match &run.resident {
            Some(resident) => bytes(figure(resident)),
            None => "not measured".to_owned(),
        })
    };
    let none = ["-", "-"];
    let rows = vec![
        row("live before stop", live(|run| run.ended as f64), none),
        row("live after stop", live(|run| run.stopped as f64), none),
        row("released by stop", live(Run::released), ["0 B", "-"]),
        row(
            "resident before stop *",
            resident(|r| r.before_stop as f64),
            none,
        ),
        row(
            "given back by stop *",
            resident(Resident::given_back_by_stop),
            ["0 B", "-"],
        ),
        row(
            "given back by malloc_trim after it *",
            resident(Resident::given_back_by_trim),
            none,
        ),
    ];
    vec![Findings {
        title: format!("what a stop after {SETTLED} cycles gives back"),
        header: HEADER.map(str::to_owned).to_vec(),
        rows,
        notes: vec![
            "* Figures of the whole process, which vary from run to run. All others are exact."
                .to_owned(),
        ],
    }]
}

/// A number of bytes in the largest unit that it reaches, to one decimal place.
fn bytes(number: f64) -> String {
    let units = [(1e9, "GB"), (1e6, "MB"), (1e3, "KB")];
    match units.iter().find(|(unit, _)| number.abs() >= *unit) {
        Some((unit, name)) => format!("{:.1} {name}", number / unit),
        None => format!("{number:.0} B"),
    }
}
