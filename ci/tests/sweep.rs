//! `cargo highwater sweep`, in a project that knows nothing of it.

#![forbid(unsafe_code)]
#![cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]

mod support;

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Output;
use support::Project;

/// Tests whose names have the same length, because a name is memory too.
const TESTS: &str = r#"
use std::ffi::{c_int, c_void};
use std::hint::black_box;
use std::process::Command;
use std::thread;

unsafe extern "C" {
    fn malloc(size: usize) -> *mut c_void;
    fn fork() -> c_int;
    fn waitpid(process: c_int, status: *mut c_int, options: c_int) -> c_int;
    fn exit(code: c_int) -> !;
    fn _exit(code: c_int) -> !;
}

#[test]
fn quiet() {}

#[test]
fn leaks() {
    std::mem::forget(black_box(vec![1_u8; 1_000]));
}

#[test]
fn peaks() {
    drop(black_box(vec![1_u8; 10_000_000]));
    drop(black_box(vec![1_u8; 10_000_000]));
}

#[test]
fn c_own() {
    // SAFETY: it takes any size.
    unsafe { black_box(malloc(4_321)) };
}

#[test]
fn grows() {
    let mut bytes = Vec::with_capacity(1_000);
    bytes.resize(1_000, 1_u8);
    bytes.reserve_exact(1_000);
    black_box(&bytes);
}

#[test]
fn fails() {
    panic!("as it should");
}

#[test]
#[ignore]
fn never() {}

#[test]
fn abort() {
    std::process::abort();
}

#[test]
fn sexit() {
    // SAFETY: it takes any number.
    unsafe { _exit(0) };
}

#[test]
fn forks() {
    // SAFETY: the child calls nothing that another thread may have locked.
    unsafe {
        if fork() == 0 {
            black_box(malloc(123_456));
            exit(0);
        }
        let mut status = 1;
        waitpid(-1, &mut status, 0);
        assert_eq!(status, 0);
    }
}

#[test]
fn joins() {
    let work = || drop(black_box(vec![1_u8; 5_000]));
    let threads: Vec<_> = (0..8).map(|_| thread::spawn(work)).collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn stays() {
    thread::spawn(|| thread::park_timeout(std::time::Duration::MAX));
}

#[test]
fn knows() {
    let output = Command::new("env").output().unwrap();
    let environment = String::from_utf8(output.stdout).unwrap();
    let hidden = |line: &str| line.starts_with("HIGHWATER_") || line.contains("counting-");
    assert!(!environment.lines().any(hidden), "{environment}");
    assert!(environment.contains("\nLD_PRELOAD=libm.so.6\n"), "{environment}");
    assert_eq!(std::env::var("CARGO_PKG_VERSION_MAJOR").unwrap(), "0");
    assert_eq!(std::env::var("BUILT").unwrap(), "by a script");
    assert_eq!(std::env::var("CONFIGURED").unwrap(), "in TOML");
    let directory = std::env::var("CARGO_MANIFEST_DIR").unwrap();
    assert_eq!(std::env::current_dir().unwrap().to_str(), Some(directory.as_str()));
}
"#;

/// What is written as JSON, by test; and the process.
fn swept(project: &Project, arguments: &[&str]) -> (BTreeMap<String, Value>, Output) {
    let arguments = [
        &["sweep", "--sites", "0", "--json", "sweep.json"],
        arguments,
    ]
    .concat();
    let mut command = project.command(&arguments);
    let output = command.env("LD_PRELOAD", "libm.so.6").output();
    let output = output.expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr);
    let text = fs::read_to_string(project.path().join("sweep.json")).expect(&said);
    let tests: Vec<Value> = serde_json::from_str(&text).expect("JSON");
    let name = |test: &Value| test["test"].as_str().expect("a name").to_owned();
    (
        tests.into_iter().map(|test| (name(&test), test)).collect(),
        output,
    )
}

fn figures(test: &Value) -> [u64; 5] {
    let names = [
        "peak_bytes",
        "total_bytes",
        "total_blocks",
        "left_bytes",
        "left_blocks",
    ];
    names.map(|name| {
        test[name]
            .as_u64()
            .unwrap_or_else(|| panic!("{name} of {test}"))
    })
}

#[test]
fn each_test_has_its_figures() {
    let project = Project::plain(TESTS);
    project.write(
        "build.rs",
        "fn main() { println!(\"cargo:rustc-env=BUILT=by a script\"); }",
    );
    project.write(".cargo/config.toml", "[env]\nCONFIGURED = \"in TOML\"\n");
    let (tests, output) = swept(&project, &[]);
    let printed = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{printed}\n{said}");
    let failed = |test: &&Value| test["status"] == "failed";
    let failed: Vec<_> = tests
        .values()
        .filter(failed)
        .map(|test| &test["test"])
        .collect();
    assert_eq!(failed, ["abort", "fails"], "{said}");
    assert!(
        said.contains("---- orders fails ----") && said.contains("as it should"),
        "{said}"
    );
    assert!(!tests.contains_key("never"));

    let [peak, total, blocks, left, left_blocks] = figures(&tests["quiet"]);
    assert_eq!((left, left_blocks), (0, 0));
    // What libtest itself has in the thread of a test.
    assert!((1..20_000).contains(&peak) && (1..20_000).contains(&total) && blocks < 20);
    let beyond = |name: &str| {
        let [_, of_test, blocks_of_test, left, left_blocks] = figures(&tests[name]);
        [of_test - total, blocks_of_test - blocks, left, left_blocks]
    };
    assert_eq!(beyond("leaks"), [1_000, 1, 1_000, 1]);
    assert_eq!(beyond("peaks"), [20_000_000, 2, 0, 0]);
    assert_eq!(beyond("c_own"), [4_321, 1, 4_321, 1]);
    assert_eq!(beyond("grows"), [2_000, 1, 0, 0]);
    assert_eq!(beyond("forks"), [0, 0, 0, 0]);
    let [joined, _, left, left_blocks] = beyond("joins");
    assert!((40_000..60_000).contains(&joined));
    assert_eq!((left, left_blocks), (0, 0));
    // A thread that does not end holds what it has.
    assert!(beyond("stays")[3] > 0);
    let [peaks, ..] = figures(&tests["peaks"]);
    assert!((10_000_000..10_020_000).contains(&peaks), "{peaks}");

    for (name, reason) in [
        ("abort", "its process ended by signal: 6 (SIGABRT)"),
        (
            "sexit",
            "its process ended by `_exit`, became another program, or could not write them",
        ),
    ] {
        assert_eq!(tests[name]["no_figures"], reason);
        assert_eq!(tests[name]["left_bytes"], Value::Null);
        assert!(printed.contains(reason), "{printed}");
    }
    let summary = "12 tests, peak 10.0 MB in `peaks`, 3 leave memory behind\n2 failed, 2 leave \
                   unreachable memory, 2 without figures, 1 not searched\n";
    assert!(printed.starts_with(summary), "{printed}");
    assert!(
        printed.lines().all(|line| line.chars().count() <= 80),
        "{printed}"
    );
    again_is_the_same(&project, &tests);
}

#[track_caller]
fn again_is_the_same(project: &Project, tests: &BTreeMap<String, Value>) {
    let (again, _) = swept(project, &["--", "--lib", "--", "s"]);
    assert_eq!(again.len(), 9, "those with an `s`: {:?}", again.keys());
    // What these have depends on when their threads and processes run.
    let timed = ["joins", "knows", "stays"];
    for (name, test) in again {
        assert!(test == tests[&name] || timed.contains(&&*name), "{test}");
    }
}

#[test]
fn tests_of_several_binaries_are_told_apart() {
    let project = Project::plain("#[test]\nfn one() {}");
    project.write(
        "tests/more.rs",
        "#[test]\nfn one() {}\n#[test]\nfn two() {}",
    );
    let uses = "#[test]\nfn started() {\n    let path = std::env::var(\"CARGO_BIN_EXE_orders\");\n\
                assert!(std::process::Command::new(path.unwrap()).status().unwrap().success());\n}";
    project.write("tests/started.rs", uses);
    project.write("src/main.rs", "fn main() {}");
    let printed = project.run(&["sweep", "--top", "3"], 0);
    let names = printed
        .lines()
        .skip(3)
        .map(|line| line.split("  ").next().unwrap_or_default());
    let names: Vec<_> = names.take(3).collect();
    assert_eq!(
        names,
        ["started", "orders one", "orders::more one"],
        "{printed}"
    );
    assert!(printed.ends_with("and 1 more; --top N prints N tests, --json FILE has all\n"));
}

#[test]
fn no_answer() {
    let project = Project::plain("#[test]\nfn one() {}");
    let mut said = vec![project.refuse_with_output(&["sweep", "--", "--lib", "--", "other"])];
    said.push(project.refuse_with_output(&["sweep", "--", "--lib", "--", "--format", "json"]));
    project.write("lib.rs", "broken");
    said.push(project.refuse_with_output(&["sweep", "--", "--lib"]));
    for compiler in [
        "echo host: aarch64-apple-darwin",
        "test $# = 1 && echo host: x86_64-unknown-linux-gnu",
        "echo this toolchain is not installed >&2; exit 3",
    ] {
        let rustc = project.path().join("rustc");
        fs::write(&rustc, format!("#!/bin/sh\n{compiler}\n")).expect("it can be written");
        let executable = fs::Permissions::from_mode(0o755);
        fs::set_permissions(&rustc, executable).expect("it is ours");
        let output = project.command(&["sweep"]).env("RUSTC", rustc).output();
        let output = output.expect("it starts");
        assert_eq!(output.status.code(), Some(2));
        said.push(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let errors = said
        .iter()
        .map(|said| said.lines().last().unwrap_or_default());
    insta::assert_snapshot!(errors.collect::<Vec<_>>().join("\n"));
}

/// A program whose main thread allocates, and so does another.
const PROGRAM: &str = r"
use std::hint::black_box;

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some(`leaks`) => {
            std::mem::forget(black_box(vec![1_u8; 1_000_000]));
            let work = || std::mem::forget(black_box(vec![1_u8; 2_000_000]));
            std::thread::spawn(work).join().unwrap();
            println!(`own output`);
        }
        Some(`fails`) => std::process::exit(7),
        _ => std::process::abort(),
    }
}
";

#[test]
fn any_program_has_its_figures() {
    let project = Project::plain("");
    project.write("src/main.rs", &PROGRAM.replace('`', "\""));
    let mut cargo = project.runs(support::program(env!("CARGO")));
    let built = cargo
        .args(["build", "--quiet"])
        .status()
        .expect("it starts");
    assert!(built.success());
    let program = project.target().join("debug/orders");
    let program = program.to_str().expect("a path in UTF-8");
    let mut said = Vec::new();
    let mut run = |asked: &str, code: i32| {
        let arguments = [
            "run-program",
            "--json",
            "program.json",
            "--",
            program,
            asked,
        ];
        let output = project.highwater(&arguments);
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        said.push(String::from_utf8_lossy(&output.stderr).into_owned());
        let text = fs::read_to_string(project.path().join("program.json")).expect("it is written");
        let found: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(found["command"][1], asked);
        (found, String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (leaks, printed) = run("leaks", 0);
    assert_eq!(printed, "own output\n");
    let (fails, _) = run("fails", 1);
    assert_eq!(fails["exit_code"], 7);
    let [.., left, _] = figures(&leaks);
    let [.., left_by_none, _] = figures(&fails);
    // Standard output has a buffer, and the arguments are freed in the one alone.
    let beyond = left - left_by_none;
    assert!((2_999_000..3_004_000).contains(&beyond), "{beyond}");
    let (aborts, _) = run("aborts", 1);
    assert_eq!(aborts["exit_code"], Value::Null);
    assert!(said[0].starts_with("highwater: peak 3.0"), "{}", said[0]);
    insta::assert_snapshot!(said[2]);
    let missing = project.refuse(&["run-program", "--", "./nothing"]);
    insta::assert_snapshot!(missing);
}
