//! What `cargo highwater sweep` does where it cannot count, or not by test.

#![forbid(unsafe_code)]
#![cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]

mod support;

use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Output;
use support::Project;

/// A source with an allocator of its own.
const OWN: &str = r"
use std::alloc::{GlobalAlloc, Layout};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

struct Own;
static MEMORY: [AtomicUsize; 1 << 20] = [const { AtomicUsize::new(0) }; 1 << 20];
static USED: AtomicUsize = AtomicUsize::new(0);

unsafe impl GlobalAlloc for Own {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let start = USED.fetch_add(layout.size().next_multiple_of(8) + layout.align(), Relaxed);
        let address = (MEMORY.as_ptr() as usize + start).next_multiple_of(layout.align());
        address as *mut u8
    }
    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static OWN: Own = Own;

#[test]
fn one() {}
";

#[test]
fn what_cannot_be_seen_has_no_figures() {
    let project = Project::plain(OWN);
    let printed = project.run(&["sweep"], 0);
    insta::assert_snapshot!(printed);
    let named = "#[unsafe(no_mangle)]\nextern \"C\" fn _rjem_malloc() {}\n\
                 #[used]\nstatic KEPT: extern \"C\" fn() = _rjem_malloc;\n";
    project.write("lib.rs", &format!("{OWN}{named}"));
    let printed = project.run(&["sweep"], 0);
    let reason = "  the program has jemalloc for its blocks, and only those of C libraries would be \
                  seen\n";
    assert!(printed.ends_with(reason), "{printed}");
    project.write("lib.rs", "#[test]\nfn one() {}\n#[test]\nfn two() {}");
    let statically = "build.rustflags=['-Ctarget-feature=+crt-static']";
    let printed = project.run(&["sweep", "--", "--config", statically], 0);
    insta::assert_snapshot!(printed);
}

#[test]
fn what_a_program_does_not_show_is_said() {
    let project = Project::plain("");
    let jemalloc = "unsafe extern \"C\" { fn malloc(size: usize) -> *mut u8; }\n\
                    #[unsafe(no_mangle)]\nextern \"C\" fn je_mallocx() {}\n\
                    #[used]\nstatic KEPT: extern \"C\" fn() = je_mallocx;\n\
                    fn main() { std::hint::black_box(unsafe { malloc(100) }); }\n";
    let none = "#![no_main]\n#[unsafe(no_mangle)]\nextern \"C\" fn main() -> i32 { 0 }\n";
    project.write("src/bin/jemalloc.rs", jemalloc);
    project.write("src/bin/none.rs", none);
    let mut cargo = project.runs(support::program(env!("CARGO")));
    let built = cargo.args(["build", "--quiet"]).status();
    assert!(built.expect("it starts").success());
    let said = ["jemalloc", "none"].map(|name| {
        let program = project.target().join("debug").join(name);
        let program = program.to_str().expect("a path in UTF-8");
        let output = project.highwater(&["run-program", "--", program]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    });
    insta::assert_snapshot!(said.join("\n"));
}

/// A harness that lists tests, in a program whose C libraries alone call `malloc`.
#[test]
fn the_allocator_of_another_harness_is_asked_for() {
    let project = Project::plain("");
    let lists = "#[unsafe(no_mangle)]\nextern \"C\" fn je_mallocx() {}\n\
                 #[used]\nstatic KEPT: extern \"C\" fn() = je_mallocx;\n\
                 fn main() { if !std::env::args().any(|a| a == \"--ignored\") { \
                 println!(\"one: test\") } }";
    project.write("tests/lists.rs", lists);
    project.append_to_manifest("[[test]]\nname = \"lists\"\nharness = false\n");
    let printed = project.run(&["sweep", "--", "--test", "lists"], 0);
    assert!(
        printed.starts_with("1 test\n1 without figures\n"),
        "{printed}"
    );
    assert!(
        printed.contains("the program has jemalloc for its blocks"),
        "{printed}"
    );
}

#[test]
fn ignored_tests_are_not_chosen() {
    let project = Project::plain("#[test]\n#[ignore]\nfn one() {}");
    for word in ["--ignored", "--include-ignored"] {
        let said = project.refuse(&["sweep", "--", "--lib", "--", "one", word]);
        assert!(
            said.contains(&format!("`{word}` chooses ignored tests")),
            "{said}"
        );
    }
    assert!(!project.reports().join("sweep").exists(), "nothing ran");
}

#[test]
fn a_path_that_cannot_be_preloaded_is_refused() {
    let project = Project::plain("");
    let folders = ["$LIB", "a:b"].map(|name| project.path().join(name));
    fs::create_dir(&folders[1]).expect("it is new");
    let mut sweep = project.command(&["run-program", "--", "ls"]);
    sweep.env("CARGO_TARGET_DIR", &folders[0]);
    let output = sweep
        .env("TMPDIR", &folders[1])
        .output()
        .expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("a space, a `:` or a `$`"), "{said}");
    assert!(
        said.contains("set `TMPDIR` or `CARGO_TARGET_DIR`"),
        "{said}"
    );
}

/// One that has no harness, one whose harness does not list tests, one that lists, and one that
/// fails.
fn odd_binaries() -> Project {
    let project = Project::plain("#[test]\nfn one() {}");
    let leaks = "std::mem::forget(std::hint::black_box(vec![1_u8; 5_000]));";
    project.write("tests/whole.rs", &format!("fn main() {{ {leaks} }}"));
    let listing = "fn main() {\n    let arguments: Vec<_> = std::env::args().collect();\n    \
                   match arguments.get(1).map(String::as_str) {\n        \
                   Some(\"--list\") if arguments.contains(&\"--ignored\".to_owned()) => {}\n        \
                   Some(\"--list\") => println!(\"two: test\"),\n        \
                   _ => assert_eq!(arguments[2], \"two\"),\n    }\n}";
    project.write("tests/lists.rs", listing);
    project.write(
        "tests/fails.rs",
        "fn main() { println!(\"said\"); std::process::exit(3) }",
    );
    for name in ["whole", "lists", "fails"] {
        project.append_to_manifest(&format!("[[test]]\nname = \"{name}\"\nharness = false\n"));
    }
    project
}

#[test]
fn binaries_that_list_no_tests_run_whole() {
    let project = odd_binaries();
    let output = project.highwater(&["sweep", "--sites", "0", "--json", "sweep.json"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("---- orders::fails orders::fails ----\nsaid\n"),
        "{said}"
    );
    insta::assert_snapshot!(without_figures(&String::from_utf8_lossy(&output.stdout)));
    let text = fs::read_to_string(project.path().join("sweep.json")).expect("it is written");
    let tests: Vec<Value> = serde_json::from_str(&text).expect("JSON");
    let whole = tests.iter().find(|test| test["test"] == "orders::whole");
    let whole = whole.expect("it is there");
    assert!(whole["left_bytes"].as_u64() >= Some(5_000), "{whole}");
    assert_eq!(
        whole["whole"],
        "it has `harness = false` and lists no tests"
    );
    let single = tests
        .iter()
        .find(|test| test["test"] == "one")
        .expect("it is there");
    assert_eq!(single["whole"], Value::Null);
    // A filter is for names.
    let printed = project.run(&["sweep", "--sites", "0", "--", "--", "one"], 0);
    insta::assert_snapshot!(without_figures(&printed));
}

/// Figures of whole programs are those of this machine's standard library.
fn without_figures(printed: &str) -> String {
    let blank = |line: &str| match line.split_once("  ") {
        Some((name, rest)) if rest.contains(" B") => {
            let end = if rest.ends_with("FAILED") {
                " FAILED"
            } else {
                ""
            };
            format!("{name} …{end}\n")
        }
        _ => match line.split_once(", peak ") {
            Some((count, rest)) if rest.contains(" in ") => {
                let (_, rest) = rest.split_once(" in ").unwrap_or_default();
                format!("{count}, peak … in {rest}\n")
            }
            _ => format!("{line}\n"),
        },
    };
    printed.lines().map(blank).collect()
}

/// Sweeps with a compiler that changes a word of the library on the way, as another glibc might.
fn swept_with(project: &Project, (file, from, to): (&str, &str, &str)) -> Output {
    let rustc = project.path().join("rustc");
    let script = format!(
        "#!/bin/sh\nfor a in \"$@\"; do case $a in */lib.rs) \
         sed -i 's/{}/{to}/' \"${{a%lib.rs}}{file}\";; esac; done\nexec rustc \"$@\"\n",
        from.replace('*', "\\*")
    );
    fs::write(&rustc, script).expect("it can be written");
    fs::set_permissions(&rustc, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let _ = fs::remove_dir_all(project.reports().join("sweep"));
    let mut command = project.command(&["sweep", "--sites", "0"]);
    command.env("RUSTC", rustc).output().expect("it starts")
}

/// All other figures are there.
#[test]
fn where_the_search_does_not_hold_it_is_not_known_what_is_unreachable() {
    let project = Project::plain("#[test]\nfn one() { std::mem::forget(vec![1_u8; 50]) }");
    let changes = [
        // What leads to the end of a block leads to it; and no process is searched.
        ("search.rs", "node.size.max(1)", "node.size + 1"),
        ("process.rs", "match left {", "match [0, 0] {"),
    ];
    let said = changes.map(|change| {
        let output = swept_with(&project, change);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let row = printed.lines().find(|line| line.starts_with("one "));
        let words: Vec<_> = row.expect("it is there").split_whitespace().collect();
        assert_eq!(words[..5], ["one", "50", "B", "1", "?"], "{printed}");
        let (_, reason) = printed.split_once("not searched for").expect("a reason");
        without_version(reason)
    });
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn where_blocks_are_laid_out_otherwise_nothing_is_swept() {
    let project = Project::plain("#[test]\nfn one() {}");
    let changes = [
        // The header's size reads sixteen bytes more.
        (
            "blocks.rs",
            "if is_mapped { 16 } else { 8 }",
            "if is_mapped { 16 } else { 24 }",
        ),
        (
            "blocks.rs",
            "if is_mapped { 16 } else { 8 }",
            "if is_mapped { 8 } else { 8 }",
        ),
        // The end of the process says something else.
        ("process.rs", "b\"figures\"", "b\"others\""),
        ("family.rs", "LIVE_BLOCKS.fetch_sub(1, Relaxed);", ""),
        // The system has no memory, no thread and no such function.
        ("check.rs", "memalign(alignment, 100)", "malloc(usize::MAX)"),
        (
            "check.rs",
            "pthread_create(&mut thread, ptr::null(), in_thread, place)",
            "{ let _: *mut c_void = place; 11 }",
        ),
        ("check.rs", "c\"malloc_usable_size\"", "c\"none\""),
    ];
    let mut said = Vec::new();
    for (at, change) in changes.iter().enumerate() {
        let output = swept_with(&project, *change);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{at}: {errors}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "");
        said.push(without_version(errors.lines().last().unwrap_or_default()));
    }
    insta::assert_snapshot!(said.join("\n"));
}

/// glibc's version is the machine's.
fn without_version(line: &str) -> String {
    let Some((before, rest)) = line.split_once("glibc ") else {
        return line.to_owned();
    };
    let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    format!("{before}glibc [VERSION]{rest}")
}

#[test]
fn a_limit_ends_the_test_that_passes_it() {
    let source = "use std::hint::black_box;\n\
                  #[test]\nfn small() { drop(black_box(vec![1_u8; 900_000])) }\n\
                  #[test]\nfn large() { drop(black_box(vec![1_u8; 50_000_000])) }\n\
                  #[test]\nfn grows() {\n    let mut all = Vec::new();\n    loop {\n        \
                  all.push(vec![0_u8; 10_000]);\n    }\n}";
    let project = Project::plain(source);
    let output = project.highwater(&["sweep", "--limit", "1 MB"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let line = said
        .lines()
        .find(|line| line.starts_with("highwater: an allocation of 50000000 B"));
    assert!(
        line.is_some_and(|line| line.ends_with("above the limit of 1000000 B")),
        "{said}"
    );
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(printed.starts_with("3 tests, peak 9"), "{printed}");
    assert!(
        printed.contains("\n2 failed, 2 without figures\n"),
        "{printed}"
    );
    let reason = "  an allocation of 50.0 MB passed the limit: 50.0 MB would have been live";
    assert!(printed.lines().any(|line| line == reason), "{printed}");
    project.run(&["sweep", "--limit", "1 MB", "--", "--", "small"], 0);
    let output = project.highwater(&["run-program", "--limit", "1 B", "--", "ls"]);
    assert_eq!(output.status.code(), Some(1));
    let said = project.refuse_with_output(&["run-program", "--limit", "much", "--", "ls"]);
    insta::assert_snapshot!(said.lines().next().unwrap_or_default());
}
