//! Which tests and which reports are those of a project, where there are others beside them.

#![forbid(unsafe_code)]

mod support;

use std::process::Command;
use support::{Project, REPORT};

/// Has the command build where `shared` is, and nowhere else.
fn built_in(shared: &Project, mut command: Command) -> Command {
    command
        .env("CARGO_TARGET_DIR", shared.target())
        .env_remove("CARGO_BUILD_BUILD_DIR");
    command
}

#[test]
fn projects_that_share_a_target_directory_do_not_read_each_others_reports() {
    let shared = Project::empty();
    let [one, other] = [Project::new(), Project::new()];
    one.keep("8");
    other.keep("usize::MAX");
    let with = |project: &Project, arguments: &[&str]| {
        let output = built_in(&shared, project.command(arguments)).output();
        let output = output.expect("it starts");
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), printed, said)
    };
    let (code, printed, said) = with(&one, &["run"]);
    assert_eq!(code, Some(0), "{printed}{said}");
    for command in ["report", "check", "bless"] {
        let (code, printed, said) = with(&other, &[command]);
        assert_eq!((code, printed.as_str()), (Some(2), ""), "{said}");
        assert!(said.contains("run `cargo test` first"), "{said}");
    }
    // Plain `cargo test` writes them where the tool looks for them.
    let mut tests = other.runs(support::program(env!("CARGO")));
    tests.arg("test");
    let output = built_in(&shared, tests).output().expect("it starts");
    assert!(!output.status.success());
    let (code, printed, said) = with(&other, &["report"]);
    assert_eq!(code, Some(1), "{printed}{said}");
    assert!(printed.contains("1 report, 1 failed, in"), "{printed}");
    let (code, printed, said) = with(&one, &["report"]);
    assert_eq!(code, Some(0), "{printed}{said}");
    assert!(printed.contains("1 report, 0 failed, in"), "{printed}");
}

#[test]
fn reports_are_where_the_tests_were_told_to_write_them() {
    let project = Project::new();
    project.write("lib.rs", "");
    project.write("elsewhere/a.json", REPORT);
    let elsewhere = project.path().join("elsewhere");
    let output = project
        .command(&["report"])
        .env("HIGHWATER_REPORTS", &elsewhere)
        .output()
        .expect("it starts");
    let printed = String::from_utf8_lossy(&output.stdout);
    let last = format!("1 report, 0 failed, in {}\n", elsewhere.display());
    assert!(printed.ends_with(&last), "{printed}");
}

/// Cargo takes the package at the root alone.
#[test]
fn packages_whose_tests_are_not_run_are_named() {
    let project = Project::new();
    let manifest = std::fs::read_to_string(project.path().join("Cargo.toml"));
    let manifest = manifest.expect("it is there");
    for member in ["shop", "cart"] {
        let text = manifest.replace("\"orders\"", &format!("\"{member}\""));
        project.write(&format!("{member}/Cargo.toml"), &text);
        project.write(&format!("{member}/lib.rs"), "");
    }
    let root = "[workspace]\nmembers = ['shop', 'cart']\n[package]\nname = 'root'\n\
                edition = '2024'\n[lib]\npath = 'lib.rs'\n";
    project.write("Cargo.toml", root);
    project.write("lib.rs", "");
    let output = project.highwater(&["run"]);
    let said = String::from_utf8_lossy(&output.stderr);
    insta::assert_snapshot!("untested-packages", said.lines().next().unwrap_or_default());
    let output = project.highwater(&["run", "--", "-p", "root"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("not tested"), "{said}");
}
