//! How long it takes to find who holds a million blocks, and how much memory: a map in a
//! static, a list in the state, blocks that nobody holds, and as many in a chain. Each in
//! a process of its own, which runs once, with call stacks: what one row leaves behind
//! would be searched with the next.

#![forbid(unsafe_code)]

use highwater::{Report, Scenario};
use std::collections::HashMap;
use std::hint::black_box;
use std::process::Command;
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

const BLOCKS: u64 = 1_000_000;
const ROWS: [&str; 4] = [
    "list in the state",
    "lost",
    "chain in the state",
    "map in a static",
];

static CACHE: LazyLock<Mutex<HashMap<u64, String>>> = LazyLock::new(Default::default);

/// When the step ended, and when the state was dropped: between them memory is read.
static TIMES: Mutex<Vec<Instant>> = Mutex::new(Vec::new());

fn note_time() {
    if let Ok(mut times) = TIMES.lock() {
        times.push(Instant::now());
    }
}

struct NoteTime;

impl Drop for NoteTime {
    fn drop(&mut self) {
        note_time();
    }
}

/// Fields are dropped in their order.
struct State<S> {
    _before: NoteTime,
    kept: S,
    _after: NoteTime,
}

struct Link {
    _next: Option<Box<Link>>,
}

/// Makes all blocks in the second step: the rehearsal, and what is repeated to see what
/// is left each time, do the first one alone.
fn row<S>(what: &str, setup: impl Fn() -> S, make: impl Fn(&mut S)) {
    let setup = || State {
        _before: NoteTime,
        kept: setup(),
        _after: NoteTime,
    };
    let scenario = Scenario::new("benchmark").steps(2).step_budget(2);
    let started = Instant::now();
    let report = scenario.run(setup, |state, i| {
        if i == 1 {
            TIMES.lock().expect("nobody panicked").clear();
            make(&mut state.kept);
            note_time();
        }
    });
    let end = Instant::now();
    let times = TIMES.lock().expect("nobody panicked").clone();
    let reading = times[1] - times[0];
    // From the last drop of the run; what is repeated for a residue makes no blocks.
    let searching = end - times[2];
    print_row(what, times[0] - started, reading, searching, &report);
}

fn print_row(
    what: &str,
    tracing: Duration,
    reading: Duration,
    searching: Duration,
    report: &Report,
) {
    let sites = report.diagnosis().expect("always").sites();
    let site = sites.iter().max_by_key(|site| site.live_blocks());
    let holder = site.and_then(|site| site.holders()?.first());
    let found = holder.map_or_else(|| "not known".to_owned(), ToString::to_string);
    println!(
        "| {what:<18} | {:>8} | {:>12} | {:>14} | {:>12} | {found} |",
        tracing.as_millis(),
        reading.as_millis(),
        searching.as_millis(),
        most_memory().map_or_else(|| "not known".to_owned(), |kb| (kb / 1024).to_string()),
    );
}

/// The most that this process ever had in memory, in KiB.
fn most_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

fn run(what: &str) {
    match what {
        "list in the state" => row(what, Vec::new, |list| {
            list.extend((0..BLOCKS).map(|i| Box::new([i; 8])));
        }),
        "lost" => row(
            what,
            || (),
            |()| {
                for i in 0..BLOCKS {
                    std::mem::forget(black_box(Box::new([i; 8])));
                }
            },
        ),
        "chain in the state" => row(
            what,
            // Its drop would be as deep as it is long.
            || std::mem::ManuallyDrop::new(None),
            |chain| {
                for _ in 0..BLOCKS {
                    let link = Box::new(Link {
                        _next: chain.take(),
                    });
                    **chain = Some(link);
                }
            },
        ),
        _ => row(
            what,
            || (),
            |()| {
                let mut cache = CACHE.lock().expect("nobody panicked");
                cache.extend((0..BLOCKS).map(|i| (i, i.to_string())));
            },
        ),
    }
}

fn main() {
    if let Some(what) = std::env::args().nth(1) {
        return run(&what);
    }
    println!(
        "| 1,000,000 blocks   | run (ms) | reading (ms) | searching (ms) | memory (MiB) | first \
         holder |"
    );
    println!(
        "|:-------------------|---------:|-------------:|---------------:|-------------:|:---|"
    );
    let program = std::env::current_exe().expect("this program's file");
    for what in ROWS {
        let status = Command::new(&program)
            .arg(what)
            .env("HIGHWATER_SITES", "always")
            .status();
        assert!(status.is_ok_and(|status| status.success()), "{what}");
    }
}
