//! The counting library of `cargo highwater sweep`, by itself: compiled without a warning, held
//! against a program's own count, and loaded into programs that know nothing of it.

#![forbid(unsafe_code)]
#![cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use support::program;
use tempfile::TempDir;

/// The folder of its source.
const LIBRARY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/sweep/preload");
const FAMILY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/programs/family.rs");

/// A directory with the library and the program that calls the whole family.
fn built() -> TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let compile = |source: &str, output: &str, flags: &[&str]| {
        let mut rustc = Command::new("rustc");
        rustc.args(["--edition=2024", "-Dwarnings", source, "-o"]);
        rustc.arg(directory.path().join(output)).args(flags);
        let compiled = rustc.output().expect("it starts");
        assert!(compiled.status.success(), "{compiled:?}");
    };
    let flags = [
        "--crate-type=cdylib",
        "-O",
        "-Cpanic=abort",
        "-Cstrip=symbols",
    ];
    compile(&format!("{LIBRARY}/lib.rs"), "counting.so", &flags);
    compile(FAMILY, "family", &[]);
    directory
}

/// Runs the program with the library, and returns its figures.
fn counted(directory: &Path, mut program: Command) -> (Output, Option<Vec<u64>>) {
    let file = directory.join("figures");
    let _ = fs::remove_file(&file);
    let output = program
        .env("LD_PRELOAD", directory.join("counting.so"))
        .env("HIGHWATER_SWEEP_FILE", &file)
        .output()
        .expect("it starts");
    let text = fs::read_to_string(&file).ok();
    let number = |word: &str| word.parse().expect("a number");
    (
        output,
        text.map(|text| {
            let figures = text.lines().next().unwrap_or_default().split(' ');
            figures
                .skip_while(|word| *word == "figures")
                .filter(|word| !word.is_empty())
                .map(number)
                .collect()
        }),
    )
}

#[test]
fn the_whole_family_is_counted_to_the_byte() {
    let directory = built();
    let family = || program(directory.path().join("family").to_str().expect("UTF-8"));
    // glibc agrees with what the program expects of it.
    let alone = family().output().expect("it starts");
    assert!(alone.status.success(), "{alone:?}");
    let (output, figures) = counted(directory.path(), family());
    assert_eq!(output, alone);
    let expected = String::from_utf8_lossy(&output.stdout).into_owned();
    let expected = expected
        .lines()
        .find_map(|line| line.strip_prefix("family "));
    let expected: Vec<u64> = expected
        .expect("it printed its count")
        .split(' ')
        .map(|number| number.parse().expect("a number"))
        .collect();
    assert_eq!(
        figures.as_deref().and_then(|all| all.get(1..)),
        Some(&*expected)
    );
}

/// The sums over all call stacks of what the library wrote: bytes and blocks that are left, and
/// those at the peak.
fn sums(directory: &Path) -> [u64; 4] {
    let text = fs::read_to_string(directory.join("figures")).expect("it is written");
    let mut sums = [0; 4];
    let (stacks, maps) = text.split_once("\nmaps\n").expect("it is whole");
    assert!(maps.contains("/counting.so\n"), "{maps}");
    for line in stacks.lines().skip(2) {
        let numbers = line.strip_prefix("stack ").expect("a stack");
        let numbers = numbers.split_whitespace();
        for (sum, number) in sums.iter_mut().zip(numbers) {
            *sum += number.parse::<u64>().expect("a number");
        }
    }
    sums
}

#[test]
fn call_stacks_have_every_block() {
    let directory = built();
    for argument in [None, Some("several")] {
        let family = || {
            let mut family = program(directory.path().join("family").to_str().expect("UTF-8"));
            family.args(argument);
            family
        };
        let (_, alone) = counted(directory.path(), family());
        let alone = alone.expect("it wrote them");
        let mut with_stacks = family();
        with_stacks.env("HIGHWATER_SWEEP_SITES", alone[1].to_string());
        let (output, figures) = counted(directory.path(), with_stacks);
        assert!(output.status.success(), "{output:?}");
        let figures = figures.expect("it wrote them");
        assert_eq!(figures[2..], alone[2..]);
        let [left, left_blocks, peak, peak_blocks] = sums(directory.path());
        assert_eq!([left, left_blocks], figures[4..]);
        assert!(peak_blocks > 0);
        match argument {
            None => assert_eq!(peak, figures[1]),
            // Other threads go on while the figures are copied.
            Some(_) => assert!(peak.abs_diff(figures[1]) < figures[1] / 10, "{peak}"),
        }
    }
}

#[test]
fn totals_over_threads_are_exact() {
    let directory = built();
    let mut family = program(directory.path().join("family").to_str().expect("UTF-8"));
    family.arg("several");
    let (output, figures) = counted(directory.path(), family);
    assert!(output.status.success(), "{output:?}");
    let figures = figures.expect("it wrote them");
    // 50,000 blocks of 0 to 99 bytes on each of four threads, of which those of odd sizes stay.
    let blocks = 4 * 50_000;
    assert_eq!(
        figures[2..],
        [
            blocks / 100 * 4_950,
            blocks,
            blocks / 100 * 2_500,
            blocks / 2
        ]
    );
    let peak = figures[1];
    assert!((figures[4]..=figures[4] + 4 * 99).contains(&peak), "{peak}");
}

#[test]
fn what_was_before_the_start_is_not_counted() {
    let directory = built();
    let mut family = program(directory.path().join("family").to_str().expect("UTF-8"));
    family.env("HIGHWATER_SWEEP_ALL", "1");
    // A library that starts first, as it is one of the program's, allocates there.
    let source = "#[used]\n#[unsafe(link_section = \".init_array\")]\n\
                  static START: extern \"C\" fn() = start;\n\
                  extern \"C\" fn start() { std::mem::forget(Box::new(1)); }\n";
    let [library, early] = ["libearly.so", "early.rs"].map(|name| directory.path().join(name));
    fs::write(&early, source).expect("it is ours");
    let compiled = Command::new("rustc")
        .args(["--edition=2024", "--crate-type=cdylib", "-o"])
        .args([&library, &early])
        .status();
    assert!(compiled.expect("it starts").success());
    let linked = Command::new("rustc")
        .args(["--edition=2024", FAMILY, "-o"])
        .arg(directory.path().join("family"))
        .arg("-Clink-arg=-Wl,--no-as-needed")
        .arg(format!("-Clink-arg={}", library.display()))
        .status();
    assert!(linked.expect("it starts").success());
    let (output, figures) = counted(directory.path(), family);
    assert!(output.status.success(), "{output:?}");
    let figures = figures.expect("it wrote them");
    assert_eq!(figures[0], 0, "no thread is left out");
    assert!(figures[3] > 0);
}

#[test]
fn programs_run_unchanged() {
    let directory = built();
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let python = "import json, re, threading, ctypes\n\
                  t = [threading.Thread(target=lambda: json.dumps(list(range(9999)))) for _ in '123']\n\
                  [x.start() for x in t]; [x.join() for x in t]\n\
                  print(re.sub('a', 'b', 'banana'))";
    let programs: [(&str, &[&str]); 5] = [
        ("ls", &["-l", "src"]),
        ("git", &["log", "-3", "--stat"]),
        ("/usr/bin/python3", &["-c", python]),
        ("sh", &["-c", "ls | sort | head -n 3; exit 3"]),
        ("sort", &["--parallel=4", "Cargo.toml"]),
    ];
    let mut run = 0;
    for (name, arguments) in programs {
        let command = || {
            let mut command = program(name);
            command.args(arguments).current_dir(&root);
            command
        };
        // Not every machine has all of them.
        let Ok(alone) = command().output() else {
            continue;
        };
        let mut with_stacks = command();
        with_stacks.env("HIGHWATER_SWEEP_SITES", "0");
        assert_eq!(counted(directory.path(), with_stacks).0, alone, "{name}");
        let (output, figures) = counted(directory.path(), command());
        assert_eq!(output, alone, "{name}");
        // Others end by `_exit`.
        let must_tell = ["ls", "git", "/usr/bin/python3"].contains(&name);
        assert!(
            figures.map_or(!must_tell, |figures| figures[0] > 20),
            "{name}"
        );
        run += 1;
    }
    assert!(run >= 2, "`ls` and `sh` are everywhere");
}

#[test]
fn it_is_formatted() {
    // The root has the others with it.
    for source in [format!("{LIBRARY}/lib.rs"), FAMILY.to_owned()] {
        let mut rustfmt = Command::new("rustfmt");
        let output = rustfmt
            .args(["--edition=2024", "--check", &source])
            .output();
        let output = output.expect("it starts");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        );
    }
}

/// The modules have an order, in which the root lists them.
#[test]
fn each_module_uses_those_before_it() {
    let read =
        |name: &str| fs::read_to_string(format!("{LIBRARY}/{name}.rs")).expect("it is there");
    let root = read("lib");
    let (_, list) = root.split_once("those before it:\n").expect("a list");
    let list: String = list.lines().take_while(|line| !line.is_empty()).collect();
    let order: Vec<_> = list.split('`').skip(1).step_by(2).collect();
    let modules = root.lines().filter_map(|line| line.strip_prefix("mod "));
    assert_eq!(order.len(), modules.count(), "{order:?}");
    for (at, module) in order.iter().enumerate() {
        let source = read(module);
        for later in &order[at..] {
            let is_used = |line: &str| {
                let names = line.split(|c: char| !c.is_alphanumeric() && c != '_');
                line.starts_with("use crate::") && { names }.any(|name| name == *later)
            };
            assert!(!source.lines().any(is_used), "{module} uses {later}");
        }
    }
}

/// Every unsafe block says why it is sound.
#[test]
fn it_says_why_it_is_sound() {
    for file in fs::read_dir(LIBRARY).expect("it is there") {
        let path = file.expect("a file").path();
        let text = fs::read_to_string(&path).expect("source is text");
        let lines: Vec<_> = text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            let is_block = code.contains("unsafe {") || code.starts_with("unsafe extern \"C\" {");
            let before = lines[..at].iter().rev().take(6);
            let is_said = { before }.any(|line| line.trim_start().starts_with("// SAFETY: "));
            let place = format!("{}:{}", path.display(), at + 1);
            assert!(!is_block || is_said, "{place}: {line}");
        }
    }
}
