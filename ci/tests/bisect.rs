//! `cargo highwater bisect`, in a repository with a history.

#![forbid(unsafe_code)]

mod support;

use support::Project;

/// Commits whose scenario keeps so many orders each; none of it compiles where there is no
/// number.
fn history(kept: &[&str]) -> Project {
    let project = Project::new();
    for kept in kept {
        project.keep(kept);
        project.commit(&format!("Keep {kept}"));
    }
    project
}

/// What was printed, without what is another each time.
fn without_hashes(printed: &str) -> String {
    let is_hash = |word: &&str| word.len() == 12 && word.bytes().all(|b| b.is_ascii_hexdigit());
    let mut text = printed.to_owned();
    for hash in printed.split_whitespace().filter(is_hash) {
        text = text.replace(hash, "[HASH]");
    }
    let day = |word: &&str| word.len() == 10 && word.matches('-').count() == 2;
    for day in printed.split_whitespace().filter(day) {
        text = text.replace(day, "[DAY]");
    }
    text
}

#[test]
fn the_first_commit_that_leaks_is_found_and_one_that_does_not_build_is_skipped() {
    let project = history(&["8", "8 ", "broken", "8  ", "usize::MAX", "usize::MAX "]);
    project.write("untracked", "");
    let printed = project.run(&["bisect", "orders", "--good", "HEAD~5"], 0);
    insta::assert_snapshot!(without_hashes(&printed));
    let arguments = ["bisect", "orders", "--good", "HEAD~5", "--bad", "HEAD~3"];
    let refused = project.refuse_with_output(&arguments);
    let last = refused.lines().last().unwrap_or_default();
    assert!(last.starts_with("error: the tests of commit "), "{refused}");
    // It leaves nothing behind.
    let mut git = project.runs(support::program("git"));
    let output = git.args(["worktree", "list"]).output();
    let output = output.expect("git starts");
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 1);
    assert!(project.path().join("untracked").exists());
}

#[test]
fn if_the_one_before_does_not_build_either_may_be_the_first() {
    let project = history(&["8", "broken", "16"]);
    let printed = project.run(&["bisect", "orders_are", "--good", "HEAD~2"], 0);
    insta::assert_snapshot!(without_hashes(&printed));
}

#[test]
fn ends_that_are_none() {
    let project = history(&["8", "16"]);
    for arguments in [
        &["bisect", "orders", "--good", "HEAD"][..],
        &["bisect", "orders", "--good", "HEAD", "--bad", "HEAD~1"],
        &["bisect", "orders", "--good", "nothing"],
        &["bisect", "trades", "--good", "HEAD~1"],
    ] {
        let refused = project.refuse(arguments);
        insta::assert_snapshot!(without_hashes(refused.lines().last().unwrap_or_default()));
    }
}

#[test]
fn what_differs_from_itself_has_no_first_commit() {
    let project = history(&["8", "16"]);
    let noise = r#"
#[test]
fn noise() {
    let bytes = std::process::id() as usize;
    highwater::Scenario::new("noise").steps(10).run(Vec::new, move |kept, _| {
        *kept = Vec::<u8>::with_capacity(bytes);
    });
}
"#;
    project.append(noise);
    project.commit("Add noise");
    project.append("// again");
    project.commit("Say more");
    let refused = project.refuse(&["bisect", "noise", "--good", "HEAD~1"]);
    assert!(
        refused.contains("`noise` is unsteady: two runs of commit "),
        "{refused}"
    );
}
