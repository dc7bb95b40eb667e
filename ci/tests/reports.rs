//! Every scenario of a run has its report, or the tool says that it has none.

#![forbid(unsafe_code)]

mod support;

use std::fs;
use support::Project;

/// Names that no file system takes as they are, and some that not all tell apart.
const NAMES: &str = r#"
#[test]
fn odd_names() {
    let names = [
        "жук ".repeat(30),
        "жук ".repeat(30) + "2",
        "测".repeat(27),
        "🦀".repeat(20),
        "cache".to_owned(),
        "Cache".to_owned(),
        "CACHE".to_owned(),
    ];
    for name in names {
        highwater::Scenario::new(&name).steps(100).run(|| (), |(), _| {});
    }
}
"#;

/// Two tests whose scenarios have one name and one line.
const CASES: &str = r#"
fn case(bytes: usize) {
    highwater::Scenario::new("case").steps(100).run(
        || Vec::<u8>::with_capacity(bytes),
        |_, _| {},
    );
}

#[test]
fn case_1() {
    case(1);
}

#[test]
fn case_2() {
    case(2);
}
"#;

/// The same in one test.
const LOOP: &str = r#"
#[test]
fn cases() {
    for bytes in [1, 1, 2] {
        highwater::Scenario::new("case").steps(100).run(
            || Vec::<u8>::with_capacity(bytes),
            |_, _| {},
        );
    }
}
"#;

/// One whose report cannot be written, since a directory has its path, and which hides that.
const HIDDEN: &str = r#"
#[test]
#[should_panic]
fn has_no_report() {
    let reports = std::env::var("HIGHWATER_REPORTS").expect("it is run by the tool");
    std::fs::create_dir_all(std::path::Path::new(&reports).join("hidden.json")).unwrap();
    highwater::Scenario::new("hidden").steps(100).run(|| (), |(), _| {});
}
"#;

#[test]
fn no_report_is_lost() {
    let project = Project::new();
    project.keep("8");
    project.append(NAMES);
    let printed = project.run(&["run"], 0);
    assert!(printed.contains("\n8 reports, 0 failed, in "), "{printed}");
    project.run(&["bless"], 0);
    assert_eq!(project.run(&["check"], 0), "8 same\n");
    project.run(&["run"], 0);
    assert_eq!(project.run(&["check"], 0), "8 same\n");

    cases_of_one_name(&project);
    a_report_that_can_not_be_written(&project);
}

fn cases_of_one_name(project: &Project) {
    project.keep("8");
    project.append(CASES);
    let said = project.refuse_with_output(&["run"]);
    let error = said.lines().last().expect("an error");
    let start = "error: two scenarios are called `case`, and they differ: lib.rs:";
    assert!(error.starts_with(start), "{said}");
    for case in [" in the test `case_1`", " in the test `case_2`"] {
        assert!(error.contains(case), "{said}");
    }

    project.keep("8");
    project.append(LOOP);
    let output = project.highwater(&["run"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let panic = "highwater: two scenarios at lib.rs:22 are called `case`, and they differ; give \
                 each a name or a variant of its own";
    assert!(said.contains(panic), "{said}");
}

fn a_report_that_can_not_be_written(project: &Project) {
    project.keep("8");
    project.append(HIDDEN);
    let message = "the report of `hidden` could not be written to [DIR]/target/highwater/";
    let said = project.refuse_with_output(&["run"]);
    let start = "error: the tests of this project measured a scenario and could not write its \
                 report, so that nothing can be said of it: ";
    let error = said.lines().last().expect("an error");
    assert!(error.starts_with(&format!("{start}{message}")), "{said}");
    for command in ["check", "bless", "report", "view"] {
        let said = project.refuse(&[command]);
        let start = "error: a scenario was measured and has no report: ";
        assert!(said.starts_with(&format!("{start}{message}")), "{said}");
    }
    project.commit("hidden");
    fs::remove_dir(project.reports().join("hidden.json")).expect("it is empty");
    let said = project.refuse_with_output(&["gate", "--base", "HEAD"]);
    let start = "error: the tests of the base `HEAD` measured a scenario and could not write";
    let error = said.lines().last().expect("an error");
    assert!(error.starts_with(start), "{said}");
}
