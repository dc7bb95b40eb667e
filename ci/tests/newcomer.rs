//! The first minutes with a library and with a service: what a newcomer does, step by step, with
//! the time that each takes.
//!
//! Run by themselves, since they build axum, and times beside other tests say nothing:
//! `cargo test --workspace --locked --test newcomer -- --ignored --nocapture --test-threads 1`.

#![forbid(unsafe_code)]

mod support;

use std::time::Instant;
use support::{Project, program, version};

const SERVICE: &str = "\
//! A shop with sessions.

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{delete, put};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::Mutex;

type Sessions = Arc<Mutex<HashMap<u64, Vec<String>>>>;

pub fn shop() -> Router {
    Router::new()
        .route(\"/sessions/{id}/{item}\", put(order))
        .route(\"/sessions/{id}\", delete(leave))
        .with_state(Sessions::default())
}

async fn order(State(sessions): State<Sessions>, Path((id, item)): Path<(u64, String)>) {
    sessions.lock().await.entry(id).or_default().push(item);
}

async fn leave(State(sessions): State<Sessions>, Path(id): Path<u64>) {
    sessions.lock().await.remove(&id);
}
";

/// What a newcomer writes after the sample.
const TEST: &str = "
use axum::{Router, body::Body, http::Request};
use tower::ServiceExt;

async fn request(shop: &Router, method: &str, path: String) {
    let request = Request::builder().method(method).uri(path);
    let request = request.body(Body::empty()).unwrap();
    let response = shop.clone().oneshot(request).await.unwrap();
    assert!(response.status().is_success());
}

#[highwater::test(steps = 1_000, state = shop::shop(), residue = \"0 B\")]
async fn sessions_are_forgotten(shop: &mut Router, i: u64) {
    request(shop, \"PUT\", format!(\"/sessions/{i}/tea\")).await;
    request(shop, \"DELETE\", format!(\"/sessions/{i}\")).await;
}
";

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

#[test]
#[ignore = "builds axum"]
fn a_leak_in_a_service_is_found_in_the_first_minutes() {
    let project = Project::empty();
    let manifest = format!(
        "[package]\nname = \"shop\"\nversion = \"{}\"\nedition = \"2024\"\n\n[dependencies]\n\
         axum = {{ version = \"0.8\", default-features = false }}\n\
         tokio = {{ version = \"1\", features = [\"rt\", \"sync\"] }}\n\n[dev-dependencies]\n\
         tower = {{ version = \"0.5\", default-features = false, features = [\"util\"] }}\n",
        version()
    );
    project.write("Cargo.toml", &manifest);
    project.write("src/lib.rs", SERVICE);
    project.commit("before");

    step("cargo highwater init --yes", || {
        project.run(&["init", "--yes"], 0)
    });
    let (code, printed) = step("cargo test, the sample", || cargo_test(&project));
    assert_eq!(code, Some(0), "{printed}");

    let sample = std::fs::read_to_string(project.path().join("tests/memory.rs"));
    let sample = sample.expect("init wrote it");
    project.write("tests/memory.rs", &(sample + TEST));
    let (code, printed) = step("cargo test, with a test of the service", || {
        cargo_test(&project)
    });
    assert_eq!(code, Some(0), "{printed}");

    let leaky = SERVICE.replace(
        "sessions.lock().await.remove(&id);",
        "let _ = (sessions, id);",
    );
    project.write("src/lib.rs", &leaky);
    let (code, printed) = step("cargo test, with a leak in the service", || {
        cargo_test(&project)
    });
    let line = leaky.lines().position(|line| line.contains("push(item)"));
    let line = line.expect("it pushes") + 1;
    tells_of_a_leak_at(&format!("src/lib.rs:{line}"), code, &printed);
}

#[test]
#[ignore = "prints times"]
fn a_leak_in_a_library_is_found_in_the_first_minutes() {
    let project = Project::empty();
    let manifest = format!(
        "[package]\nname = \"shop\"\nversion = \"{}\"\nedition = \"2024\"\n",
        version()
    );
    project.write("Cargo.toml", &manifest);
    project.write("src/lib.rs", "//! A shop.\n");
    project.commit("before");

    step("cargo highwater init --yes", || {
        project.run(&["init", "--yes"], 0)
    });
    let (code, printed) = step("cargo test, the sample", || cargo_test(&project));
    assert_eq!(code, Some(0), "{printed}");

    let sample = std::fs::read_to_string(project.path().join("tests/memory.rs"));
    let sample = sample.expect("init wrote it");
    let leaky = sample.replace("self.0.len() > 100", "self.0.len() > usize::MAX - 1");
    project.write("tests/memory.rs", &leaky);
    let (code, printed) = step("cargo test, with a leak", || cargo_test(&project));
    let line = leaky.lines().position(|line| line.contains("push_back"));
    let line = line.expect("the sample pushes") + 1;
    tells_of_a_leak_at(&format!("tests/memory.rs:{line}"), code, &printed);
}

/// The failure names this place in its first three lines.
#[track_caller]
fn tells_of_a_leak_at(place: &str, code: Option<i32>, printed: &str) {
    assert_eq!(code, Some(101), "{printed}");
    let failure = printed.split("memory leak in `").nth(1);
    let failure = failure.unwrap_or_else(|| panic!("{printed}"));
    if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        let first: Vec<_> = failure.lines().take(3).collect();
        assert!(first.concat().contains(place), "{place} in\n{printed}");
    }
    println!("\nmemory leak in `{failure}");
}
