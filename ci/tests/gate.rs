//! A project of its own, from its first baseline to a leak that is refused.

#![forbid(unsafe_code)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

const SOURCE: &str = r#"
#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

#[test]
fn orders_are_bounded() {
    let report = highwater::Scenario::new("orders").steps(1_000).run(
        Vec::new,
        |orders, i| {
            orders.push(Box::new(i));
            if orders.len() == KEPT {
                orders.clear();
            }
        },
    );
    report.assert();
}
"#;

struct Project {
    directory: TempDir,
    target: PathBuf,
}

impl Project {
    fn new() -> Self {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let directory = tempfile::tempdir().expect("a temporary directory");
        let harness = workspace
            .join("harness")
            .canonicalize()
            .expect("it is there");
        let manifest = format!(
            "[package]\nname = \"orders\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\
             [lib]\npath = \"lib.rs\"\n\
             [dependencies]\nhighwater = {{ path = '{}', default-features = false }}\n",
            harness.display()
        );
        fs::write(directory.path().join("Cargo.toml"), manifest).expect("a file in it");
        let target = directory.path().join("target");
        Self { directory, target }
    }

    /// Replaces the code: so many orders are kept at most.
    fn write(&self, kept: &str) {
        let source = SOURCE.replace("KEPT", kept);
        fs::write(self.directory.path().join("lib.rs"), source).expect("a file in it");
    }

    fn highwater(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_cargo-highwater"))
            .args(arguments)
            .current_dir(self.directory.path())
            .env("CARGO_TARGET_DIR", &self.target)
            // What the workspace was built with is enough.
            .env("CARGO_NET_OFFLINE", "true")
            .output()
            .expect("it starts")
    }

    /// Runs the tests, and says what they printed if that is not the exit code.
    #[track_caller]
    fn run(&self, code: i32) {
        let output = self.highwater(&["run"]);
        let printed = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{printed}");
    }

    #[track_caller]
    fn check(&self, command: &str, code: i32, text: &str) {
        let output = self.highwater(&[command]);
        let printed = String::from_utf8_lossy(&output.stderr);
        assert_eq!(String::from_utf8_lossy(&output.stdout), text, "{printed}");
        assert_eq!(output.status.code(), Some(code));
    }
}

#[test]
fn from_the_first_baseline_to_a_leak() {
    let project = Project::new();
    project.write("8");
    project.run(0);
    project.check("check", 3, "new          orders\n\n1 new, 0 same\n");
    project.check("bless", 0, "new          orders\n\n1 new, 0 same\n");
    project.check("check", 0, "1 same\n");
    project.run(0);
    project.check("check", 0, "1 same\n");

    // Less is to be recorded, or it would be lost again unseen.
    project.write("4");
    project.run(0);
    let output = project.highwater(&["check"]);
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(printed.starts_with("improvement  orders\n"), "{printed}");
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(project.highwater(&["bless"]).status.code(), Some(0));
    project.check("check", 0, "1 same\n");

    // A leak fails the test, and is a regression against the baseline too.
    project.write("usize::MAX");
    project.run(1);
    let output = project.highwater(&["check"]);
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(printed.contains("verdict bounded → growing"), "{printed}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn what_is_broken_has_no_answer_and_changes_nothing() {
    let project = Project::new();
    project.write("8");
    let output = project.highwater(&["check"]);
    assert_eq!(output.status.code(), Some(2));
    let reports = project.target.join("highwater");
    fs::create_dir_all(&reports).expect("a directory");
    let whole = include_str!("data/bounded.json");
    fs::write(reports.join("whole.json"), whole).expect("a file in it");
    fs::write(reports.join("torn.json"), &whole[..200]).expect("a file in it");
    for command in ["check", "bless"] {
        let output = project.highwater(&[command]);
        let printed = String::from_utf8_lossy(&output.stderr);
        assert!(
            printed.contains("torn.json is cut off at line"),
            "{printed}"
        );
        assert_eq!(output.status.code(), Some(2));
    }
    assert!(!project.directory.path().join("memory-baselines").exists());
}

#[test]
fn a_scenario_that_is_gone_stays_recorded_until_that_is_said() {
    let project = Project::new();
    project.write("8");
    let reports = project.target.join("highwater");
    fs::create_dir_all(&reports).expect("a directory");
    let whole = include_str!("data/bounded.json");
    fs::write(reports.join("a.json"), whole).expect("a file in it");
    let renamed = whole.replace("last-hundred", "renamed");
    fs::write(reports.join("b.json"), &renamed).expect("a file in it");
    assert_eq!(project.highwater(&["bless"]).status.code(), Some(0));
    fs::remove_file(reports.join("a.json")).expect("it is there");
    let gone = "gone         last-hundred\n\n1 gone, 1 same\n";
    project.check("check", 3, gone);
    project.check("bless", 0, gone);
    project.check("check", 3, gone);
    let output = project.highwater(&["bless", "--gone"]);
    assert_eq!(output.status.code(), Some(0));
    project.check("check", 0, "1 same\n");
}
