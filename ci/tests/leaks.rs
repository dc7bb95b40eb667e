//! Leaks that a project knows, and accepts by their signatures.

#![forbid(unsafe_code)]

mod support;

use support::Project;

/// A report whose memory grows at two call sites.
const GROWING: &str = include_str!("../reports/tests/data/growing.json");

/// The report, which fails for nothing but that.
fn growing() -> String {
    let mut report: serde_json::Value = serde_json::from_str(GROWING).expect("JSON");
    report["diagnosis"]["lost_blocks"] = 0.into();
    let reason = report["verdict_reason"]
        .as_str()
        .expect("a text")
        .to_owned();
    report["failures"] = serde_json::json!([format!("growing: {reason}")]);
    report["breaches"] = serde_json::json!([]);
    report["ceilings"] = serde_json::json!([]);
    report.to_string()
}

/// An entry for the leak with this signature.
fn accepts(scenario: &str, signature: &str, more: &str) -> String {
    format!(
        "[[accepted-leak]]\nscenario = \"{scenario}\"\nsignature = \"{signature}\"\n\
         reason = \"the vendor's client keeps each connection\"\n{more}\n"
    )
}

/// What was printed, without the line that names the directory.
fn printed(project: &Project, arguments: &[&str], code: i32) -> String {
    let mut command = project.command(arguments);
    let output = command.env("COLUMNS", "80").output().expect("it starts");
    let [printed, said] =
        [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
    assert_eq!(output.status.code(), Some(code), "{printed}\n{said}");
    let path = project.path().to_str().expect("a path in UTF-8");
    let lines = printed.lines().filter(|line| !line.contains(path));
    lines.map(|line| line.to_owned() + "\n").collect()
}

#[test]
fn leaks_that_are_known_pass_until_they_are_gone() {
    let project = Project::new();
    project.write("lib.rs", "");
    project.write("target/highwater/shop.json", &growing());
    insta::assert_snapshot!("fails", printed(&project, &["report"], 1));
    insta::assert_snapshot!("blocks", printed(&project, &["check"], 1));

    let [key, map] = ["46bbb7c998c661c1", "8EE6735A39D5ABF6"];
    let both = accepts("shop*", key, "until = \"9999-12-31\"") + &accepts("*", map, "");
    project.write("highwater.toml", &both);
    insta::assert_snapshot!("is-accepted", printed(&project, &["report"], 0));
    project.run(&["bless"], 0);
    insta::assert_snapshot!("passes", printed(&project, &["check"], 0));

    let ended = both.replace("9999-12-31", "2020-02-29");
    project.write("highwater.toml", &ended);
    insta::assert_snapshot!("has-ended", printed(&project, &["check"], 1));
    project.run(&["report"], 1);

    let gone = both + &accepts("shop (leaky)", "00000000000000ff", "");
    project.write("highwater.toml", &gone);
    insta::assert_snapshot!("is-gone", printed(&project, &["check"], 3));
    project.run(&["report"], 0);

    project.write("highwater.toml", &accepts("shop*", "0xff", ""));
    let said = project.refuse(&["check"]);
    assert!(
        said.contains("highwater.toml: TOML parse error at line 3, column 13"),
        "{said}"
    );
}

/// The tests are told, so that one that asserts its report passes, and so does the run.
#[test]
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn tests_with_leaks_that_are_known_pass() {
    let project = Project::new().with_default_features();
    project.keep("usize::MAX");
    project.append(
        "#[highwater::test(steps = 1_000, state = Vec::new())]\n\
         fn trades(kept: &mut Vec<Box<u32>>) { kept.push(Box::new(7)); }\n",
    );
    let failed = project.run(&["run"], 1);
    let signatures = failed
        .lines()
        .filter_map(|line| line.trim().strip_prefix("signature "));
    let entries = signatures.map(|line| accepts("*", line.split(':').next().unwrap_or(line), ""));
    let entries: String = entries.collect();
    project.write("highwater.toml", &entries);
    project.commit("accept");
    let passed = project.run(&["run"], 0);
    assert!(passed.contains("2 reports, 0 failed, in "), "{passed}");
    let reason = "leak accepted: the vendor's client keeps each connection (";
    assert!(passed.contains(reason), "{passed}");
    let passed = project.run(&["gate", "--base", "HEAD"], 0);
    assert!(
        passed.contains(reason) && passed.contains("2 same"),
        "{passed}"
    );
}
