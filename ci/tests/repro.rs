//! `cargo highwater repro`, in a project of its own.

#![forbid(unsafe_code)]

mod support;

use serde_json::Value;
use std::fs;
use std::path::Path;
use support::{Project, REPORT};

/// A project whose tests can take call stacks, and are not called as their scenarios.
fn project() -> Project {
    let project = Project::new().with_default_features();
    project.keep("usize::MAX");
    let source = fs::read_to_string(project.path().join("lib.rs")).expect("it is there");
    let (_, test) = source.split_once("#[test]").expect("a test");
    let other = test
        .replace("orders_are_bounded", "what_is_sound")
        .replace("\"orders\"", "\"trades\"")
        .replace("usize::MAX", "8");
    project.write("lib.rs", &format!("{source}#[test]{other}"));
    project
}

/// A build script is told the flags that cargo gives the compiler.
#[test]
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn tests_are_built_with_what_call_stacks_need() {
    let script = r#"fn main() {
    let flags = std::env::var("CARGO_ENCODED_RUSTFLAGS").unwrap();
    println!("cargo::rustc-env=FLAGS={}", flags.replace('\u{1f}', " "));
}"#;
    let needed = "-Cforce-frame-pointers=yes -Csymbol-mangling-version=v0";
    let project = Project::new();
    project.write("build.rs", script);
    project.write(
        ".cargo/config.toml",
        "[target.'cfg(all())']\nrustflags = '--cfg own'",
    );
    project.keep("8");
    project.append(&format!(
        "#[test] fn flags() {{ assert_eq!(env!(\"FLAGS\"), \"--cfg own {needed}\"); }}"
    ));
    project.run(&["run", "--", "--lib", "flags"], 0);
}

/// What changed is measured again, once with call stacks on both sides.
#[test]
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn the_gate_names_the_line_that_holds_more() {
    let project = project();
    let with = |kept: &str| {
        let source = fs::read_to_string(project.path().join("lib.rs")).expect("it is there");
        let (before, rest) = source.split_once("orders.len() == ").expect("a limit");
        let (_, behind) = rest.split_once(' ').expect("its end");
        project.write(
            "lib.rs",
            &format!("{before}orders.len() == {kept} {behind}"),
        );
    };
    with("8");
    project.commit("eight orders");
    with("64");
    let printed = project.run(&["gate", "--base", "HEAD"], 1);
    let lines: Vec<_> = printed
        .lines()
        .filter(|line| line.contains("(lib.rs:"))
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

fn json(path: &Path) -> Value {
    let text = fs::read_to_string(path).expect("it is there");
    serde_json::from_str(&text).expect("JSON")
}

/// What was printed before the artefacts, and those without the directory.
fn artefacts<'a>(project: &Project, printed: &'a str) -> (&'a str, String) {
    let (explanation, artefacts) = printed.split_once("\nartefacts, ").expect("artefacts");
    let path = project.path().to_str().expect("a path in UTF-8");
    (explanation, artefacts.replace(path, "[DIR]"))
}

#[test]
#[cfg_attr(
    not(all(target_os = "linux", target_arch = "x86_64")),
    ignore = "call stacks are taken on Linux on x86-64 only"
)]
fn scenarios_again_with_call_stacks() {
    let project = project();
    a_leak(&project);
    a_scenario_is_found_by_its_own_name(&project);
}

fn a_leak(project: &Project) {
    // What the last run found stays as it is.
    project.write("target/highwater/a.json", REPORT);
    let printed = project.run(&["repro", "orders", "--steps", "2000"], 1);
    let (explanation, artefacts) = artefacts(project, &printed);
    for part in [
        "memory scenario `orders` failed\n",
        "steps       2,000, extended to 32,000 for the verdict\n",
        "sites, by growth over 2,000 steps: +32,384 B in all, all of it explained\n",
        "  lib.rs:10\n",
    ] {
        assert!(
            explanation.contains(part),
            "{part} is missing in\n{printed}"
        );
    }
    assert!(!printed.contains("trades"), "{printed}");
    assert!(!printed.contains("types are not known"), "{printed}");
    let expected = "\
and what opens them:
  page   xdg-open [DIR]/target/highwater/repro/orders/index.html
  dhat   xdg-open https://nnethercote.github.io/dh_view/dh_view.html  # and load \
        [DIR]/target/highwater/repro/orders/dhat.json
  pprof  go tool pprof -http=: [DIR]/target/highwater/repro/orders/pprof.pb.gz
";
    assert!(artefacts.starts_with(expected), "{artefacts}");
    let folder = project.reports().join("repro/orders");
    let dhat = json(&folder.join("dhat.json"));
    assert_eq!(
        (&dhat["dhatFileVersion"], &dhat["te"]),
        (&2.into(), &2_000.into())
    );
    let live: u64 = dhat["pps"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|p| p["eb"].as_u64())
        .sum();
    assert_eq!(live, 32_384);
    let page = fs::read_to_string(folder.join("index.html")).expect("it is there");
    for part in [
        "<h1>Memory of orders</h1><p class=\"origin\"><span><b>orders</b></span><span>",
        "<code class=\"copy\">cargo highwater repro orders_are_bounded</code>",
        "<div class=\"view growth\">",
    ] {
        assert!(page.contains(part), "{part} is missing in\n{page}");
    }
    let left = fs::read_to_string(project.reports().join("a.json")).expect("it is there");
    assert_eq!(left, REPORT);
    assert!(!project.reports().join("orders.json").exists());
}

/// Though its test is called otherwise, if the last run had it.
fn a_scenario_is_found_by_its_own_name(project: &Project) {
    let said = project.refuse_with_output(&["repro", "trades"]);
    let nothing = "error: no test's name contains `trades`, or none that has a memory scenario, \
                   and no scenario of the last run is called that; `cargo highwater report` lists \
                   them\n";
    assert!(said.ends_with(nothing), "{said}");
    project.run(&["run"], 1);
    let said = project.refuse_with_output(&["repro", "tradse"]);
    let meant = "`cargo highwater report` lists them; did you mean `trades`?\n";
    assert!(said.ends_with(meant), "{said}");
    // It passes, and has call stacks all the same.
    let printed = project.run(&["repro", "trades"], 0);
    assert!(
        printed.starts_with("memory scenario `trades` passed\n"),
        "{printed}"
    );
    assert!(
        printed.contains("\nsites, by growth over 1,000 steps: "),
        "{printed}"
    );
    assert!(project.reports().join("repro/trades/dhat.json").exists());
}

#[test]
fn without_call_stacks_there_is_no_answer() {
    let project = Project::new();
    project.keep("8");
    let said = project.refuse_with_output(&["repro", "orders"]);
    let message = "error: the report of `orders` has no call stacks: they are taken on Linux and \
                   macOS, with the feature `diagnosis` of highwater, which is on by default, \
                   and unless HIGHWATER_SITES is `never`\n";
    assert!(said.ends_with(message), "{said}");
    assert!(!project.reports().join("repro").exists());
}

#[test]
fn steps_that_are_no_number_are_bad_usage() {
    let project = Project::new();
    let said = project.refuse(&["repro", "orders", "--steps", "many"]);
    let message = "error: invalid value 'many' for '--steps <N>': invalid digit found in string\n";
    assert!(said.starts_with(message), "{said}");
}
