//! A suite on four machines, each with directories of its own: one is lost and tried again, one
//! is not there at all.

#![forbid(unsafe_code)]

mod support;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use support::Project;

/// Twelve scenarios, which never end on the machine that is `LOST`.
const SCENARIOS: &str = include_str!("programs/shards.rs");

fn project() -> Project {
    let project = Project::new();
    let scenario =
        |number| format!("#[test]\nfn scenario_{number}() {{ names(\"s{number}\", {number}); }}\n");
    let scenarios: String = (1..=12).map(scenario).collect();
    let head =
        "#[global_allocator]\nstatic ALLOC: highwater::Alloc = highwater::Alloc::system();\n";
    project.write("lib.rs", &[SCENARIOS, head, &scenarios].concat());
    project.commit("twelve scenarios");
    project
}

/// The tool on one of four machines, measuring its part.
fn machine(project: &Project, number: usize) -> Command {
    let part = format!("hash:{number}/4");
    let mut command = project.command(&["run", "--", "--partition", &part]);
    command.env("CARGO_TARGET_DIR", target(project, number));
    command
}

fn target(project: &Project, number: usize) -> PathBuf {
    project.directory().join(format!("target/machine-{number}"))
}

fn runs(project: &Project, number: usize) {
    let output = machine(project, number).output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
}

/// The machine goes down while its tests run.
fn is_lost(project: &Project, number: usize) {
    let mut command = machine(project, number);
    command.env("LOST", "1").process_group(0);
    let mut gone = command.stderr(Stdio::piped()).spawn().expect("it starts");
    let said = BufReader::new(gone.stderr.take().expect("a pipe"));
    let begins = |line: String| line.contains(" Starting ");
    assert!(
        said.lines().map_while(Result::ok).any(begins),
        "no test was started"
    );
    let group = format!("-{}", gone.id());
    let kill = Command::new("kill").args(["-KILL", "--", &group]).status();
    assert!(kill.expect("it starts").success());
    gone.wait().expect("it ends");
}

/// What is uploaded from these machines, as arguments of `merge`.
fn merged(project: &Project, numbers: &[usize]) -> Vec<String> {
    let folder = |number: &usize| {
        target(project, *number)
            .join("highwater")
            .display()
            .to_string()
    };
    let folders = numbers.iter().map(folder);
    std::iter::once("merge".to_owned()).chain(folders).collect()
}

#[test]
#[ignore = "builds a project four times: ci/nightly.sh"]
fn a_lost_machine_is_tried_again_and_a_missing_one_is_named() {
    let nextest = Command::new("cargo")
        .args(["nextest", "--version"])
        .output();
    let is_there = nextest.is_ok_and(|output| output.status.success());
    assert!(is_there, "cargo-nextest divides the suite: install it");
    let project = project();
    for number in [1, 2, 4] {
        runs(&project, number);
    }
    is_lost(&project, 3);
    let refuse = |numbers: &[usize]| {
        let arguments = merged(&project, numbers);
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        project.refuse(&arguments)
    };
    let expected = "\
error: [DIR]/target/machine-3/highwater has a run that did not come to its end, so that scenarios \
may be missing; run that shard again: cargo highwater run -- --partition hash:3/4
";
    assert_eq!(refuse(&[1, 2, 3, 4]), expected);
    let expected = "\
error: shard 3 of 4 is missing: no directory has the run of it; run again what was lost, such as \
`cargo highwater run -- --partition hash:3/4`, and pass its directory too
";
    assert_eq!(refuse(&[1, 2, 4]), expected);

    runs(&project, 3);
    let arguments = merged(&project, &[1, 2, 3, 4]);
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let printed = project.run(&arguments, 0);
    let last = "12 reports of 4 shards, 0 missing, in ";
    assert!(printed.starts_with(last), "{printed}");
    let reports = project.run(&["report"], 0);
    assert!(reports.contains("\n12 reports, 0 failed"), "{reports}");

    other_code_and_other_parts_are_refused(&project, &refuse);
}

fn other_code_and_other_parts_are_refused(project: &Project, refuse: &dyn Fn(&[usize]) -> String) {
    let word = |number, file: &str| target(project, number).join("highwater").join(file);
    let change = |path: &PathBuf, from: &str, to: &str| {
        let text = fs::read_to_string(path).expect("it is there");
        assert!(text.contains(from), "{text}");
        fs::write(path, text.replace(from, to)).expect("it is ours");
    };
    change(&word(2, "RUN"), "hash:2/4", "hash:2/5");
    let said = refuse(&[1, 2, 3, 4]);
    let expected = "error: the shards are not parts of one suite: [DIR]/target/machine-1/highwater \
                    is hash:1/4, [DIR]/target/machine-2/highwater is hash:2/5\n";
    assert_eq!(said, expected);
    change(&word(2, "RUN"), "hash:2/5", "hash:2/4");
    project.commit("another");
    runs(project, 4);
    let said = refuse(&[1, 2, 3, 4]);
    let expected = "error: the shards are of different commits: [DIR]/target/machine-1/highwater is \
                    of ";
    assert!(said.starts_with(expected), "{said}");
    assert!(
        said.ends_with("; run those of the older one again\n"),
        "{said}"
    );
}
