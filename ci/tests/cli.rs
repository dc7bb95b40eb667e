//! The program as it is started: what it prints where, and its exit codes.
//!
//! Directories are temporary; in what is compared, their path reads `[DIR]`.

#![forbid(unsafe_code)]

mod support;

use cargo_highwater::exit_code::{FAILED, NO_ANSWER, PASSED};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A report as the library wrote it.
const BOUNDED: &str = include_str!("../reports/tests/data/bounded.json");

fn growing() -> String {
    BOUNDED
        .replace("last-hundred", "all-of-them")
        .replace("\"bounded\"", "\"growing\"")
        .replace("\"failures\": []", "\"failures\": [\"growing\"]")
}

fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for (name, text) in files {
        fs::write(directory.path().join(name), text).expect("a file in it");
    }
    directory
}

/// The program, in `directory`.
fn program(directory: &Path, arguments: &[&str]) -> Command {
    let mut program = support::tool();
    program.args(arguments).current_dir(directory);
    program
}

/// Checks the exit code, standard output and standard error of a run in
/// `directory`, which is what `[DIR]` in the arguments stands for.
#[track_caller]
fn check(directory: &Path, arguments: &[&str], code: u8, stdout: &str, stderr: &str) {
    let path = directory.to_str().expect("a path in UTF-8");
    let arguments: Vec<String> = arguments.iter().map(|a| a.replace("[DIR]", path)).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let output = program(directory, &arguments).output().expect("it starts");
    let redacted = |text: &[u8]| String::from_utf8_lossy(text).replace(path, "[DIR]");
    assert_eq!(redacted(&output.stderr), stderr);
    assert_eq!(redacted(&output.stdout), stdout);
    assert_eq!(output.status.code(), Some(code.into()));
}

/// Checks a run on a directory that holds `text` as `x.json` beside a good report.
#[track_caller]
fn check_refused(text: &str, stderr: &str) {
    let directory = directory(&[("good.json", BOUNDED), ("x.json", text)]);
    check(
        directory.path(),
        &["report", "[DIR]"],
        NO_ANSWER,
        "",
        stderr,
    );
}

#[test]
fn a_good_directory() {
    let directory = directory(&[("last-hundred.json", BOUNDED)]);
    let table = "\
scenario       steps   growth     peak  residue  verdict
last-hundred  10,000  1,024 B  1,024 B      0 B  bounded

1 report, 0 failed, in [DIR]
";
    check(directory.path(), &["report", "[DIR]"], PASSED, table, "");
    // As cargo starts it.
    let arguments = ["highwater", "report", "[DIR]"];
    check(directory.path(), &arguments, PASSED, table, "");
}

#[test]
fn a_failed_report() {
    let directory = directory(&[("a.json", BOUNDED), ("b.json", &growing())]);
    let table = "\
scenario       steps   growth     peak  residue  verdict
all-of-them   10,000  1,024 B  1,024 B      0 B  growing
last-hundred  10,000  1,024 B  1,024 B      0 B  bounded

2 reports, 1 failed, in [DIR]
";
    check(directory.path(), &["report", "[DIR]"], FAILED, table, "");
}

#[test]
fn as_json() {
    let directory = directory(&[("a.json", BOUNDED), ("b.json", &growing())]);
    let output = program(directory.path(), &["report", ".", "--format", "json"])
        .output()
        .expect("it starts");
    let printed: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let written = format!("[{}, {BOUNDED}]", growing());
    let written: Vec<highwater_reports::report::Report> =
        serde_json::from_str(&written).expect("reports");
    assert_eq!(printed, serde_json::to_value(written).expect("JSON"));
    assert_eq!(output.status.code(), Some(FAILED.into()));
}

#[test]
fn the_target_directory_is_the_default() {
    let project = directory(&[(
        "Cargo.toml",
        "[package]\nname = \"x\"\n[lib]\npath = \"x.rs\"\n",
    )]);
    for (target, variable) in [("target", None), ("elsewhere", Some("elsewhere"))] {
        let reports = project.path().join(target).join("highwater");
        fs::create_dir_all(&reports).expect("a directory");
        fs::write(reports.join("x.json"), BOUNDED).expect("a file in it");
        let output = program(project.path(), &["report"])
            .envs(variable.map(|directory| ("CARGO_TARGET_DIR", directory)))
            .output()
            .expect("it starts");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        let last_line = format!("1 report, 0 failed, in {}\n", reports.display());
        let stdout = String::from_utf8_lossy(&output.stdout);
        assert!(stdout.ends_with(&last_line), "{stdout}");
    }
}

#[test]
fn outside_of_a_project() {
    let directory = directory(&[]);
    let output = program(directory.path(), &["report"])
        .output()
        .expect("it starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    let [start, end] = [
        "error: cargo could not say where the target directory is: ",
        " or any parent directory; run this inside a cargo project, or name the directory: \
         `cargo highwater report <DIRECTORY>`\n",
    ];
    assert!(
        stderr.starts_with(start) && stderr.ends_with(end),
        "{stderr}"
    );
    assert_eq!(output.status.code(), Some(NO_ANSWER.into()));
}

#[test]
fn files_that_are_refused() {
    check_refused(
        "{\"schema\": 1,\n  \"name\"",
        "error: [DIR]/x.json is cut off at line 2, column 8: \
         delete it and run `cargo test` again\n",
    );
    check_refused(
        &BOUNDED.replace("\"schema\": 1", "\"schema\": 2"),
        "error: [DIR]/x.json was written by a newer highwater (schema 2, this reads 1); \
         update cargo-highwater\n",
    );
    check_refused(
        "<html>",
        "error: [DIR]/x.json is not JSON: expected value at line 1 column 1: \
         delete it and run `cargo test` again\n",
    );
    check_refused(
        &BOUNDED.replace("  \"growth_bytes\": 1024,\n", ""),
        "error: [DIR]/x.json is not a report of schema 1: \
         missing field `growth_bytes` at line 60 column 1: \
         delete it and run `cargo test` again\n",
    );
}

#[test]
fn directories_without_reports() {
    let directory = directory(&[("notes.txt", "none")]);
    check(
        directory.path(),
        &["report", "[DIR]"],
        NO_ANSWER,
        "",
        "error: there are no reports in [DIR]: run `cargo test` first, \
         which writes the reports of its memory scenarios there\n",
    );
    check(
        directory.path(),
        &["report", "[DIR]/missing"],
        NO_ANSWER,
        "",
        "error: there is no directory [DIR]/missing: run `cargo test` first, \
         which writes the reports of its memory scenarios there\n",
    );
}

#[test]
fn bad_usage() {
    let directory = directory(&[]);
    check(
        directory.path(),
        &["highwater", "report", "--format", "yaml"],
        NO_ANSWER,
        "",
        "error: invalid value 'yaml' for '--format <FORMAT>'\n  \
         [possible values: table, json]\n\n\
         For more information, try '--help'.\n",
    );
    check(
        directory.path(),
        &["reports"],
        NO_ANSWER,
        "",
        "error: unrecognized subcommand 'reports'\n\n  \
         tip: some similar subcommands exist: 'repro', 'report'\n\n\
         Usage: cargo highwater <COMMAND>\n\n\
         For more information, try '--help'.\n",
    );
}

#[test]
fn a_reader_that_goes_away() {
    let directory = directory(&[("a.json", BOUNDED)]);
    for format in ["table", "json"] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let child = program(directory.path(), &["report", ".", "--format", format])
            .stdout(writer)
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        assert_eq!(output.status.code(), Some(PASSED.into()));
    }
}

/// What a judged program may have written into its names comes to the reader as text.
#[test]
fn a_comment_of_an_outcome_that_nobody_trusts() {
    let project = directory(&[]);
    let evil = "@octocat #1 https://evil.example <img src=x> `a`\n::error::x|\u{202e}";
    let change = serde_json::json!({
        "what": "law", "before": evil, "after": evil, "unit": null, "effect": "worse",
        "blocks": true, "per_step": null,
    });
    let comparison = |status: &str| {
        serde_json::json!({
            "scenario": evil, "status": status, "against": "base", "recorded": null,
            "changes": vec![change.clone(); 5], "runs": 1, "ranges": [], "sites": [], "failures": [evil],
            "notes": [evil], "location": {"file": evil, "line": 7}, "leak": null,
            "curve_before": [], "curve": [1, 2],
        })
    };
    let outcome = serde_json::json!({
        "schema": 1, "exit_code": 1,
        "base": {"revision": evil, "commit": evil}, "notes": [evil],
        "scenarios": [comparison("failed"), comparison("same")],
    });
    let path = project.path().join("outcome.json");
    let comment = |text: &str| {
        fs::write(&path, text).expect("a file");
        program(project.path(), &["comment", "outcome.json"])
            .env("GITHUB_ACTIONS", "true")
            .output()
            .expect("it starts")
    };
    let output = comment(&outcome.to_string());
    assert_eq!(output.status.code(), Some(0));
    insta::assert_snapshot!(String::from_utf8_lossy(&output.stdout));
    for (text, problem) in [
        ("[]", "this is no outcome"),
        (
            &outcome.to_string().replace("\"schema\":1", "\"schema\":2"),
            "its version is 2",
        ),
    ] {
        let output = comment(text);
        assert_eq!(output.status.code(), Some(2));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(problem), "{said}");
    }
}
