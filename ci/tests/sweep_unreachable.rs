//! What of the left-overs of tests is unreachable, by `cargo highwater sweep`: nothing leads to it
//! when the process ends.

#![forbid(unsafe_code)]
#![cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]

mod support;

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use support::Project;

/// Tests that leave blocks behind to which something leads, or nothing.
const TESTS: &str = r#"
use std::cell::RefCell;
use std::hint::black_box;
use std::rc::Rc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering::Relaxed};
use std::thread;

unsafe extern "C" {
    fn malloc(size: usize) -> *mut u8;
    fn memalign(alignment: usize, size: usize) -> *mut u8;
    fn mmap(at: *mut u8, size: usize, access: i32, flags: i32, file: i32, from: i64) -> *mut u8;
    fn mprotect(at: *mut u8, size: usize, access: i32) -> i32;
}

fn keep<T>(value: T) {
    std::mem::forget(black_box(value));
}

#[test]
fn nothing() {}

#[test]
fn forgets() {
    keep(Box::new([1_u8; 100]));
    keep(vec![1_u8; 1_000]);
}

#[test]
fn in_a_static() {
    static KEPT: OnceLock<Vec<Box<u64>>> = OnceLock::new();
    black_box(KEPT.get_or_init(|| (0..10).map(Box::new).collect()));
}

struct Node {
    next: RefCell<Option<Rc<Node>>>,
    data: [u8; 84],
}

#[test]
fn a_cycle() {
    let node = |next| Rc::new(Node { next: RefCell::new(next), data: [7; 84] });
    let one = node(None);
    let two = node(Some(one.clone()));
    assert_eq!(two.data[3], 7);
    one.next.replace(Some(two));
}

/// The outer block is leaked, but a static has the address of one of its bytes.
#[test]
fn behind_a_leak() {
    static INSIDE: AtomicPtr<u64> = AtomicPtr::new(std::ptr::null_mut());
    let outer = Box::leak(Box::new((7_u64, vec![1_u8; 500], 8_u64)));
    INSIDE.store(&mut outer.2, Relaxed);
    black_box(&INSIDE);
}

/// The static has where a block ends, which leads nowhere.
#[test]
fn past_its_end() {
    static END: AtomicPtr<u8> = AtomicPtr::new(std::ptr::null_mut());
    let block = vec![1_u8; 104].leak();
    END.store(block.as_mut_ptr_range().end, Relaxed);
    black_box(&END);
}

/// An address that is written otherwise leads nowhere.
#[test]
fn encoded() {
    static ENCODED: AtomicUsize = AtomicUsize::new(0);
    ENCODED.store(!(vec![1_u8; 300].leak().as_ptr() as usize), Relaxed);
    black_box(&ENCODED);
}

#[test]
fn some_of_it() {
    static KEPT: OnceLock<Vec<u8>> = OnceLock::new();
    for _ in 0..3 {
        let bytes = vec![1_u8; 200];
        if let Err(bytes) = KEPT.set(bytes) {
            keep(bytes);
        }
    }
}

#[test]
fn of_c() {
    // SAFETY: it takes any size.
    black_box(unsafe { malloc(4_321) });
}

/// Large blocks have mappings of their own, which are no roots.
#[test]
fn large() {
    let inner = black_box(vec![1_u8; 3_000_000]);
    let mut outer = vec![0_usize; 500_000];
    outer[499_999] = inner.as_ptr() as usize;
    keep(inner);
    keep(outer);
}

#[test]
fn in_mapped_memory() {
    // SAFETY: the memory is new and large enough.
    unsafe {
        let mapped = mmap(std::ptr::null_mut(), 1 << 33, 3, 0x4022, -1, 0);
        mapped.cast::<Vec<u8>>().add(200_000_000).write(vec![1_u8; 600]);
        // What stays of it may be made unreadable.
        let hidden = mmap(std::ptr::null_mut(), 4096, 3, 0x22, -1, 0);
        assert_eq!(mprotect(hidden, 4096, 0), 0);
    }
}

/// A block that the program has made unreadable must not end the process.
#[test]
fn protected() {
    // SAFETY: the block has whole pages, with others before and behind.
    unsafe {
        let block = memalign(4096, 5 * 4096);
        assert_eq!(mprotect(block.add(4096), 3 * 4096, 0), 0);
    }
}

/// What a thread had on its stack is gone with it.
#[test]
fn on_another_thread() {
    let work = || keep(Box::new([1_u8; 777]));
    for _ in 0..4 {
        thread::spawn(work).join().unwrap();
    }
}

#[test]
fn still_runs() {
    thread::spawn(|| thread::park_timeout(std::time::Duration::MAX));
    keep(vec![1_u8; 900]);
}

#[test]
#[should_panic]
fn panics() {
    keep(vec![1_u8; 50]);
    panic!("as it should");
}
"#;

fn swept(project: &Project, arguments: &[&str]) -> (BTreeMap<String, Value>, String) {
    let arguments = [&["sweep", "--json", "sweep.json"], arguments].concat();
    let printed = project.run(&arguments, 0);
    let text = fs::read_to_string(project.path().join("sweep.json")).expect("it is written");
    let tests: Vec<Value> = serde_json::from_str(&text).expect("JSON");
    let name = |test: &Value| test["test"].as_str().expect("a name").to_owned();
    let tests = tests.into_iter().map(|test| (name(&test), test));
    (tests.collect(), printed)
}

/// Bytes and blocks that are left, and those that are unreachable.
fn figures(test: &Value) -> [Option<u64>; 4] {
    let names = [
        "left_bytes",
        "left_blocks",
        "unreachable_bytes",
        "unreachable_blocks",
    ];
    names.map(|name| test[name].as_u64())
}

#[test]
fn what_nothing_leads_to_is_unreachable() {
    let project = Project::plain(TESTS);
    let (tests, printed) = swept(&project, &["--sites", "0"]);
    let mut expected = BTreeMap::from([
        ("nothing", [0, 0, 0, 0]),
        ("forgets", [1_100, 2, 1_100, 2]),
        ("in_a_static", [160, 11, 0, 0]),
        ("a_cycle", [240, 2, 240, 2]),
        ("behind_a_leak", [540, 2, 0, 0]),
        ("past_its_end", [104, 1, 104, 1]),
        ("encoded", [300, 1, 300, 1]),
        ("some_of_it", [600, 3, 400, 2]),
        ("of_c", [4_321, 1, 4_321, 1]),
        ("large", [7_000_000, 2, 7_000_000, 2]),
        ("in_mapped_memory", [600, 1, 0, 0]),
        ("protected", [20_480, 1, 20_480, 1]),
        ("on_another_thread", [3_108, 4, 3_108, 4]),
        ("panics", [50, 1, 50, 1]),
    ]);
    for (name, test) in &tests {
        if let Some(expected) = expected.remove(&**name) {
            assert_eq!(figures(test), expected.map(Some), "{test}");
            assert_eq!(test["not_searched"], Value::Null, "{test}");
        }
    }
    assert!(expected.is_empty(), "{expected:?}");
    let runs = &tests["still_runs"];
    let [left, _, bytes, blocks] = figures(runs);
    assert!(left >= Some(900), "{runs}");
    assert_eq!((bytes, blocks), (None, None));
    let reason = "another thread still ran when the process ended";
    assert_eq!(runs["not_searched"], reason);
    assert!(
        printed.starts_with("15 tests, peak 7.0")
            && printed.contains(" 14 leave memory behind\n")
            && printed.contains("\n10 leave unreachable memory, 1 not searched\n"),
        "{printed}"
    );
    let told = format!("\nnot searched for unreachable memory: 1 test in orders:\n  {reason}\n");
    assert!(printed.ends_with(&told), "{printed}");
    // To the byte.
    let (again, _) = swept(&project, &["--sites", "0"]);
    for (name, test) in tests.iter().filter(|(name, _)| *name != "still_runs") {
        assert_eq!(again[name], *test);
    }
}

#[test]
fn call_sites_have_what_is_unreachable() {
    let project = Project::plain(TESTS);
    let (tests, printed) = swept(&project, &["--", "--", "some_of_it", "in_a_static"]);
    let sites = |name: &str| {
        let sites = tests[name]["left_sites"]
            .as_array()
            .expect("they were looked for");
        let figures = ["bytes", "blocks", "unreachable_bytes", "unreachable_blocks"];
        let site = |site: &Value| figures.map(|figure| site[figure].as_u64());
        sites.iter().map(site).collect::<Vec<_>>()
    };
    assert_eq!(sites("some_of_it"), [[600, 3, 400, 2].map(Some)]);
    let kept = sites("in_a_static");
    assert!(kept.iter().all(|site| site[3] == Some(0)), "{kept:?}");
    let peak = &tests["some_of_it"]["peak_sites"][0];
    assert_eq!(peak["unreachable_bytes"], Value::Null, "{peak}");
    let list = printed
        .split("\n\n")
        .find(|text| text.starts_with("some_of_it, left:"));
    insta::assert_snapshot!(list.expect("it is printed").trim_end());
}

/// A program that loses a block, and may end in the middle of `work`, which has others on its stack.
const PROGRAM: &str = r#"
use std::hint::black_box;

#[inline(never)]
fn work(ends: bool) {
    let held = black_box(vec![vec![1_u8; 5_000], vec![2_u8; 300]]);
    // What this thread has had on its stack may still be there.
    let lose = || std::mem::forget(black_box(vec![1_u8; 70]));
    std::thread::spawn(lose).join().unwrap();
    if ends {
        std::process::exit(0);
    }
    std::mem::forget(held);
}

fn main() {
    work(std::env::args().any(|word| word == "ends"));
}
"#;

#[test]
fn a_program_is_searched_with_the_stack_that_it_ends_on() {
    let project = Project::plain("");
    project.write("src/main.rs", PROGRAM);
    let mut cargo = project.runs(support::program(env!("CARGO")));
    let built = cargo.args(["build", "--quiet"]).status();
    assert!(built.expect("it starts").success());
    let program = project.target().join("debug/orders");
    let program = program.to_str().expect("a path in UTF-8");
    let run = |argument: &str| {
        let arguments = [
            "run-program",
            "--json",
            "program.json",
            "--",
            program,
            argument,
        ];
        let output = project.highwater(&arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{said}");
        let text = fs::read_to_string(project.path().join("program.json"));
        let found: Value = serde_json::from_str(&text.expect("it is written")).expect("JSON");
        (figures(&found), said)
    };
    let ([.., bytes, blocks], said) = run("ends");
    assert_eq!((bytes, blocks), (Some(70), Some(1)), "{said}");
    assert!(said.contains(", unreachable 70 B in 1 block\n"), "{said}");
    let ([.., bytes, blocks], said) = run("returns");
    assert_eq!((bytes, blocks), (Some(5_418), Some(4)), "{said}");
}
