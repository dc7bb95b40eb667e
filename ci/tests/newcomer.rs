//! The first minutes with a library and with a service: what a newcomer does, step by step, with
//! the time that each takes.
//!
//! Run by themselves, since they build axum, and times beside other tests say nothing:
//! `cargo test --workspace --locked --test newcomer -- --ignored --nocapture --test-threads 1`.

#![forbid(unsafe_code)]

mod support;

use std::time::Instant;
use support::{Project, program, version};

/// A service with its test, in a library that has the allocator.
const SERVICE: &str = include_str!("../../tests/adopters/axum/src/lib.rs");

/// Does a step, and prints how long it took.
fn step<R>(name: &str, work: impl FnOnce() -> R) -> R {
    let started = Instant::now();
    let result = work();
    println!("{:>6.1} s  {name}", started.elapsed().as_secs_f64());
    result
}

/// `cargo test`: its exit code, and what the tests print.
fn cargo_test(project: &Project) -> (Option<i32>, String) {
    let mut command = project.runs(program(env!("CARGO")));
    let output = command.arg("test").env("NO_COLOR", "1").output();
    let output = output.expect("it starts");
    let [text, errors] = [output.stdout, output.stderr];
    let all = [text, errors].map(|text| String::from_utf8_lossy(&text).into_owned());
    (output.status.code(), all.concat())
}

/// A package in which the sample passes that `init` wrote.
fn begin(manifest: &str, library: &str) -> Project {
    let project = Project::empty();
    let head = format!(
        "[package]\nname = \"shop\"\nversion = \"{}\"\nedition = \"2024\"\n{manifest}",
        version()
    );
    project.write("Cargo.toml", &head);
    project.write("src/lib.rs", library);
    project.commit("before");
    step("cargo highwater init --yes", || {
        project.run(&["init", "--yes"], 0)
    });
    let (code, printed) = step("cargo test, the sample", || cargo_test(&project));
    assert_eq!(code, Some(0), "{printed}");
    project
}

/// Writes the file with a leak in place of what frees, and runs the tests. The failure names in
/// its first three lines the place that allocates.
#[track_caller]
fn leak(project: &Project, file: &str, text: &str, [frees, instead, allocates]: [&str; 3]) {
    let leaky = text.replace(frees, instead);
    assert_ne!(leaky, text);
    project.write(file, &leaky);
    let (code, printed) = step("cargo test, with a leak", || cargo_test(project));
    assert_eq!(code, Some(101), "{printed}");
    let failure = printed.split("memory leak in `").nth(1);
    let failure = failure.unwrap_or_else(|| panic!("{printed}"));
    if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        let line = leaky.lines().position(|line| line.contains(allocates));
        let place = format!("{file}:{}", line.expect("it allocates") + 1);
        let first: Vec<_> = failure.lines().take(3).collect();
        assert!(first.concat().contains(&place), "{place} in\n{printed}");
    }
    println!("\nmemory leak in `{failure}");
}

#[test]
#[ignore = "prints times"]
fn a_leak_in_a_library_is_found_in_the_first_minutes() {
    let project = begin("", "//! A shop.\n");
    let sample = std::fs::read_to_string(project.path().join("tests/memory.rs"));
    let sample = sample.expect("init wrote it");
    let leaky = ["self.0.len() > 100", "false", "push_back"];
    leak(&project, "tests/memory.rs", &sample, leaky);
}

#[test]
#[ignore = "builds axum"]
fn a_leak_in_a_service_is_found_in_the_first_minutes() {
    let manifest = "\n[features]\nleaky = []\n\n[dependencies]\n\
        axum = { version = \"0.8\", default-features = false }\n\
        tokio = { version = \"1\", features = [\"sync\"] }\n\n[dev-dependencies]\n\
        tower = { version = \"0.5\", default-features = false, features = [\"util\"] }\n";
    let project = begin(manifest, "//! A shop.\n");
    project.write("src/lib.rs", SERVICE);
    let (code, printed) = step("cargo test, with a test of the service", || {
        cargo_test(&project)
    });
    assert_eq!(code, Some(0), "{printed}");
    let leaky = [
        "sessions.lock().await.remove(&id);",
        "let _ = (&sessions, id);",
        "push(item)",
    ];
    leak(&project, "src/lib.rs", SERVICE, leaky);
}

/// Each in a module of its own, as a reader copies them.
#[test]
#[ignore = "builds axum"]
fn the_handlers_of_the_docs_compile() {
    let page = include_str!("../../docs/metrics.md");
    let examples = page.split("```rust\n").skip(1);
    let examples = examples.filter_map(|rest| rest.split("```").next());
    let library: String = (0..)
        .zip(examples)
        .map(|(number, example)| format!("pub mod example_{number} {{\n{example}}}\n"))
        .collect();
    assert_eq!(library.matches("fn router").count(), 2, "{library}");
    let monitor = concat!(env!("CARGO_MANIFEST_DIR"), "/../harness/monitor");
    let project = Project::empty();
    project.write(
        "Cargo.toml",
        &format!(
            "[package]\nname = \"shop\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n\
             [dependencies]\naxum = \"0.8\"\ntokio = {{ version = \"1\", features = [\"rt\", \"time\"] }}\n\
             highwater-monitor = {{ path = {monitor:?}, features = [\"profile\", \"prometheus\"] }}\n"
        ),
    );
    project.write("src/lib.rs", &library);
    let output = project.runs(program(env!("CARGO"))).arg("check").output();
    let output = output.expect("it starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
