//! Scenarios that come out differently without a change of the code, beside one that
//! does not.

#![forbid(unsafe_code)]

mod support;

use serde_json::Value;
use std::fs;
use std::process::Command;
use support::Project;

/// Each run of this one allocates otherwise: how many there were is in a file.
const COUNTED: &str = r#"
#[test]
fn counts_its_runs() {
    let path = std::env::var("RUNS").expect("a file to count in");
    let runs: usize = std::fs::read_to_string(&path).map_or(0, |text| text.len());
    std::fs::write(&path, "|".repeat(runs + 1)).expect("it can be written");
    let more = [0, 1, 2, 3, 9, 4, 6, 8, 10, 5].get(runs).copied().unwrap_or(7);
    highwater::Scenario::new("counted").steps(100).run(
        || Vec::<u8>::with_capacity(1_000 + 8 * more),
        |_, i| drop(std::hint::black_box(Box::new(i))),
    );
}
"#;

/// How much this one allocates depends on where the stack is.
const PLACED: &str = r#"
#[test]
fn depends_on_addresses() {
    let place = std::hint::black_box(0_u8);
    let page = (&raw const place) as usize / 4_096 % 65_536;
    highwater::Scenario::new("placed").steps(100).run(
        || Vec::<u8>::with_capacity(1_000 + page),
        |_, i| drop(std::hint::black_box(Box::new(i))),
    );
}
"#;

/// The tool in the project, and how often the scenario was run so far.
struct Counting(Project);

impl Counting {
    fn new() -> Self {
        // Two tests of one process do not count each other's work, where threads are followed.
        let project = Project::new().with_default_features();
        project.keep("8");
        project.append(COUNTED);
        Self(project)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.0.command(arguments);
        command.env("RUNS", self.0.path().join("runs.txt"));
        command
    }

    /// What it printed and what it said.
    #[track_caller]
    fn run(&self, arguments: &[&str], code: i32) -> [String; 2] {
        let output = self.command(arguments).output().expect("it starts");
        let [printed, said] =
            [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
        assert_eq!(output.status.code(), Some(code), "{printed}\n{said}");
        [printed, said]
    }

    fn runs(&self) -> usize {
        let runs = fs::read_to_string(self.0.path().join("runs.txt"));
        runs.map_or(0, |text| text.len())
    }
}

#[test]
fn what_differs_on_the_same_code_is_no_change() {
    let project = Counting::new();
    project.run(&["run"], 0);
    project.run(&["bless"], 0);
    assert_eq!(project.run(&["check"], 0)[0], "2 same\n");
    assert_eq!(project.runs(), 3, "what is recorded is measured twice more");
    project.run(&["run"], 0);
    assert_eq!(project.run(&["check"], 0)[0], "2 same\n");
    assert_eq!(project.runs(), 4, "it varies as it did then");

    project.run(&["run"], 0);
    let json = project.0.target().join("outcome.json");
    let [comment, xml] = ["comment.md", "junit.xml"].map(|name| project.0.target().join(name));
    let files = [&json, &comment, &xml].map(|path| path.to_str().expect("a path in UTF-8"));
    let arguments = [
        "check",
        "--json",
        files[0],
        "--markdown",
        files[1],
        "--junit",
        files[2],
    ];
    let [printed, said] = project.run(&arguments, 0);
    assert!(
        said.contains("highwater: measuring 1 scenario again, for it changed\n"),
        "{said}"
    );
    assert_eq!(project.runs(), 7, "twice more");
    for part in [
        "varies       counted  peak    1,008 to 1,024 B  1,040 to 1,080 B      3 runs\n",
        "varies: 3 runs of the same code differ; a smaller change does not show\n",
        "\n1 varies, 1 same\n",
    ] {
        assert!(printed.contains(part), "{part} is missing in\n{printed}");
    }
    let json = fs::read_to_string(json).expect("it was written");
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["exit_code"], 0);
    let scenario = &json["scenarios"][0];
    assert_eq!(scenario["status"], "varies");
    assert_eq!(scenario["runs"], 3);
    assert_eq!(scenario["ranges"][0]["figure"], "peak");
    let told = "peak: 1,008 to 1,024 B before, 1,040 to 1,080 B now";
    for file in [&comment, &xml] {
        let text = fs::read_to_string(file).expect("it was written");
        assert!(text.contains(told), "{text}");
    }

    // What was measured is known, to the page as well.
    assert_eq!(project.run(&["check"], 0)[0], printed);
    project.run(&["view"], 0);
    let page = fs::read_to_string(project.0.reports().join("index.html")).expect("a page");
    assert!(page.contains(told));
    assert_eq!(project.runs(), 7);

    what_is_certain_is_said(&project);
    other_code_is_not_measured_in_its_place(&project);
}

fn what_is_certain_is_said(project: &Counting) {
    project.run(&["bless"], 0);
    let path = project.0.path().join("lib.rs");
    let source = fs::read_to_string(&path).expect("it is there");
    project.0.write("lib.rs", &source.replace("== 8", "== 64"));
    // The same tests, of which only those are run again that changed.
    project.run(&["run", "--", "--lib", "orders"], 0);
    let [printed, said] = project.run(&["check"], 1);
    assert!(said.contains("measuring 1 scenario again"), "{said}");
    assert!(printed.contains("regression   orders "), "{printed}");
    assert_eq!(project.runs(), 7);

    // Each run is far above what is recorded.
    let much = fs::read_to_string(&path)
        .expect("it is there")
        .replace("1_000 +", "9_000 +");
    project.0.write("lib.rs", &much);
    project.run(&["run"], 0);
    let [printed, _] = project.run(&["check"], 1);
    for part in [
        "regression   counted ",
        "  peak: 1,040 to 1,080 B before, 9,048 to 9,088 B now\n",
        "2 regressions, 0 same\n",
    ] {
        assert!(printed.contains(part), "{part} is missing in\n{printed}");
    }
}

fn other_code_is_not_measured_in_its_place(project: &Counting) {
    project.run(&["run"], 0);
    project.0.append("// Another line.\n");
    let before = project.runs();
    let [printed, _] = project.run(&["check"], 1);
    let note = "it could not be measured again: the code was changed since the run; \
                `cargo highwater run` measures it\n";
    assert!(printed.contains(note), "{printed}");
    assert_eq!(project.runs(), before);
}

#[test]
fn a_base_is_measured_again_too() {
    let project = Counting::new();
    project.0.commit("counted");
    let [printed, said] = project.run(&["gate", "--base", "HEAD"], 0);
    assert_eq!(project.runs(), 6, "{said}");
    for part in [
        "varies       counted ",
        "1,000 to 1,072 B",
        "1 varies, 1 same, compared with HEAD",
    ] {
        assert!(printed.contains(part), "{part} is missing in\n{printed}");
    }
    // More on both counts: what is certain blocks.
    project.0.keep("64");
    project.0.append(COUNTED);
    let [printed, _] = project.run(&["gate", "--base", "HEAD"], 1);
    assert!(printed.contains("regression   orders "), "{printed}");
    assert!(
        printed.contains("1 regression, 1 varies, 0 same"),
        "{printed}"
    );
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "addresses are fixed on Linux only")]
fn addresses_are_the_same_in_every_run() {
    let project = Project::new();
    project.keep("8");
    project.append(PLACED);
    let output = project.highwater(&["run"]);
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("highwater: the system refuses to start programs at the same addresses") {
        return;
    }
    project.run(&["bless"], 0);
    for _ in 0..4 {
        project.run(&["run"], 0);
        assert_eq!(project.run(&["check"], 0), "2 same\n");
    }
}

#[test]
fn without_nextest_the_tests_that_changed_are_run_again_by_name() {
    let project = Counting::new();
    let toolchain = std::path::Path::new(env!("CARGO"))
        .parent()
        .expect("a directory");
    let path = format!("{}:/usr/bin:/bin", toolchain.display());
    let run = |arguments: &[&str]| {
        let output = project.command(arguments).env("PATH", &path).output();
        let output = output.expect("it starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code(), printed + &said)
    };
    let passes = |arguments: &[&str]| {
        let (code, text) = run(arguments);
        assert_eq!(code, Some(0), "{text}");
    };
    passes(&["run"]);
    passes(&["bless"]);
    passes(&["run"]);
    passes(&["run", "--", "--lib", "--", "--test-threads", "1"]);
    let (code, text) = run(&["check"]);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(project.runs(), 7, "{text}");
    assert!(text.contains("1 varies, 1 same"), "{text}");
    assert_eq!(text.matches("running 1 test\n").count(), 2, "{text}");
}

/// Scenarios of hash maps, threads and tokio. One of them varies, the others do not.
#[test]
#[ignore = "takes minutes"]
fn fifty_runs_of_the_same_code_pass() {
    let project = Project::new();
    project.write("lib.rs", "");
    let manifest = fs::read_to_string(project.path().join("Cargo.toml")).expect("it is there");
    let with_all = manifest.replace("default-features = false", "features = [\"tokio\"]");
    project.write("Cargo.toml", &with_all);
    project.append_to_manifest(
        "tokio = { version = \"1\", features = [\"rt-multi-thread\"] }\n\n\
         [profile.dev.package.highwater]\nopt-level = 3\n",
    );
    project.write("tests/steady.rs", include_str!("programs/steady.rs"));
    let tests = ["run", "--", "--test", "steady"];
    project.run(&tests, 0);
    project.run(&["bless"], 0);
    for run in 1..=50 {
        project.run(&tests, 0);
        let table = project.run(&["check"], 0);
        println!("{run:>2}  {}", table.lines().last().unwrap_or_default());
        let is_same = table == "7 same\n";
        let pool_varies = table.contains("a_pool") && table.ends_with("\n1 varies, 6 same\n");
        assert!(is_same || pool_varies, "{table}");
    }
}
