//! The call sites that `cargo highwater sweep` finds, in programs that are built as always.

#![forbid(unsafe_code)]
#![cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]

mod support;

use serde_json::Value;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use support::Project;

const TESTS: &str = "use std::hint::black_box;

unsafe extern \"C\" {
    fn malloc(size: usize) -> *mut u8;
}

fn keep<T>(value: T) {
    std::mem::forget(black_box(value));
}

fn grow(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len() + 1_000, 1);
}

#[test]
fn leaks() {
    let mut bytes = Vec::new();
    for _ in 0..3 {
        grow(&mut bytes);
    }
    keep(bytes);
    for _ in 0..5 {
        keep(vec![1_u8; 70]);
    }
}

#[test]
fn of_c() {
    // SAFETY: it takes any size.
    black_box(unsafe { malloc(4_321) });
}

#[test]
fn peaks() {
    let first = black_box(vec![1_u8; 300_000]);
    let second = black_box(vec![1_u8; 600_000]);
    drop(first);
    drop(second);
    drop(black_box(vec![1_u8; 500_000]));
}

#[test]
fn threads() {
    let work = || keep(vec![1_u8; 50]);
    let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(work)).collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn sound() {}
";

/// The line of the first text like this in the source.
fn line(text: &str) -> u64 {
    let at = TESTS.find(text).expect("it is there");
    TESTS[..at].lines().count() as u64
}

fn swept(project: &Project, arguments: &[&str]) -> (Vec<Value>, String) {
    let arguments = [&["sweep", "--json", "sweep.json"], arguments].concat();
    let printed = project.run(&arguments, 0);
    let text = fs::read_to_string(project.path().join("sweep.json")).expect("it is written");
    (serde_json::from_str(&text).expect("JSON"), printed)
}

fn of<'a>(tests: &'a [Value], name: &str) -> &'a Value {
    let test = tests.iter().find(|test| test["test"] == name);
    test.expect("it was run")
}

/// Bytes, blocks, and the innermost function with its line, of each site.
fn told(sites: &Value) -> Vec<(u64, u64, String, u64)> {
    let sites = sites.as_array().expect("they were looked for").iter();
    let site = |site: &Value| {
        let frame = &site["frames"][0];
        let function = frame["function"].as_str().unwrap_or_default();
        (
            site["bytes"].as_u64().expect("a number"),
            site["blocks"].as_u64().expect("a number"),
            function.to_owned(),
            frame["line"].as_u64().unwrap_or_default(),
        )
    };
    sites.map(site).collect()
}

#[test]
fn what_is_left_has_its_call_sites() {
    let project = Project::plain(TESTS);
    let (tests, printed) = swept(&project, &[]);
    let site =
        |bytes, blocks, name: &str, at: &str| (bytes, blocks, format!("orders::{name}"), line(at));
    let leaks = of(&tests, "leaks");
    let grown = told(&leaks["left_sites"]);
    // One block, which was resized to what a vector takes.
    assert!((3_000..=4_000).contains(&grown[0].0), "{leaks}");
    assert_eq!(grown[0], site(grown[0].0, 1, "grow", "resize("));
    assert_eq!(grown[1], site(350, 5, "leaks", "vec![1_u8; 70]"));
    let frames = leaks["left_sites"][0]["frames"].as_array().expect("some");
    assert_eq!(frames.len(), 2, "{leaks}");
    assert_eq!(frames[1]["function"], "orders::leaks");
    assert_eq!(frames[1]["file"], "lib.rs");
    let of_c = told(&of(&tests, "of_c")["left_sites"]);
    assert_eq!(of_c, [site(4_321, 1, "of_c", "malloc(4_321)")]);
    let threads = told(&of(&tests, "threads")["left_sites"]);
    assert_eq!(
        threads,
        [site(200, 4, "threads::{closure#0}", "vec![1_u8; 50]")]
    );

    let peaks = of(&tests, "peaks");
    assert_eq!(told(&peaks["left_sites"]), []);
    let at_peak = told(&peaks["peak_sites"]);
    assert_eq!(at_peak[0], site(600_000, 1, "peaks", "vec![1_u8; 600_000]"));
    assert_eq!(at_peak[1], site(300_000, 1, "peaks", "vec![1_u8; 300_000]"));
    let sum: u64 = at_peak.iter().map(|(bytes, ..)| bytes).sum();
    assert_eq!(Some(sum), peaks["peak_bytes"].as_u64(), "{peaks}");
    // Nothing is to be looked for.
    assert_eq!(of(&tests, "sound")["left_sites"], Value::Null);

    let leaks = printed
        .split("\n\n")
        .find(|text| text.starts_with("leaks, left:"));
    insta::assert_snapshot!(leaks.expect("it is printed").trim_end());
    let (again, _) = swept(&project, &["--", "--lib", "--", "s"]);
    for name in ["leaks", "peaks"] {
        assert_eq!(of(&again, name), of(&tests, name));
    }
    let (without, printed) = swept(&project, &["--sites", "0"]);
    assert_eq!(of(&without, "leaks")["left_sites"], Value::Null);
    assert!(!printed.contains("left:"), "{printed}");
}

/// Blocks that stay are often among the last.
#[test]
fn of_many_blocks_the_first_and_the_last_have_call_sites() {
    let source = "use std::hint::black_box;\n\
                  fn many() { for i in 0..600_000_u32 { drop(black_box(Box::new(i))); } }\n\
                  fn keep<T>(value: T) { std::mem::forget(black_box(value)); }\n\
                  #[test]\nfn early_and_late() {\n    keep(vec![1_u8; 10]);\n    many();\n    \
                  keep(vec![1_u8; 200]);\n    many();\n    keep(vec![1_u8; 3_000]);\n}\n";
    let project = Project::plain(source);
    let (tests, _) = swept(&project, &[]);
    let sites = told(&tests[0]["left_sites"]);
    let name = || "orders::early_and_late".to_owned();
    let expected = [
        (3_000, 1, name(), 10),
        (200, 1, String::new(), 0),
        (10, 1, name(), 6),
    ];
    assert_eq!(sites, expected, "{}", tests[0]);
}

#[test]
fn an_allocation_that_passes_the_limit_has_its_call_site() {
    let project = Project::plain(TESTS);
    let printed = project.run(&["sweep", "--limit", "700 kB", "--", "--", "peaks"], 1);
    let said = format!(
        "peaks, passed the limit:\n  600 kB in 1 block: orders::peaks (lib.rs:{})\n",
        line("vec![1_u8; 600_000]")
    );
    assert!(printed.contains(&said), "{printed}");
}

#[test]
fn a_program_has_call_sites_on_request() {
    let project = Project::plain("");
    let source = "fn keep(size: usize) {\n    std::mem::forget(std::hint::black_box(vec![1_u8; size]));\n}\n\
                  fn main() {\n    keep(12_345);\n}\n";
    project.write("src/main.rs", source);
    let mut cargo = project.runs(support::program(env!("CARGO")));
    let built = cargo.args(["build", "--quiet"]).status();
    assert!(built.expect("it starts").success());
    let program = project.target().join("debug/orders");
    let program = program.to_str().expect("a path in UTF-8");
    let output = project.highwater(&["run-program", "--sites", "--", program]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    // Where a path is no text, the frames of its file have no names.
    let folder = project.path().join(OsStr::from_bytes(b"odd\xff"));
    fs::create_dir(&folder).expect("it is new");
    let odd = folder.join("orders");
    fs::copy(program, &odd).expect("it is there");
    let mut odd_run = project.command(&["run-program", "--sites", "--"]);
    // The system's loader would take this for another name.
    odd_run.env("CARGO_TARGET_DIR", project.path().join("$LIB"));
    let odd = odd_run.arg(&odd).output().expect("it starts");
    let odd = String::from_utf8_lossy(&odd.stderr);
    assert!(odd.starts_with("highwater: peak "), "{odd}");
    assert!(
        odd.contains("\n  12.3 kB in 1 block, unreachable: "),
        "{odd}"
    );
    let left = "\nleft:\n  12.3 kB in 1 block, unreachable: orders::keep (src/main.rs:2)\n    \
                from orders::main (src/main.rs:5)\n";
    assert!(said.contains(left), "{said}");
    assert!(
        said.contains("\nat the peak:\n  12.3 kB in 1 block: orders::keep"),
        "{said}"
    );
}
