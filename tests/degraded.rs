//! Diagnosis in programs that are built without what it would like to have: it says less
//! then, and nothing wrong.

#![forbid(unsafe_code)]
// What is tested are builds of their own; once is enough.
#![cfg(debug_assertions)]

use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

const SOURCE: &str = r#"
use std::alloc::{GlobalAlloc, Layout, System};

struct Beneath;

// SAFETY: it passes everything on to the system's allocator.
unsafe impl GlobalAlloc for Beneath {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOC: highwater::Alloc<Beneath> = highwater::Alloc::new(Beneath);

struct Book {
    orders: Vec<Box<[u8; 100]>>,
}

impl Book {
    #[inline(never)]
    fn insert(&mut self) {
        self.orders.push(Box::new([0; 100]));
    }
}

fn main() {
    let book = || Book { orders: Vec::new() };
    let report = highwater::Scenario::new("book").steps(1_000).run(book, |book, _| book.insert());
    print!("{}", report.diagnosis().expect("it failed"));

    let storm = highwater::Scenario::new("storm").steps(20).run(Vec::new, |kept, _| {
        let threads: Vec<_> = (0..8)
            .map(|_| std::thread::spawn(|| (vec![0_u8; 5_000], Box::new([0_u8; 100])).1))
            .collect();
        for thread in threads {
            kept.push(thread.join().unwrap());
        }
    });
    let diagnosis = storm.diagnosis().expect("it failed");
    assert_eq!(diagnosis.growth_bytes(), storm.growth_bytes());
    assert_eq!(diagnosis.lost_blocks(), 0);

    let shelf = highwater::Scenario::new("shelf").steps(100).live_blocks_of("Ledger", 0);
    println!("{}", shelf.run(|| vec![Box::new([0_u8; 10])], |_, _| ()).verdict());
}
"#;

const ALL_EXPLAINED: &str = "sites, by growth over 1,000 steps: +108,192 B in all, all of it \
                             explained\n";

/// Blocks without a type are not taken for blocks of other types.
const UNKNOWN: &str = "inconclusive: live blocks of `Ledger` can't be counted: the type of 2 \
                       blocks is not known; build with -Csymbol-mangling-version=v0 and debug = \
                       \"limited\"\n";

/// A project with that program.
fn project() -> TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    fs::write(directory.path().join("main.rs"), SOURCE).expect("a file in it");
    directory
}

/// What the program prints, built with these settings.
#[track_caller]
fn printed(project: &TempDir, profile: &str, rustflags: &str) -> String {
    let harness = Path::new(env!("CARGO_MANIFEST_DIR")).join("../harness");
    let manifest = format!(
        "[package]\nname = \"book\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\
         [[bin]]\nname = \"book\"\npath = \"main.rs\"\n\
         [dependencies]\nhighwater = {{ path = '{}', default-features = false, \
         features = ['diagnosis', 'threads'] }}\n{profile}\
         [profile.release.package.\"*\"]\nopt-level = 0\n\
         [profile.release.package.highwater]\nopt-level = 3\n",
        harness.canonicalize().expect("it is there").display()
    );
    fs::write(project.path().join("Cargo.toml"), manifest).expect("a file in it");
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["run", "--quiet", "--release"])
        .current_dir(project.path())
        .env("CARGO_TARGET_DIR", project.path().join("target"))
        .env("RUSTFLAGS", rustflags)
        .env("CARGO_NET_OFFLINE", "true")
        .env_remove("CARGO_MANIFEST_DIR");
    output_of(cargo)
}

#[track_caller]
fn output_of(mut program: Command) -> String {
    let output = program.output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// As cargo builds it by itself: no frame pointers, symbols without types, no lines. And
/// then without symbols.
#[test]
fn a_plain_release_build() {
    let project = project();
    let plain = format!(
        "{ALL_EXPLAINED}  \
         +108,192 B, +1,001 blocks  type unknown, growing by 109.28 ± 6.31 B a step
      Book::insert
    held by state Book → block of Book::insert, all 1,001 blocks
  files and lines are not known: build with debug = \"line-tables-only\" or more
{UNKNOWN}"
    );
    assert_eq!(printed(&project, "", ""), plain);
    let stripped = "\
sites, by growth over 1,000 steps: +108,192 B in all, 0.0 % explained, 108,192 B not
  +100,000 B, +1,000 blocks  type unknown, growing by 100.00 ± 0.00 B a step
      its call stack is not known
    held by state Book → type unknown, all 1,000 blocks
  +8,192 B, +1 block  type unknown, growing by 8.19 ± 8.20 B a step
      its call stack is not known
    held by state Book → type unknown, all 1 block
  files and lines are not known: build with debug = \"line-tables-only\" or more
";
    let stripped = format!("{stripped}{UNKNOWN}");
    // As cargo has the linker do for `strip = true`.
    let program = project.path().join("target/release/book");
    let mut strip = Command::new("strip");
    strip.arg("--strip-all").arg(&program);
    output_of(strip);
    assert_eq!(output_of(Command::new(program)), stripped);
}

#[test]
fn a_build_with_link_time_optimisation_has_them_all() {
    let profile = "[profile.release]\nlto = \"fat\"\ndebug = \"limited\"\n";
    let printed = printed(&project(), profile, "-Csymbol-mangling-version=v0");
    assert!(printed.starts_with(ALL_EXPLAINED), "{printed}");
    for line in [
        "Box<[u8; 100]>, growing by 100.00",
        "<Book>::insert  main.rs:",
        "Vec<Box<[u8; 100]>>",
        "\nbounded: the floor has not risen",
    ] {
        assert!(printed.contains(line), "{printed}");
    }
}
