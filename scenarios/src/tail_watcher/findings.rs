//! The buffer of the tail watcher, round by round, beside the 41 and 44 million lines
//! of the post-mortem; and what taking a batch costs.

use super::{Setting, round};
use crate::{Findings, Twin, thousands};
use highwater::Scope;
use highwater_fixtures::{DrainOrder, LineBuffer, TailWatcher, TailedService};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Builder;

const ROUNDS: usize = 10;
const LINES_A_ROUND: u64 = TailedService::LINES_A_SECOND;
/// The post-mortem's figures: the buffer's length before and after.
const LINES_BEFORE: u64 = 41_000_000;
const LINES_AFTER: u64 = 44_000_000;
const MICROS_PER_LINE: u64 = TailWatcher::MICROS_PER_LINE;
/// What the post-mortem allowed for taking 1,000 lines.
const TAKING_LIMIT: &str = "1,000 to 2,000 µs";
const TAKINGS: usize = 201;

pub(super) fn tables() -> Vec<Findings> {
    let (sound, leaky) = (ten_rounds(Twin::Sound), ten_rounds(Twin::Leaky));
    vec![round_by_round(&sound, &leaky), projection(&leaky), taking()]
}

/// How things stand at the end of a round.
struct Round {
    batch: u64,
    waiting: u64,
    repeated: u64,
    live_bytes: u64,
}

fn ten_rounds(twin: Twin) -> Vec<Round> {
    let mut rounds = Vec::with_capacity(ROUNDS);
    let setting = Setting::new();
    let runtime = Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a runtime without descriptors");
    let scope = Scope::enter("tail-watcher");
    let mut service = runtime.block_on(setting.start(twin));
    for number in 0..ROUNDS as u64 {
        runtime.block_on(round(&mut service, number));
        let progress = service.progress();
        rounds.push(Round {
            batch: progress.last_batch as u64,
            waiting: service.buffered(),
            repeated: progress.lines_repeated(),
            live_bytes: scope.usage().live_bytes,
        });
    }
    rounds
}

fn round_by_round(sound: &[Round], leaky: &[Round]) -> Findings {
    let header = [
        "round",
        "sound: lines taken",
        "lines waiting",
        "live memory",
        "leaky: lines taken",
        "lines waiting",
        "live memory",
        "lines processed again",
    ];
    let rows = (1..).zip(sound.iter().zip(leaky));
    let rows = rows.map(|(number, (sound, leaky))| {
        vec![
            number.to_string(),
            thousands(sound.batch),
            thousands(sound.waiting),
            bytes(sound.live_bytes),
            thousands(leaky.batch),
            thousands(leaky.waiting),
            bytes(leaky.live_bytes),
            thousands(leaky.repeated),
        ]
    });
    let batches = sound.iter().map(|round| round.batch);
    let (least, most) = (batches.clone().min(), batches.max());
    Findings {
        title: format!(
            "the buffer after each of ten rounds of about {} new lines",
            thousands(LINES_A_ROUND)
        ),
        header: header.map(str::to_owned).to_vec(),
        rows: rows.collect(),
        notes: vec![
            format!(
                "Sound batches have {} to {} lines, beside the {} of the post-mortem; no line is \
                 processed twice.",
                thousands(least.unwrap_or_default()),
                thousands(most.unwrap_or_default()),
                thousands(LINES_A_ROUND),
            ),
            "What waits in the sound buffer was read since the batch was taken.".to_owned(),
        ],
    }
}

/// What a pass over the post-mortem's buffer comes to, with a line's bytes as measured.
fn projection(leaky: &[Round]) -> Findings {
    let bytes_per_line = match leaky {
        [first, .., last] => (last.live_bytes - first.live_bytes) / (last.waiting - first.waiting),
        _ => 0,
    };
    let pass_s = LINES_BEFORE * MICROS_PER_LINE / 1_000_000;
    let after = LINES_BEFORE + pass_s * LINES_A_ROUND;
    let gigabytes = |lines: u64| format!("{:.1} GB", (lines * bytes_per_line) as f64 / 1e9);
    let row = |name: &str, paper: String, here: String| vec![name.to_owned(), paper, here];
    let unknown = || "not known".to_owned();
    Findings {
        title: "one leaky pass over the post-mortem's buffer, projected".to_owned(),
        header: ["", "post-mortem", "here"].map(str::to_owned).to_vec(),
        rows: vec![
            row(
                "lines when it begins",
                lines(LINES_BEFORE),
                lines(LINES_BEFORE),
            ),
            row(
                "it takes",
                unknown(),
                format!("{} s, {MICROS_PER_LINE} µs a line", thousands(pass_s)),
            ),
            row("lines when it ends", lines(LINES_AFTER), lines(after)),
            row(
                "memory of a line in the leaky twin",
                unknown(),
                bytes(bytes_per_line),
            ),
            row("memory when it begins", unknown(), gigabytes(LINES_BEFORE)),
            row("memory when it ends", unknown(), gigabytes(after)),
        ],
        notes: vec![format!(
            "A round is taken to be a second. {MICROS_PER_LINE} µs a line is what makes 44 of 41 \
             million in one pass; at that pace a sound watcher is busy for 7 % of the time."
        )],
    }
}

fn taking() -> Findings {
    let row = |name: &str, order| {
        let (median, slowest) = time_of_taking(order);
        vec![
            name.to_owned(),
            TAKING_LIMIT.to_owned(),
            micros(median),
            micros(slowest),
        ]
    };
    let header = ["", "post-mortem", "median", "slowest"];
    Findings {
        title: format!("taking 1,000 lines, {TAKINGS} times; varies from run to run"),
        header: header.map(str::to_owned).to_vec(),
        rows: vec![
            row("taken out, sound", DrainOrder::BeforeProcessing),
            row("copied, leaky", DrainOrder::AfterProcessing),
        ],
        notes: Vec::new(),
    }
}

/// The median, and the most.
fn time_of_taking(order: DrainOrder) -> (Duration, Duration) {
    let line: Arc<str> = Arc::from("1677628800001 INFO trade 000000000001");
    let once = |_| {
        let buffer = LineBuffer::new(order);
        buffer.append(&mut vec![Arc::clone(&line); 1_000]);
        let start = Instant::now();
        let batch = buffer.take_batch();
        let time = start.elapsed();
        assert_eq!(batch.len(), 1_000);
        time
    };
    let mut times: Vec<_> = (0..TAKINGS).map(once).collect();
    times.sort_unstable();
    (times[TAKINGS / 2], times[TAKINGS - 1])
}

fn lines(number: u64) -> String {
    format!("{} lines", thousands(number))
}

fn bytes(number: u64) -> String {
    format!("{} B", thousands(number))
}

fn micros(time: Duration) -> String {
    format!("{:.2} µs", time.as_nanos() as f64 / 1e3)
}
