//! Shards that are joined, and those that can't be.

#![forbid(unsafe_code)]

mod support;

use std::fs;
use support::{Project, REPORT};

/// A project with two shards: `a` and `b` in one, `b` and `c` in the other.
fn sharded() -> Project {
    let project = Project::new();
    project.write("lib.rs", "");
    for (shard, names) in [("one", ["a", "b"]), ("two", ["b", "c"])] {
        for name in names {
            write(&project, shard, name, REPORT);
        }
    }
    project
}

fn write(project: &Project, directory: &str, name: &str, report: &str) {
    let report = report.replace("last-hundred", name);
    project.write(&format!("{directory}/{name}.json"), &report);
}

#[test]
fn two_shards_are_one_run() {
    let project = sharded();
    // What another run left there is not part of this one.
    write(&project, "target/highwater", "old", REPORT);
    let printed = project.run(&["merge", "one", "two"], 0);
    let last = "3 reports of 2 shards, 0 missing, in ";
    assert!(printed.starts_with(last), "{printed}");
    let printed = project.run(&["report"], 0);
    assert!(printed.contains("\n3 reports, 0 failed"), "{printed}");

    project.run(&["bless"], 0);
    let printed = project.run(&["merge", "one", "--into", "joined"], 3);
    let missing = "\
missing  c, which no shard has a report of
2 reports of 1 shard, 1 missing, in joined
";
    assert_eq!(printed, missing);
    assert!(project.path().join("joined/b.json").exists());
}

#[test]
fn shards_with_a_base_are_compared_with_it() {
    let project = sharded();
    let less = REPORT.replace("\"growth_bytes\": 1024", "\"growth_bytes\": 512");
    for shard in ["one", "two"] {
        project.write(
            &format!("{shard}/base/REVISION"),
            "main\n0123456789abcdef\n",
        );
    }
    write(&project, "one/base", "a", REPORT);
    write(&project, "one/base", "b", &less);
    // It went from one shard to the other.
    write(&project, "one/base", "c", REPORT);
    project.run(&["merge", "one", "two"], 0);
    let printed = project.run(&["check", "--base"], 1);
    assert!(printed.contains("1 regression, 2 same, compared with main (0123456789ab)"));
}

#[test]
fn shards_that_contradict_each_other() {
    let project = sharded();
    let other = REPORT.replace("\"growth_bytes\": 1024", "\"growth_bytes\": 1025");
    write(&project, "two", "b", &other);
    write(&project, "target/highwater", "old", REPORT);
    let expected = "\
error: two shards have `b` with different figures: one/b.json and two/b.json: \
growth 1,024 B → 1,025 B (+1 B, +0.10 %); it is not deterministic, or the shards are of \
different builds
";
    assert_eq!(project.refuse(&["merge", "one", "two"]), expected);
    assert!(project.reports().join("old.json").exists());
    assert!(!project.reports().join("a.json").exists());
}

#[test]
fn shards_that_have_nothing_to_do_with_each_other() {
    let project = sharded();
    project.write("one/base/REVISION", "main\n0123\n");
    write(&project, "one/base", "a", REPORT);
    let expected =
        "error: the shards do not have one base: one was compared with 0123, two with none\n";
    assert_eq!(project.refuse(&["merge", "one", "two"]), expected);

    let said = project.refuse(&["merge", "one", "three"]);
    assert!(
        said.starts_with("error: there is no directory three"),
        "{said}"
    );
    fs::create_dir(project.path().join("empty")).expect("a directory");
    let expected = "error: none of the shards has a report; run the tests in each of them first\n";
    assert_eq!(project.refuse(&["merge", "empty"]), expected);
    // A suite may have fewer scenarios than shards.
    fs::remove_dir_all(project.path().join("one/base")).expect("it is there");
    project.run(&["merge", "one", "empty"], 0);
}
