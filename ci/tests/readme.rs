//! The README's code and that of docs/server.md, pasted as their reader would, and run.

#![forbid(unsafe_code)]

mod support;

use std::fs;
use std::path::Path;
use support::{Project, program, version};

/// The fenced blocks of a language, in their order.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let open = format!("```{language}\n");
    let blocks = text.split(&open).skip(1);
    let block = |rest: &'a str| rest.split_once("```").expect("its end").0;
    blocks.map(block).collect()
}

/// What `cargo test` printed, which must pass.
#[track_caller]
fn passes(project: &Project) -> String {
    let mut command = project.runs(program(env!("CARGO")));
    let output = command.arg("test").output().expect("it starts");
    let [printed, said] =
        [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
    assert!(output.status.success(), "{said}\n{printed}");
    assert!(!said.contains("warning"), "{said}");
    printed
}

#[test]
fn what_the_readme_shows_compiles_and_passes() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let readme = fs::read_to_string(workspace.join("README.md")).expect("it is there");
    let harness = workspace.join("harness").canonicalize();
    let harness = harness.expect("it is there").display().to_string();
    let readme = readme.replace("../highwater/harness", &harness);
    let (steps, rest) = readme.split_once("\n## Async\n").expect("the section");
    let [dependency] = blocks(steps, "toml")[..] else {
        panic!("one dependency");
    };
    let [allocator, test] = blocks(steps, "rust")[..] else {
        panic!("the allocator and a test");
    };

    // The three steps alone.
    let project = Project::empty();
    project.optimise_nothing();
    let package = format!(
        "[package]\nname = \"prices\"\nversion = \"{}\"\nedition = \"2024\"\n\n",
        version()
    );
    project.write("Cargo.toml", &(package.clone() + dependency));
    project.write("src/lib.rs", &format!("{allocator}\n{test}"));
    let printed = passes(&project);
    assert!(
        printed.contains("test prices_are_bounded ... ok"),
        "{printed}"
    );

    // The others, in a test file.
    let [dependencies] = blocks(rest, "toml")[..] else {
        panic!("the dependencies of async tests");
    };
    let server = fs::read_to_string(workspace.join("docs/server.md")).expect("it is there");
    let others = [blocks(rest, "rust"), blocks(&server, "rust")].concat();
    assert_eq!(others.len(), 2);
    let mut lines = dependency.lines();
    let first = lines.next().expect("the table");
    let profile: Vec<_> = lines
        .filter(|line| !line.starts_with("highwater"))
        .collect();
    let all = format!("{first}\n{dependencies}{}\n", profile.join("\n"));
    project.write("Cargo.toml", &(package + &all));
    project.write(
        "tests/memory.rs",
        &format!("{allocator}\n{}", others.join("\n")),
    );
    let printed = passes(&project);
    for test in ["tasks_keep_nothing", "requests_are_forgotten"] {
        let passed = format!("test {test} ... ok");
        assert!(printed.contains(&passed), "{passed} in\n{printed}");
    }
}
