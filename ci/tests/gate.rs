//! Two revisions of a project in a repository of its own, measured beside each
//! other.

#![forbid(unsafe_code)]

mod support;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use support::Project;

/// A project whose first commit keeps eight orders.
fn committed() -> Project {
    let project = Project::new();
    project.keep("8");
    project.commit("eight orders");
    project
}

/// The base is checked out elsewhere, so it is said before anything is built.
#[test]
fn a_dependency_that_leaves_the_repository_is_refused_with_its_remedy() {
    let project = committed();
    project.share_no_base();
    let manifest = fs::read_to_string(project.path().join("Cargo.toml")).expect("it is there");
    project.write(
        "Cargo.toml",
        &manifest.replace("path = '/", "path = '../../../../../../../"),
    );
    let said = project.refuse(&["gate", "--base", "HEAD"]);
    let begin = "error: the base would not build: it is checked out in another place, from where \
                 a relative path that leaves the repository leads nowhere\n  Cargo.toml: highwater \
                 = ../../../";
    assert!(said.starts_with(begin), "{said}");
    assert!(
        said.contains("\nwrite an absolute path, or depend on"),
        "{said}"
    );
    // The base has it too until the remedy is committed.
    project.commit("by a relative path");
    project.write("Cargo.toml", &manifest);
    assert_eq!(
        project
            .refuse_with_output(&["gate", "--base", "HEAD"])
            .matches(begin)
            .count(),
        1
    );
    for built in ["debug", "highwater-base"] {
        assert!(!project.target().join(built).exists(), "{built}");
    }
}

#[test]
fn from_the_same_code_to_an_improvement_that_is_recorded() {
    let project = committed();
    let printed = project.run(&["gate", "--base", "HEAD"], 0);
    assert!(
        printed.starts_with("1 same, compared with HEAD ("),
        "{printed}"
    );

    // A leak is refused, and the comment has its name and its numbers.
    project.keep("usize::MAX");
    project.commit("all orders");
    let comment = project.path().join("target/comment.md");
    let file = comment.to_str().expect("a path in UTF-8");
    project.run(&["gate", "--base", "HEAD^", "--markdown", file], 1);
    let comment = fs::read_to_string(&comment).expect("it was written");
    for part in [
        "**Memory** ❌ `orders` now leaks at `lib.rs:7`\n\n1 failed, 0 same, compared with `HEAD^`",
        "| 🔴 failed | `orders`<br>`lib.rs:7` |",
        "**`verdict bounded → growing`**",
        "**`growth 64 B → 16,192 B (+16,128 B, ×253)`**",
    ] {
        assert!(comment.contains(part), "{part} is missing in\n{comment}");
    }

    // With baselines, what is less must be recorded.
    project.keep("8");
    project.run(&["run"], 0);
    the_page_says_what_was_measured(&project);
    project.run(&["bless"], 0);
    project.commit("eight orders again, recorded");
    project.keep("4");
    let printed = project.run(&["gate", "--base", "HEAD"], 3);
    assert!(printed.contains("1 improvement, 0 same"), "{printed}");
    project.run(&["bless"], 0);
    let printed = project.run(&["gate", "--base", "HEAD"], 0);
    assert!(printed.contains("1 improvement, 0 same"), "{printed}");
    project.commit("four orders, recorded");

    // What is more on purpose is recorded too, where a reviewer sees it.
    project.keep("16");
    project.run(&["gate", "--base", "HEAD"], 1);
    project.run(&["bless"], 0);
    let printed = project.run(&["gate", "--base", "HEAD"], 0);
    assert!(printed.contains("1 accepted, 0 same"), "{printed}");

    // Another name for the same.
    project.commit("sixteen orders");
    let path = project.path().join("lib.rs");
    let source = fs::read_to_string(&path).expect("it is there");
    project.write("lib.rs", &source.replace("\"orders\"", "\"kept-orders\""));
    let printed = project.run(&["gate", "--base", "HEAD"], 3);
    let renamed = "has the figures of `orders`, which is gone: renamed?";
    assert!(printed.contains(renamed), "{printed}");
    project.run(&["bless", "--gone"], 0);
    let printed = with_the_script(&project, &["HEAD"]);
    assert!(
        printed.contains("1 gone, 1 new, 0 same, compared with"),
        "{printed}"
    );
    assert!(project.path().join("memory/index.html").exists());
    assert_eq!(
        with_the_script(&project, &[]).lines().rev().nth(1),
        Some("1 same")
    );
}

/// As far as it is known: not of a report that was written without the tool.
fn the_page_says_what_was_measured(project: &Project) {
    let page = || {
        project.run(&["view"], 0);
        fs::read_to_string(project.reports().join("index.html")).expect("a page")
    };
    let first = page();
    for part in [
        "<p class=\"origin\"><span><b>orders</b></span><span>commit <code>",
        "</code> and changes that are not committed</span><span>rustc-",
        "</span><span>debug, ",
        " UTC</span></p>",
    ] {
        assert!(first.contains(part), "{part} is missing in\n{first}");
    }
    let report = project.reports().join("orders.json");
    let text = fs::read(&report).expect("a report");
    fs::write(&report, text).expect("the same");
    let origin = "<p class=\"origin\"><span><b>orders</b></span><span>debug, ";
    assert!(page().contains(origin));
}

/// What the script for any CI system prints; it must exit with 0.
fn with_the_script(project: &Project, arguments: &[&str]) -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/workflows/memory.sh");
    let tool = Path::new(env!("CARGO_BIN_EXE_cargo-highwater")).parent();
    let mut path = tool.expect("a directory").as_os_str().to_owned();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    let output = project
        .runs(support::program("sh"))
        .arg(script)
        .args(arguments)
        .env("PATH", path)
        .output()
        .expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn bases_that_have_no_answer() {
    let project = committed();
    project.git(&["switch", "--quiet", "--create", "aside"]);
    project.keep("4");
    project.commit("four orders");
    project.git(&["switch", "--quiet", "main"]);
    project.write("lib.rs", "does not build");
    project.commit("broken");
    project.keep("8");
    project.commit("mended");

    let said = project.refuse(&["gate", "--base", "HEAD^"]);
    let last = said.lines().last().expect("an error");
    assert!(
        last.starts_with("error: the tests of the base `HEAD^` were not run"),
        "{said}"
    );
    let known = fs::read_dir(project.reports()).map_or(0, Iterator::count);
    let said = project.refuse(&["gate", "--base", "v1.0"]);
    let left = fs::read_dir(project.reports()).map_or(0, Iterator::count);
    assert_eq!(left, known, "the last run's reports are still there");
    let expected = "\
error: the base `v1.0` is no commit of this repository; if it was cloned shallowly, fetch it \
first: git fetch --deepen=1000 origin
";
    assert_eq!(said, expected);
    let said = project.refuse(&["gate", "--base", "aside"]);
    let last = said.lines().last().expect("an error");
    assert!(
        last.starts_with("error: the base `aside` is not an ancestor"),
        "{said}"
    );
    let printed = project.run(&["gate", "--base", "aside", "--any-base"], 1);
    assert!(printed.contains("1 regression, 0 same"), "{printed}");
    // What was measured can be looked at again.
    project.run(&["check", "--base"], 1);
}

/// Starts a gate, and sends it and its children a signal when the base is being compiled.
fn interrupted(project: &Project, signal: &str) {
    let mut child = project
        .runs(support::interruptible_tool())
        .args(["gate", "--base", "HEAD"])
        .process_group(0)
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let said = BufReader::new(child.stderr.take().expect("a pipe"));
    let reached = said
        .lines()
        .map_while(Result::ok)
        .any(|line| line.contains("Compiling orders"));
    assert!(reached, "the base was not compiled");
    let group = format!("-{}", child.id());
    let kill = Command::new("kill").args([signal, "--", &group]).status();
    assert!(kill.expect("it starts").success());
    let status = child.wait().expect("it ends");
    assert!(status.signal().is_some(), "{status}");
}

/// What git knows of this repository's worktrees.
fn worktrees(project: &Project) -> usize {
    let output = support::program("git")
        .args(["worktree", "list"])
        .current_dir(project.path())
        .output()
        .expect("git starts");
    String::from_utf8_lossy(&output.stdout).lines().count()
}

#[test]
fn what_an_interrupted_gate_leaves_the_next_one_removes() {
    let project = committed();
    for signal in ["-INT", "-KILL"] {
        interrupted(&project, signal);
        assert_eq!(worktrees(&project), 2);
    }
    project.run(&["gate", "--base", "HEAD"], 0);
    assert_eq!(worktrees(&project), 1);
}

#[test]
fn on_github_the_code_is_annotated_and_the_job_has_a_summary() {
    let project = committed();
    project.write("target/highwater/a.json", support::REPORT);
    project.write("target/summary.md", "what was there before\n");
    project.write("memory-baselines/README.md", "Kept since today.\n");
    let said = project.refuse(&["check", "--base"]);
    let expected = "\
error: no base was measured; do that with `cargo highwater run --base <REVISION>`, or all at once \
with `cargo highwater gate --base <REVISION>`
";
    assert_eq!(said, expected);
    let output = project
        .command(&["check"])
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_STEP_SUMMARY", project.target().join("summary.md"))
        .output()
        .expect("it starts");
    let printed = String::from_utf8_lossy(&output.stdout);
    let annotation = "\n::warning file=tests/memory.rs,line=12,title=last-hundred%3A new::";
    assert!(printed.contains(annotation), "{printed}");
    let summary = fs::read_to_string(project.target().join("summary.md")).expect("it is there");
    assert!(
        summary.starts_with(
            "what was there before\n**Memory** ❌ `last-hundred` is new at `tests/memory.rs:12`\n"
        ),
        "{summary}"
    );
    // Between its own commands, nothing that is printed is one.
    let token = printed
        .strip_prefix("::stop-commands::")
        .and_then(|rest| rest.lines().next());
    let token = token.expect("commands are stopped");
    let commands = format!("\n::{token}::{annotation}");
    assert!(printed.contains(&commands), "{printed}");
    assert!(printed.ends_with(&format!("\n::{token}::\n")), "{printed}");
}

/// What a change says of itself holds for what it adds alone.
#[test]
fn a_change_cannot_raise_the_tolerance_that_it_is_judged_by() {
    let project = committed();
    let config = "[gate]\nblocks = ['peak']\n\n\
                  [scenario.orders]\ntolerance = { growth = '1 MB', peak = '1 MB', reason = 'r' }\n";
    project.write("highwater.toml", config);
    project.keep("16");
    let printed = project.run(&["gate", "--base", "HEAD"], 1);
    let note = "note: highwater.toml says of what blocks, `orders` something else than the base's";
    assert!(printed.contains(note), "{printed}");
    assert!(printed.contains("1 regression"), "{printed}");
    // The same from what is left of it.
    assert_eq!(project.run(&["check", "--base"], 1), printed);
}

/// Where cargo's home is in the project, the base must not be there too. But cargo's
/// home has a configuration for all, and that it is the project's must be said.
#[test]
fn the_base_is_outside_of_the_project() {
    let project = committed();
    project.share_no_base();
    let registry = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let registry = registry.or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    let registry = registry.expect("a home").join("registry");
    let home = project.path().join(".cargo");
    project.write(".cargo/config.toml", "");
    std::os::unix::fs::symlink(registry, home.join("registry")).expect("a link");
    let output = project
        .command(&["gate", "--base", "HEAD"])
        .env("CARGO_HOME", &home)
        .output()
        .expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let note = format!(
        "highwater: CARGO_HOME is in the project: {} is the base's configuration too\n",
        home.join("config.toml").display()
    );
    assert!(said.contains(&note), "{said}");
    assert!(!home.join("highwater").exists());
    let first = format!(
        "highwater: measuring the base HEAD\nhighwater: it is built for the first time, all \
         dependencies with it, in {}; the next gate builds what changed\n",
        project.base_target().display()
    );
    assert!(said.contains(&first), "{said}");
}

#[test]
fn another_build_is_compared_and_said_to_be_one() {
    let project = committed();
    let manifest = fs::read_to_string(project.path().join("Cargo.toml")).expect("it is there");
    let release = "[profile.dev]\ndebug-assertions = false\n";
    project.write("Cargo.toml", &format!("{manifest}{release}"));
    project.keep("64");
    let printed = project.run(&["gate", "--base", "HEAD"], 1);
    assert!(printed.contains("1 regression, 0 same"), "{printed}");
    let note = "note: the base is another build (x86_64-linux-gnu, debug, allocator System) than \
                this (x86_64-linux-gnu, release, allocator System)\n";
    assert!(printed.contains(note), "{printed}");
}

#[test]
fn worktrees_of_others_are_left_alone() {
    let project = committed();
    let elsewhere = tempfile::tempdir().expect("a temporary directory");
    let [here, away] = ["here", "away"].map(|name| elsewhere.path().join(name));
    let path = here.to_str().expect("a path in UTF-8");
    project.git(&["worktree", "add", "--quiet", path, "-b", "feature"]);
    fs::rename(&here, &away).expect("it can be moved");
    // A hook of theirs is not for our checkout.
    project.write(".git/hooks/post-checkout", "#!/bin/sh\nexit 1\n");
    let hook = project.path().join(".git/hooks/post-checkout");
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).expect("it is ours");
    project.run(&["gate", "--base", "HEAD"], 0);
    fs::rename(&away, &here).expect("it can be moved");
    let status = support::program("git")
        .arg("status")
        .current_dir(&here)
        .output();
    assert!(status.expect("git starts").status.success());
}

#[test]
fn a_test_that_asserts_what_may_fail_is_named() {
    let project = committed();
    project.keep("usize::MAX");
    project.write(
        "highwater.toml",
        "[scenario.orders]\nexpect-failure = \"known\"\n",
    );
    project.commit("a known leak");
    let printed = project.run(&["gate", "--base", "HEAD"], 1);
    let note = "note: the tests failed; if that is since one asserts `orders`, which highwater.toml \
                lets fail, that test must expect the panic too: #[should_panic]\n";
    assert!(printed.contains(note), "{printed}");
}

#[test]
fn outside_of_a_repository() {
    let project = Project::new();
    project.keep("8");
    fs::remove_dir_all(project.path().join(".git")).expect("it is there");
    let said = project.refuse(&["gate", "--base", "HEAD"]);
    assert!(
        said.contains("error: git rev-parse --show-toplevel failed: fatal: not a git"),
        "{said}"
    );
}

/// Hooks of the user's, submodules, a space at the end of the path, and a configuration above it.
#[test]
#[cfg(unix)]
fn a_repository_that_is_out_of_the_ordinary_is_left_as_it_was() {
    use std::os::unix::fs::PermissionsExt as _;

    let project = Project::below("ends in a space ");
    project.write_manifest();
    project.keep("8");
    let around = project.directory();
    let hook = around.join("hooks/post-checkout");
    fs::create_dir(around.join("hooks")).expect("it is new");
    fs::write(&hook, "#!/bin/sh\ntouch \"$(dirname \"$0\")\"/ran\n").expect("it is new");
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).expect("it is ours");
    fs::create_dir(around.join(".cargo")).expect("it is new");
    fs::write(around.join(".cargo/config.toml"), "[env]\nABOVE = '1'\n").expect("it is new");
    let module = Project::empty();
    module.write("text", "a module's");
    module.commit("Add a text");
    let module = module.path().to_str().expect("a path in UTF-8");
    let allowed = ["-c", "protocol.file.allow=always", "submodule"];
    project.git(&[&allowed[..], &["--quiet", "add", module, "module"]].concat());
    project.commit("Add a module");
    let hooks = around.join("hooks");
    project.git(&["config", "core.hooksPath", hooks.to_str().expect("UTF-8")]);
    let configuration = || fs::read(project.path().join(".git/config")).expect("it is there");
    // With the module, and as one who never initialised it.
    for deinit in [false, true] {
        if deinit {
            project.git(&["submodule", "--quiet", "deinit", "--force", "module"]);
        }
        let before = configuration();
        let mut command = project.command(&["gate", "--base", "HEAD"]);
        command
            .env("GIT_CONFIG_COUNT", "1")
            .env("GIT_CONFIG_KEY_0", "protocol.file.allow")
            .env("GIT_CONFIG_VALUE_0", "always");
        let output = command.output().expect("it starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{said}");
        let named = ".cargo/config.toml is cargo's configuration for what is checked out, and not";
        assert!(said.contains(named), "{said}");
        assert_eq!(configuration(), before);
        assert!(!hooks.join("ran").exists());
    }
    assert_eq!(worktrees(&project), 1);
}
