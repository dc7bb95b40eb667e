//! How the cost of counting grows: with the depth of the stack, the number of call stacks, of
//! live blocks, and of scopes.
//!
//! In instructions, which do not depend on what else the machine does, and for live blocks in
//! bytes that the process needs more than with the system's allocator.
//!
//! `cargo bench -p highwater-tests --bench growth -- --markdown` prints the table as Markdown.

#![forbid(unsafe_code)]

use highwater::__private::Thousands;
use highwater_tests::callgrind;
use highwater_tests::table::{ASCII_MARKDOWN, NOTHING, rendered};
use std::process::Command;

/// The system's allocator, highwater in a scope, and in call-stack mode.
const PROGRAMS: [&str; 3] = [
    env!("CARGO_BIN_EXE_bench-system"),
    env!("CARGO_BIN_EXE_bench-highwater-scope"),
    env!("CARGO_BIN_EXE_bench-highwater-sites"),
];

/// What grows: how the programs call it, what it is called here, and how much of it there is.
const GROWING: [(&str, &str, &[u64]); 4] = [
    ("deep", "frames deeper", &[0, 10, 40, 64]),
    ("sites", "call stacks", &[10, 100, 1_000, 16_000]),
    (
        "live",
        "live blocks",
        &[1_000, 10_000, 100_000, 1_000_000, 5_000_000],
    ),
    (
        "scopes",
        "scopes, one in the other",
        &[1, 10, 100, 1_000, 10_000],
    ),
];

fn main() {
    let is_markdown = std::env::args().any(|argument| argument == "--markdown");
    let style = if is_markdown { ASCII_MARKDOWN } else { NOTHING };
    let header = [
        "instructions a pair",
        "System",
        "in a scope",
        "ratio",
        "call stacks",
        "ratio",
        "B a block, in a scope",
        "B a block, call stacks",
    ];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for (load, name, counts) in GROWING {
        for count in counts {
            eprint!("\r{count} {name}                    ");
            rows.push(row(load, name, *count));
        }
    }
    eprint!("\r{:40}\r", "");
    println!("{}", rendered(&rows, style));
}

fn row(load: &str, name: &str, count: u64) -> Vec<String> {
    let instructions = PROGRAMS.map(|program| {
        let has_scopes = program != PROGRAMS[0] || load != "scopes";
        let arguments = |units: u64| vec![load.to_owned(), units.to_string(), count.to_string()];
        let runs = [1_000, 11_000];
        let count = has_scopes.then(|| callgrind::instructions(program, runs, arguments));
        count.flatten()
    });
    let [system, ours @ ..] = instructions;
    let text = |count: Option<f64>| count.map_or("-".to_owned(), |count| format!("{count:.1}"));
    let mut row = vec![format!("{name}: {}", Thousands(count)), text(system)];
    for own in ours {
        let ratio = own.zip(system).map(|(own, system)| own / system);
        row.extend([
            text(own),
            ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.2}")),
        ]);
    }
    let memory = (load == "live").then(|| PROGRAMS.map(|program| resident(program, count)));
    for own in 1..PROGRAMS.len() {
        let more = memory.map(|memory| (memory[own] - memory[0]) / count as f64);
        row.push(text(more));
    }
    row
}

/// The most resident memory of a process with so many live blocks, in bytes.
fn resident(program: &str, blocks: u64) -> f64 {
    let output = Command::new(program)
        .env("HIGHWATER_SITES", "always")
        .args(["resident", &blocks.to_string()])
        .output()
        .expect("the program was built with this benchmark");
    assert!(output.status.success(), "{program} failed");
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().expect("the program prints bytes")
}
