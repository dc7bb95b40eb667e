//! A project of its own, from its first baseline to a leak that is refused.

#![forbid(unsafe_code)]

mod support;

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;
use support::{Project, REPORT};

#[test]
fn from_the_first_baseline_to_a_leak() {
    let project = Project::new();
    project.keep("8");
    project.run(&["run", "--export", "bencher=figures.json"], 0);
    let exported = fs::read_to_string(project.path().join("figures.json")).expect("it is there");
    assert!(exported.starts_with("{\n  \"orders\": {\n"), "{exported}");
    let first = project.run(&["check"], 0);
    // Each scenario is told of once.
    insta::assert_snapshot!("the-first-check", first);
    assert_eq!(
        project.run(&["bless"], 0),
        "recorded  orders\n0 as recorded before\n"
    );
    assert_eq!(project.run(&["check"], 0), "1 same\n");
    project.run(&["run"], 0);
    assert_eq!(project.run(&["check"], 0), "1 same\n");

    // Less is to be recorded, or it would be lost again unseen.
    project.keep("4");
    project.run(&["run"], 0);
    let printed = project.run(&["check"], 3);
    assert!(printed.contains("improvement  orders"), "{printed}");
    project.run(&["bless"], 0);
    assert_eq!(project.run(&["check"], 0), "1 same\n");

    // A leak fails the test, and is a regression against the baseline too.
    project.keep("usize::MAX");
    project.run(&["run"], 1);
    let printed = project.run(&["check"], 1);
    assert!(
        printed.contains("failed       orders  verdict        bounded"),
        "{printed}"
    );

    // Code that does not build has no answer.
    project.keep("of all");
    let said = project.refuse(&["run"]);
    assert!(said.contains("error: the tests of this project were not run: cargo ended with"));
}

#[test]
fn without_nextest_cargo_runs_the_tests() {
    let project = Project::new();
    project.keep("8");
    let toolchain = Path::new(env!("CARGO")).parent().expect("a directory");
    let path = format!("{}:/usr/bin:/bin", toolchain.display());
    let run = || {
        let output = project
            .command(&["run"])
            // Where nextest is not, if it is where it can be kept from being found.
            .env("PATH", &path)
            .output()
            .expect("it starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), said)
    };
    let (code, said) = run();
    assert_eq!(code, Some(0), "{said}");
    project.keep("usize::MAX");
    let (code, said) = run();
    assert_eq!(code, Some(1), "{said}");
    project.keep("of all");
    let (code, said) = run();
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("error: the tests of this project were not run"),
        "{said}"
    );
}

#[test]
fn two_runs_at_once_wait_for_each_other() {
    let project = Project::new();
    project.keep("8");
    fs::create_dir_all(project.reports()).expect("a directory");
    let lock = File::create(project.reports().join("lock")).expect("a file in it");
    lock.lock().expect("nobody else has it");
    let mut child = project
        .command(&["run"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut said = BufReader::new(child.stderr.take().expect("a pipe")).lines();
    let first = said.next().expect("a line").expect("in UTF-8");
    assert_eq!(
        first,
        "highwater: waiting for another run in this target directory"
    );
    drop(lock);
    said.for_each(drop);
    assert!(child.wait().expect("it ends").success());
}

#[test]
fn what_is_broken_has_no_answer_and_changes_nothing() {
    let project = Project::new();
    project.keep("8");
    assert!(
        project
            .refuse(&["check"])
            .contains("run `cargo test` first")
    );
    project.write("target/highwater/whole.json", REPORT);
    let newer = REPORT.replace("\"schema\": 1", "\"schema\": 2");
    let broken = [
        (&REPORT[..200], "bad.json is cut off at line"),
        (&newer, "bad.json was written by a newer highwater"),
        ("<html>", "bad.json is not JSON"),
    ];
    for (text, message) in broken {
        project.write("target/highwater/bad.json", text);
        for command in ["check", "bless"] {
            let said = project.refuse(&[command]);
            assert!(said.contains(message), "{said}");
        }
        let into = project.path().join("joined");
        let into = into.to_str().expect("a path in UTF-8");
        let said = project.refuse(&["merge", "target/highwater", "--into", into]);
        assert!(said.contains(message), "{said}");
        assert!(!project.path().join("joined").exists());
        let left = fs::read_to_string(project.reports().join("bad.json"));
        assert_eq!(left.expect("it is there"), text);
    }
    assert!(!project.path().join("memory-baselines").exists());
}

#[test]
fn a_mistake_in_the_configuration_is_found_before_the_tests_run() {
    let project = Project::new();
    project.write("lib.rs", "this is no Rust");
    project.write("highwater.toml", "[ceilings]\ngrowth = 5");
    let said = project.refuse(&["run"]);
    assert_eq!(
        said,
        "error: [DIR]/highwater.toml: TOML parse error at line 2, column 10
  |
2 | growth = 5
  |          ^
invalid type: integer `5`, expected a string\n"
    );
}

#[test]
fn the_projects_own_ceilings_and_expectations() {
    let project = Project::new();
    project.write("lib.rs", "");
    project.write("target/highwater/a.json", REPORT);
    project.write("highwater.toml", "[ceilings]\nresidue = \"0 B\"\n");
    let printed = project.run(&["report"], 0);
    assert!(printed.contains("1 report, 0 failed, in "), "{printed}");
    let strict = "[scenario.last-hundred]\nceilings = { growth = \"1 KB\" }\n";
    project.write("highwater.toml", strict);
    assert!(project.run(&["report"], 1).contains("growth by 24 B"));
    let printed = project.run(&["check"], 1);
    let failure = "growth: 1,024 B, 24 B above the ceiling of 1 KB in highwater.toml";
    assert!(printed.contains(failure), "{printed}");
    let expected = format!("{strict}expect-failure = \"to be mended\"\n");
    project.write("highwater.toml", &expected);
    let printed = project.run(&["report"], 0);
    assert!(
        printed.contains("1 report, 1 failed as expected, in "),
        "{printed}"
    );
    project.run(&["bless"], 0);
    assert_eq!(project.run(&["check"], 0), "1 same\n");
}

#[test]
fn a_scenario_that_is_gone_stays_recorded_until_that_is_said() {
    let project = Project::new();
    project.write("lib.rs", "");
    project.write("target/highwater/a.json", REPORT);
    let other = REPORT.replace("last-hundred", "other");
    project.write("target/highwater/b.json", &other.replace("1024", "512"));
    project.run(&["bless"], 0);
    fs::remove_file(project.reports().join("a.json")).expect("it is there");
    assert!(
        project
            .run(&["check"], 3)
            .contains("gone         last-hundred  there is no report of it any more\n")
    );
    let kept = "\
kept      last-hundred
          no report of it; `cargo highwater bless --gone` removes it
1 as recorded before
";
    assert_eq!(project.run(&["bless"], 0), kept);
    assert!(
        project
            .run(&["check"], 3)
            .contains("gone         last-hundred  there is no report of it any more\n")
    );
    let removed = "removed   last-hundred\n1 as recorded before\n";
    assert_eq!(project.run(&["bless", "--gone"], 0), removed);
    assert_eq!(project.run(&["check"], 0), "1 same\n");
}

#[test]
fn what_a_killed_process_did_not_finish_is_removed() {
    let project = Project::new();
    project.write("lib.rs", "");
    project.write("target/highwater/a.json", REPORT);
    project.run(&["bless"], 0);
    let folders = fs::read_dir(project.path().join("memory-baselines")).expect("it is there");
    let folder = folders.flatten().next().expect("one folder").path();
    fs::write(folder.join("a.txt.17.highwater-tmp"), "highw").expect("a file in it");
    assert_eq!(project.run(&["check"], 0), "1 same\n");
    project.run(&["bless"], 0);
    assert_eq!(fs::read_dir(&folder).expect("it is there").count(), 1);
}

#[test]
fn two_scenarios_of_one_name_are_told_apart_or_refused() {
    let project = Project::new();
    project.keep("8");
    let path = project.path().join("lib.rs");
    let source = fs::read_to_string(&path).expect("it is there");
    let (start, test) = source.split_once("#[test]").expect("a test");
    let other = test.replace("orders_are_bounded", "others_are_bounded");
    let same = format!("{start}#[test]{test}#[test]{other}");
    project.write("lib.rs", &same);
    project.run(&["run"], 0);
    project.write("lib.rs", &same.replacen("== 8", "== 16", 1));
    let said = project.refuse(&["run"]);
    let [first, second] = ["lib.rs:7", "lib.rs:20"];
    let end = "; give one of them another name, or a variant";
    let either = [(first, second), (second, first)].map(|(first, second)| {
        format!(
            "error: two scenarios are called `orders`, and they differ: {first} and {second}{end}"
        )
    });
    let last = said.lines().last().expect("an error");
    assert!(either.iter().any(|text| text == last), "{said}");
}

/// A workspace with a member, whose tests run in a directory of their own.
#[test]
fn a_fresh_checkout_of_a_workspace() {
    let project = Project::new();
    project.share_no_base();
    let manifest = fs::read_to_string(project.path().join("Cargo.toml")).expect("it is there");
    project.keep("usize::MAX");
    let source = fs::read_to_string(project.path().join("lib.rs")).expect("it is there");
    project.write("shop/Cargo.toml", &manifest);
    project.write("shop/lib.rs", &source);
    project.write(
        "Cargo.toml",
        "[workspace]\nresolver = \"3\"\nmembers = [\"shop\"]\n",
    );
    let printed = project.run(&["run"], 1);
    assert!(printed.contains("1 report, 1 failed, in "), "{printed}");
    assert!(!project.path().join("shop/target").exists());
    assert!(project.target().join("CACHEDIR.TAG").exists());
}
