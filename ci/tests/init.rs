//! `cargo highwater init`, in projects of its own that are built afterwards.

#![forbid(unsafe_code)]

mod support;

use std::fs;
use std::process::Output;
use support::{Project, program, version};

const LIBRARY: &str = "\
//! A shop.

use std::fmt;

/// What is ordered.
pub struct Order(pub u64);

impl fmt::Display for Order {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    #[highwater::test(steps = 1_000, residue = \"0 B\")]
    fn orders_are_not_kept(i: u64) {
        assert_eq!(super::Order(i).to_string(), i.to_string());
    }
}
";

/// A package at the root of its repository, with this behind its name and version.
fn package(rest: &str) -> Project {
    let project = Project::empty();
    project.optimise_nothing();
    project.write("Cargo.toml", &manifest("shop", rest));
    project
}

fn manifest(name: &str, rest: &str) -> String {
    let version = version();
    format!(
        "[package]\nname = \"{name}\" # ours\nversion = \"{version}\"\nedition = \"2024\"\n{rest}"
    )
}

/// Without what differs from run to run.
fn plain(project: &Project, text: &str) -> String {
    let harness =
        concat!(env!("CARGO_MANIFEST_DIR"), "/harness").replace("/ci/harness", "/harness");
    let path = project.path().to_str().expect("a path in UTF-8");
    text.replace(path, "[DIR]").replace(&harness, "[HARNESS]")
}

fn read(project: &Project, file: &str) -> String {
    fs::read_to_string(project.path().join(file)).expect("it is there")
}

/// `cargo test`, as its user would.
fn tests(project: &Project, arguments: &[&str]) -> Output {
    let mut command = project.runs(program(env!("CARGO")));
    command.arg("test").args(arguments).env("NO_COLOR", "1");
    command.output().expect("it starts")
}

#[track_caller]
fn passes(project: &Project) {
    let output = tests(project, &[]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{}", printed(&output));
    assert!(!said.contains("warning"), "{said}");
}

fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_package_gets_what_it_needs_and_a_leak_is_found_at_its_line() {
    let project = package("\n# None yet.\n[dependencies]\n");
    project.write("src/lib.rs", LIBRARY);
    project.commit("before");

    // Nobody can be asked here, so nothing is done.
    let output = project.highwater(&["init"]);
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!("a-package", plain(&project, &printed(&output)));
    let said = String::from_utf8_lossy(&output.stderr);
    let hint =
        "error: nothing was changed, for nobody can be asked here; say --yes to have it done";
    assert_eq!(said.trim_end(), hint);
    assert_eq!(read(&project, "src/lib.rs"), LIBRARY);

    let done = project.run(&["init", "--yes"], 0);
    let undo = "done; to undo it: git checkout -- Cargo.toml src/lib.rs && rm tests/memory.rs\n";
    assert!(done.contains(undo), "{done}");
    assert!(read(&project, "Cargo.toml").contains("name = \"shop\" # ours\n"));
    passes(&project);
    assert_eq!(project.run(&["init"], 0), "nothing to do for shop\n");

    // The sample says how to have it fail.
    let sample = read(&project, "tests/memory.rs");
    let leak = sample.replace("self.0.len() > 100", "self.0.len() > usize::MAX - 1");
    project.write("tests/memory.rs", &leak);
    let line = leak.lines().position(|line| line.contains("push_back"));
    let line = line.expect("the sample pushes") + 1;
    let output = tests(&project, &["--test", "memory"]);
    let printed = printed(&output);
    assert_eq!(output.status.code(), Some(101), "{printed}");
    let failure = printed.split("memory leak in `").nth(1);
    let failure = failure.unwrap_or_else(|| panic!("{printed}"));
    if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        let place = format!("tests/memory.rs:{line}");
        let first: Vec<_> = failure.lines().take(3).collect();
        assert!(first.concat().contains(&place), "{place} in\n{printed}");
    }
}

#[test]
fn a_member_of_a_workspace_inherits_and_the_profile_is_the_roots() {
    let project = Project::empty();
    project.optimise_nothing();
    let root = "[workspace]\nresolver = \"3\"\nmembers = [\"engine\", \"tools\"]\n";
    project.write("Cargo.toml", root);
    project.write(
        "engine/Cargo.toml",
        &manifest("engine", "autotests = false\n"),
    );
    project.write("engine/src/lib.rs", "");
    project.write("tools/Cargo.toml", &manifest("tools", ""));
    project.write("tools/src/main.rs", "fn main() {}\n");

    insta::assert_snapshot!("virtual-root", project.refuse(&["init", "--yes"]));
    insta::assert_snapshot!(
        "no-member",
        project.refuse(&["init", "--yes", "-p", "motor"])
    );
    project.run(&["init", "--yes", "-p", "engine"], 0);
    assert!(read(&project, "Cargo.toml").starts_with(root));
    let profile = "\n[profile.dev.package.highwater]\nopt-level = 3\n\
                   \n[profile.dev.package.backtrace]\nopt-level = 3\n";
    assert!(read(&project, "Cargo.toml").ends_with(profile));
    assert!(read(&project, "engine/Cargo.toml").contains("[[test]]\nname = \"memory\"\n"));

    // The dependency of the first one is made the workspace's.
    let own = read(&project, "engine/Cargo.toml");
    let (_, dependency) = own.split_once("highwater = ").expect("the dependency");
    let dependency = dependency.lines().next().expect("its line");
    let shared = format!("\n[workspace.dependencies]\nhighwater = {dependency}\n");
    project.write("Cargo.toml", &(read(&project, "Cargo.toml") + &shared));

    // The package of the directory; it has no library.
    let mut command = project.command(&["init", "--yes"]);
    let output = command.current_dir(project.path().join("tools")).output();
    let output = output.expect("it starts");
    let text = plain(&project, &printed(&output));
    insta::assert_snapshot!(
        "a-binary",
        text.lines().take(8).collect::<Vec<_>>().join("\n")
    );
    assert!(!read(&project, "tools/src/main.rs").contains("highwater"));
    passes(&project);
    assert_eq!(
        project.run(&["init", "-p", "tools"], 0),
        "nothing to do for tools\n"
    );
}

#[test]
fn an_allocator_that_is_there_is_kept_and_how_to_wrap_it_is_shown() {
    let project = package("");
    let allocator =
        "#[global_allocator]\nstatic GLOBAL: std::alloc::System = std::alloc::System;\n";
    project.write("src/lib.rs", allocator);
    let done = plain(&project, &project.run(&["init", "--yes"], 0));
    insta::assert_snapshot!("an-allocator", done);
    assert_eq!(read(&project, "src/lib.rs"), allocator);

    // What is shown works.
    let (_, shown) = done.split_once("behind it\n\n").expect("the allocator");
    let (wrapped, rest) = shown.split_once("\n\n").expect("its end");
    let (_, sample) = rest.split_once("library:\n\n").expect("the sample");
    let (sample, _) = sample.split_once("\ndone; ").expect("its end");
    let library = format!(
        "#[cfg(not(test))]\n{allocator}{wrapped}\n#[cfg(test)]\nmod tests {{\n{sample}\n}}\n"
    );
    project.write("src/lib.rs", &library);
    passes(&project);
    assert_eq!(project.run(&["init"], 0), "nothing to do for shop\n");
}

#[test]
fn a_package_with_tokio_gets_an_async_test_and_a_workflow_where_it_is_asked_for() {
    let tokio = "[dependencies]\ntokio = { version = \"1\", features = [\"rt\"] }\n";
    let project = package(tokio);
    project.write("src/lib.rs", "");
    let done = project.run(&["init", "--yes", "--workflow"], 0);
    assert!(
        done.contains(".github/workflows/memory.yml: new, "),
        "{done}"
    );
    assert!(read(&project, "Cargo.toml").contains("features = [\"tokio\"] }"));
    assert!(read(&project, "tests/memory.rs").contains("async fn tasks_keep_nothing"));
    assert!(read(&project, ".github/workflows/memory.yml").contains("cargo highwater gate"));
    let again = project.run(&["init", "--workflow"], 0);
    assert_eq!(again, "nothing to do for shop\n");

    // With the baselines, the tests are run.
    let done = project.run(&["init", "--yes", "--baselines"], 0);
    assert!(done.contains("tasks_keep_nothing\n"), "{done}");
    assert!(project.path().join("memory-baselines").is_dir());
    let again = project.run(&["init", "--baselines"], 0);
    assert_eq!(again, "nothing to do for shop\n");
}

#[test]
fn what_cannot_be_added_to_is_said_and_nothing_is_changed() {
    let project = package("");
    project.write("src/lib.rs", "fn (");
    let manifest = read(&project, "Cargo.toml");
    insta::assert_snapshot!("not-rust", project.refuse(&["init", "--yes"]));
    project.write("src/lib.rs", "");
    project.write("tests", "no folder");
    insta::assert_snapshot!(
        "not-a-folder",
        project.refuse_with_output(&["init", "--yes"])
    );
    assert_eq!(read(&project, "Cargo.toml"), manifest);
    assert_eq!(read(&project, "src/lib.rs"), "");
}
