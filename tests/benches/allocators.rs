//! What counting costs: the same two loads on the system's allocator, on
//! highwater and on two peers, each in a process of its own, started in turn.
//!
//! Machines drift, so a time alone says little: each round runs every allocator
//! once, and what is compared is the ratio to the system's allocator within a
//! round. Instructions, counted by callgrind where valgrind is installed, do not
//! drift at all, but do not see what a locked instruction costs.
//!
//! `cargo bench -p highwater-tests --bench allocators -- --markdown ../docs/benchmarks.md`
//! writes the table as Markdown too, to a path seen from this package.

#![forbid(unsafe_code)]

use highwater_tests::callgrind;
use highwater_tests::table::{ASCII_MARKDOWN, NOTHING, rendered};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike as _};
use std::process::Command;

const ROUNDS: usize = 15;

/// Rounds of the part with threads, whose times swing less than they differ.
const THREAD_ROUNDS: usize = 5;

const THREADS: [u64; 5] = [1, 2, 4, 8, 16];

struct Allocator {
    name: &'static str,
    program: &'static str,
    /// How many times slower than the system's it is, very roughly: it is given
    /// less to do, so that nobody waits for it.
    slowness: u64,
}

macro_rules! allocators {
    ($($name:literal: $program:literal / $slowness:literal),+ $(,)?) => {
        [$(Allocator {
            name: $name,
            program: env!(concat!("CARGO_BIN_EXE_bench-", $program)),
            slowness: $slowness,
        }),+]
    };
}

const ALLOCATORS: [Allocator; 11] = allocators![
    "System": "system" / 1,
    "highwater, no scope": "highwater" / 1,
    "highwater, in a scope": "highwater-scope" / 1,
    "highwater, call-stack mode": "highwater-sites" / 1,
    "stats_alloc": "stats-alloc" / 1,
    "cap": "cap" / 1,
    "peakmem-alloc": "peakmem-alloc" / 1,
    "tracking-allocator": "tracking-allocator" / 1,
    "alloc_tracker": "alloc-tracker" / 1,
    "divan AllocProfiler, idle": "divan" / 1,
    "dhat": "dhat" / 60,
];

/// The loads as the programs call them, and how many units of each a round has.
const LOADS: [(&str, u64); 2] = [("pair", 3_000_000), ("load", 20)];

/// How many units of each all threads of a round do together.
const OF_ALL_THREADS: [u64; LOADS.len()] = [8_000_000, 32];

fn main() {
    let markdown = markdown_file();
    let mut times = vec![[const { Vec::new() }; LOADS.len()]; ALLOCATORS.len()];
    for round in 1..=ROUNDS {
        eprint!("\rround {round} of {ROUNDS}      ");
        for (allocator, times) in ALLOCATORS.iter().zip(&mut times) {
            for (times, (name, units)) in times.iter_mut().zip(LOADS) {
                let units = (units / allocator.slowness).max(1);
                times.push(nanoseconds(allocator.program, &[name], units));
            }
        }
    }
    let mut thread_times =
        vec![[const { [const { Vec::new() }; THREADS.len()] }; LOADS.len()]; ALLOCATORS.len()];
    for round in 1..=THREAD_ROUNDS {
        eprint!("\rround {round} of {THREAD_ROUNDS} with threads      ");
        for (allocator, of_loads) in ALLOCATORS.iter().zip(&mut thread_times) {
            for (load, of_threads) in of_loads.iter_mut().enumerate() {
                for (times, threads) in of_threads.iter_mut().zip(THREADS) {
                    times.push(cpu_nanoseconds(allocator, load, threads));
                }
            }
        }
    }
    eprint!("\rcounting instructions            ");
    let instructions: Vec<_> = ALLOCATORS
        .iter()
        .map(|allocator| LOADS.map(|(load, _)| instructions(allocator.program, load)))
        .collect();
    eprint!("\r{:40}\r", "");
    let of_load = |load: usize| thread_table(&thread_times, load);
    let tables = [table(&times, &instructions), of_load(0), of_load(1)];
    let render = |style| {
        tables
            .each_ref()
            .map(|table| rendered(table, style))
            .join("\n\n")
    };
    println!("{}\n\n{}", render(NOTHING), explanation());
    if let Some(file) = markdown {
        // What people wrote below the tables stays.
        let known = std::fs::read_to_string(&file).unwrap_or_default();
        let below = known.split_once(MADE_BY).map_or("", |(_, below)| below);
        let below = if below.is_empty() { "\n" } else { below };
        let text = format!(
            "# What counting costs\n\n{}\n\n{}\n\n{MADE_BY}{below}",
            render(ASCII_MARKDOWN),
            explanation()
        );
        if let Err(error) = std::fs::write(&file, text) {
            eprintln!("{file} could not be written: {error}");
            std::process::exit(2);
        }
    }
}

/// The end of what this program writes.
const MADE_BY: &str = "Made by `cargo bench -p highwater-tests --bench allocators -- --markdown ../docs/benchmarks.md`.";

/// The file after `--markdown`; cargo's own `--bench` is passed over.
fn markdown_file() -> Option<String> {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--markdown");
    arguments.next()?;
    let file = arguments.next();
    if file.is_none() {
        eprintln!("--markdown needs the name of a file");
        std::process::exit(2);
    }
    file
}

/// Runs `units` of a load and returns what one of them took. The first argument
/// names the load; what follows it stands behind the number of units.
fn nanoseconds(program: &str, load: &[&str], units: u64) -> f64 {
    let output = Command::new(program)
        .env("HIGHWATER_SITES", "always")
        .arg(load[0])
        .arg(units.to_string())
        .args(&load[1..])
        .output()
        .expect("the program was built with this benchmark");
    assert!(output.status.success(), "{program} {load:?} failed");
    let total: u64 = String::from_utf8_lossy(&output.stdout)
        .trim()
        .parse()
        .expect("the program prints nanoseconds");
    total as f64 / units as f64
}

/// Processor time of one unit on so many threads at once: the difference between two runs, so
/// that starting up is left out, and so are the times in which a thread waits for a processor.
fn cpu_nanoseconds(allocator: &Allocator, load: usize, threads: u64) -> f64 {
    let all = OF_ALL_THREADS[load] / allocator.slowness / threads;
    let (few, many) = (all.div_ceil(8), all.max(2));
    let of = |units: u64| {
        let before = of_children();
        let name = LOADS[load].0;
        nanoseconds(allocator.program, &[name, &threads.to_string()], units);
        of_children() - before
    };
    let difference = of(many) - of(few);
    difference / ((many - few) * threads) as f64
}

/// Processor time of all children that have ended, in nanoseconds.
fn of_children() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the system counts it");
    let microseconds = |time: TimeVal| time.num_microseconds() as f64;
    1e3 * (microseconds(usage.user_time()) + microseconds(usage.system_time()))
}

/// Instructions for one unit of a load.
fn instructions(program: &str, load: &str) -> Option<f64> {
    let runs = if load == "pair" {
        [1_000, 11_000]
    } else {
        [1, 2]
    };
    callgrind::instructions(program, runs, |units| {
        vec![load.to_owned(), units.to_string()]
    })
}

type Times = [Vec<f64>; LOADS.len()];

fn table(times: &[Times], instructions: &[[Option<f64>; LOADS.len()]]) -> Vec<Vec<String>> {
    let mut rows = vec![
        [
            "allocator",
            "ns a pair",
            "ratio",
            "instr. a pair",
            "ratio",
            "ms a load",
            "ratio",
            "M instr. a load",
            "ratio",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    for (index, allocator) in ALLOCATORS.iter().enumerate() {
        let mut row = vec![allocator.name.to_owned()];
        for (load, unit) in [1.0, 1e6].into_iter().enumerate() {
            row.push(format!("{:.2}", lowest(&times[index][load]) / unit));
            row.push(format!(
                "{:.2}",
                ratio(&times[index][load], &times[0][load])
            ));
            let count = instructions[index][load];
            row.push(count.map_or("no valgrind".into(), |n| format!("{:.1}", n / unit)));
            let against = count.zip(instructions[0][load]);
            row.push(against.map_or("-".into(), |(n, system)| format!("{:.3}", n / system)));
        }
        rows.push(row);
    }
    rows
}

type ThreadTimes = [[Vec<f64>; THREADS.len()]; LOADS.len()];

/// What a pair or a load takes of a processor on several threads at once, and the ratio to the
/// system's allocator.
fn thread_table(times: &[ThreadTimes], load: usize) -> Vec<Vec<String>> {
    let (unit, nanoseconds) = [("ns a pair", 1.0), ("ms a load", 1e6)][load];
    let mut header = vec![format!("CPU time, {unit}")];
    for threads in THREADS {
        let noun = if threads == 1 { "thread" } else { "threads" };
        header.extend([format!("{threads} {noun}"), "ratio".to_owned()]);
    }
    let mut rows = vec![header];
    for (allocator, own) in ALLOCATORS.iter().zip(times) {
        let mut row = vec![allocator.name.to_owned()];
        for (own, system) in own[load].iter().zip(&times[0][load]) {
            row.push(format!("{:.2}", lowest(own) / nanoseconds));
            row.push(format!("{:.2}", ratio(own, system)));
        }
        rows.push(row);
    }
    rows
}

fn explanation() -> String {
    format!(
        "A pair is one malloc and free of 64 bytes. A load is 10,000 candle messages, parsed from \
         JSON into rings.\nTimes are the lowest of {ROUNDS} rounds ({THREAD_ROUNDS} with threads) \
         in which the allocators took turns; a ratio is the median of the rounds'.\nWith threads, \
         all do the same at once; the time is that of the processors, from two run lengths.\n\
         Where blocks lie moves the load by up to 5 %: the C library merges free blocks now and \
         then.\n{} on {}, {} processors.",
        version(),
        processor(),
        std::thread::available_parallelism().map_or(1, usize::from),
    )
}

fn lowest(times: &[f64]) -> f64 {
    times.iter().copied().fold(f64::INFINITY, f64::min)
}

/// The median, over the rounds, of the ratio within a round.
fn ratio(times: &[f64], system: &[f64]) -> f64 {
    let mut ratios: Vec<_> = times.iter().zip(system).map(|(a, b)| a / b).collect();
    ratios.sort_by(f64::total_cmp);
    ratios[ratios.len() / 2]
}

fn version() -> String {
    let output = Command::new("rustc").arg("--version").output();
    output.map_or("an unknown rustc".to_owned(), |output| {
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    })
}

fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let model = model.and_then(|rest| rest.split_once(": "));
    model
        .map_or("an unknown processor", |(_, name)| name)
        .to_owned()
}
