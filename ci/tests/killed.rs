//! Runs that are killed at random moments: nothing of the user's is changed, nothing is written by
//! half, and the next run is right.
//!
//! A moment is a line that the tool prints, and a part of the time that a whole run took from
//! there to its next line. So a short phase, such as the checkout of a base, is hit as often as a
//! build. The lines and parts come from a fixed seed. Every other time the tool alone is killed,
//! and what it started goes on.

#![forbid(unsafe_code)]

mod support;

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};
use support::Project;

/// What a second scenario adds, so that there are two baselines.
const TRADES: &str = r#"
#[test]
fn trades_are_bounded() {
    highwater::Scenario::new("trades").steps(100).run(
        || Vec::<u8>::with_capacity(1_000 * KEPT),
        |_, i| drop(std::hint::black_box(Box::new(i))),
    );
}
"#;

/// Files with their contents, by their paths.
type Files = BTreeMap<PathBuf, Vec<u8>>;

/// Those below `directory`, without what is below `not`.
fn files(directory: &Path, not: &[PathBuf]) -> Files {
    let mut files = Files::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let path = entry.path();
            if not.contains(&path) {
            } else if path.is_dir() {
                directories.push(path);
            } else if let Ok(bytes) = fs::read(&path) {
                // What goes on may remove its files meanwhile.
                files.insert(path, bytes);
            }
        }
    }
    files
}

/// A number below `end` that is the same in every run of this test.
fn drawn(from: impl std::hash::Hash, end: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    ("moments", from).hash(&mut hasher);
    let end = u64::try_from(end).expect("it is small");
    usize::try_from(hasher.finish() % end).expect("it is small")
}

/// A project, and a command in it that is killed.
struct Killed {
    project: Project,
    arguments: Vec<String>,
    /// What the command ends with if it is left alone.
    code: i32,
    /// What makes the project ready for it.
    before: Box<dyn Fn(&Project)>,
    /// The time from its start to its first line, from each line to the next, and from the last
    /// to its end.
    gaps: Vec<Duration>,
    /// What must stay as it is.
    users: Files,
    /// Where the tool writes.
    written: Vec<PathBuf>,
    /// How often it was hit after each line.
    hits: Vec<usize>,
}

impl Killed {
    /// The command left alone twice: the second time all is built, as it is from then on.
    /// Besides into `target`, it may write into `written`.
    fn new(
        project: Project,
        before: impl Fn(&Project) + 'static,
        arguments: &[&str],
        code: i32,
        written: &[&str],
    ) -> Self {
        let paths = ["target", ".git/worktrees"].iter().chain(written);
        let mut killed = Self {
            written: paths.map(|path| project.path().join(path)).collect(),
            arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
            project,
            code,
            before: Box::new(before),
            gaps: Vec::new(),
            users: Files::new(),
            hits: Vec::new(),
        };
        (killed.before)(&killed.project);
        killed.left_alone();
        (killed.before)(&killed.project);
        let started = Instant::now();
        let (mut child, lines) = killed.starts();
        let mut times: Vec<_> = std::iter::once(started).chain(&lines).collect();
        child.wait().expect("it ends");
        times.push(Instant::now());
        let gaps = times.windows(2).map(|pair| pair[1] - pair[0]);
        killed.gaps = gaps.collect();
        killed.hits = vec![0; killed.gaps.len()];
        killed.users = files(killed.project.path(), &killed.written);
        killed
    }

    fn left_alone(&self) -> String {
        let arguments: Vec<_> = self.arguments.iter().map(String::as_str).collect();
        self.project.run(&arguments, self.code)
    }

    /// Starts it in a group of its own. When it prints its lines.
    fn starts(&self) -> (Child, Receiver<Instant>) {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        let mut command = self.project.runs(support::tool());
        let child = command
            .args(&self.arguments)
            .process_group(0)
            .stdout(writer.try_clone().expect("another end"))
            .stderr(writer)
            .spawn()
            .expect("it starts");
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            let mut reader = BufReader::new(reader);
            let mut line = Vec::new();
            while matches!(reader.read_until(b'\n', &mut line), Ok(1..)) {
                if sender.send(Instant::now()).is_err() {
                    break;
                }
                line.clear();
            }
            // Nobody is kept from printing.
            let _ = reader.read_to_end(&mut Vec::new());
        });
        (child, lines)
    }

    /// Kills it at the moment with this number; whether that came before its end.
    fn kill(&mut self, number: usize) -> bool {
        let line = drawn((number, "line"), self.gaps.len());
        let thousandths = u32::try_from(drawn((number, "part"), 1_000)).expect("it is small");
        let part = self.gaps[line] * thousandths / 1_000;
        let (mut child, lines) = self.starts();
        for _ in 0..line {
            let _ = lines.recv();
        }
        // Whatever it prints meanwhile.
        let moment = Instant::now() + part;
        while lines
            .recv_timeout(moment.saturating_duration_since(Instant::now()))
            .is_ok()
        {}
        if number.is_multiple_of(2) {
            child.kill().expect("it was started");
        } else {
            let group = format!("-{}", child.id());
            let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        }
        let status = child.wait().expect("it ends");
        let was_killed = status.signal().is_some();
        self.hits[line] += usize::from(was_killed);
        was_killed
    }

    /// Kills it so often. Each time it is looked at what is left, and at what the next run
    /// prints.
    fn times(mut self, kills: usize, left: impl Fn(&Project), next: impl Fn(&Project, String)) {
        let mut number = 0;
        let mut killed = 0;
        while killed < kills {
            number += 1;
            assert!(
                number < 3 * kills,
                "only {killed} were killed before their end"
            );
            (self.before)(&self.project);
            if !self.kill(number) {
                continue;
            }
            killed += 1;
            self.users_files_are_the_same(number);
            what_is_written_is_whole(&self.project);
            left(&self.project);
            next(&self.project, self.left_alone());
            self.users_files_are_the_same(number);
            let worktrees = files(&self.project.path().join(".git/worktrees"), &[]);
            assert!(worktrees.is_empty(), "moment {number}: {worktrees:?}");
        }
        let whole: Duration = self.gaps.iter().sum();
        println!(
            "{}: {kills} of {number} killed before their end, in a run of {whole:.1?}; after each \
             line: {:?}",
            self.arguments[0], self.hits
        );
    }

    #[track_caller]
    fn users_files_are_the_same(&self, number: usize) {
        let now = files(self.project.path(), &self.written);
        for path in now.keys().chain(self.users.keys()) {
            let (now, before) = (now.get(path), self.users.get(path));
            assert!(now == before, "moment {number}: {}", path.display());
        }
    }
}

/// Each report is.
fn what_is_written_is_whole(project: &Project) {
    for (path, bytes) in files(&project.reports(), &[]) {
        if path.extension().is_some_and(|end| end == "json") {
            let json: Result<Value, _> = serde_json::from_slice(&bytes);
            assert!(json.is_ok(), "{}", path.display());
        }
    }
}

/// Keeps so many of each.
fn keep(project: &Project, kept: &str) {
    project.keep(kept);
    project.append(&TRADES.replace("KEPT", kept));
}

/// Makes cargo build, and git doubt what it knows of files that are as they were.
fn touch(project: &Project) {
    for file in ["lib.rs", ".gitignore"] {
        let path = project.path().join(file);
        let same = fs::read(&path).expect("it is there");
        fs::write(&path, same).expect("it is ours");
    }
}

#[test]
#[ignore = "takes half an hour: ci/nightly.sh"]
fn a_gate_that_is_killed_leaves_all_as_it_was() {
    let project = Project::new();
    keep(&project, "8");
    project.commit("eight");
    keep(&project, "16");
    let [json, comment] = ["outcome.json", "comment.md"].map(|name| project.target().join(name));
    let [json_path, comment_path] = [&json, &comment].map(|path| path.to_str().expect("UTF-8"));
    let asked = ["gate", "--base", "HEAD"];
    let outputs = ["--json", json_path, "--markdown", comment_path];
    let arguments = [&asked[..], &outputs].concat();
    let expected = project.run(&arguments, 1);
    assert!(expected.contains("2 regressions, 0 same"), "{expected}");
    let texts = || [&json, &comment].map(|path| fs::read_to_string(path).expect("a run wrote it"));
    let whole = texts();
    Killed::new(project, touch, &arguments, 1, &[]).times(
        100,
        |_| assert_eq!(texts(), whole),
        |_, printed| {
            assert_eq!(printed, expected);
            assert_eq!(texts(), whole);
        },
    );
}

#[test]
#[ignore = "takes minutes: ci/nightly.sh"]
fn a_bless_that_is_killed_leaves_whole_baselines() {
    let all = |project: &Project| files(&project.path().join("memory-baselines"), &[]);
    let project = Project::new();
    keep(&project, "8");
    project.run(&["run"], 0);
    project.run(&["bless"], 0);
    let old = all(&project);
    assert_eq!(old.len(), 2);
    keep(&project, "16");
    project.run(&["run"], 0);
    project.run(&["bless"], 0);
    let new = all(&project);
    assert!(old.keys().eq(new.keys()) && old.iter().all(|(path, text)| new[path] != *text));
    let before = old.clone();
    // What was measured for a bless is not measured again for the next.
    let as_before = move |project: &Project| {
        for (path, text) in &before {
            fs::write(path, text).expect("it is ours");
        }
        project.run(&["run"], 0);
    };
    let killed = Killed::new(project, as_before, &["bless"], 0, &["memory-baselines"]);
    killed.times(
        20,
        |project| {
            for (path, text) in all(project) {
                let is_unfinished = path.extension().is_some_and(|end| end == "highwater-tmp");
                let is_whole = || [old.get(&path), new.get(&path)].contains(&Some(&text));
                assert!(is_unfinished || is_whole(), "{}", path.display());
            }
        },
        |project, _| assert!(all(project) == new),
    );
}

#[test]
#[ignore = "takes minutes: ci/nightly.sh"]
fn a_bisect_that_is_killed_leaves_all_as_it_was() {
    let project = Project::new();
    for kept in ["8", "8 ", "16"] {
        keep(&project, kept);
        project.commit(kept);
    }
    let arguments = ["bisect", "orders", "--good", "HEAD~2"];
    let expected = project.run(&arguments, 0);
    Killed::new(project, touch, &arguments, 0, &[]).times(
        20,
        |_| {},
        |_, printed| assert_eq!(printed, expected),
    );
}
