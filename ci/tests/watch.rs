//! `cargo highwater watch`, with programs that wait for this test: nothing depends on how fast
//! anything is.

#![forbid(unsafe_code)]
#![cfg(target_os = "linux")]

mod support;

use cargo_highwater::exit_code::{FAILED, NO_ANSWER, PASSED};
use serde_json::Value;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStderr, ChildStdin, Command, Stdio};

/// The tool while it watches a program that waits for its input.
struct Watching {
    tool: Child,
    input: Option<ChildStdin>,
    lines: BufReader<ChildStderr>,
}

impl Watching {
    fn start(arguments: &[&str]) -> Self {
        let mut command = support::tool();
        command.arg("watch").args(arguments).stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut tool = command.spawn().expect("the tool starts");
        Self {
            input: tool.stdin.take(),
            lines: BufReader::new(tool.stderr.take().expect("it is piped")),
            tool,
        }
    }

    /// The next line that the tool prints.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("it prints text");
        line
    }

    /// Ends the program's input. Returns what else the tool prints, and its exit code.
    fn end(mut self) -> (String, u8) {
        drop(self.input.take());
        let mut rest = String::new();
        self.lines
            .read_to_string(&mut rest)
            .expect("it prints text");
        let code = self.tool.wait().expect("it ends").code();
        (
            rest,
            code.and_then(|code| u8::try_from(code).ok())
                .expect("no signal ended it"),
        )
    }
}

#[test]
fn a_program_that_rests_is_bounded() {
    let directory = tempfile::tempdir().expect("there is room");
    let json = directory.path().join("samples.jsonl");
    let json = json.to_str().expect("the path is text");
    let mut watching = Watching::start(&["--interval", "2ms", "--json", json, "--", "cat"]);
    assert!(watching.line().ends_with("memory is\n"));
    while !watching.line().ends_with("  bounded\n") {}
    let (end, code) = watching.end();
    assert_eq!(code, PASSED, "{end}");
    assert!(end.contains("memory: bounded over the last "), "{end}");
    assert!(
        end.ends_with("the command ended: exit status: 0\n"),
        "{end}"
    );
    let lines = fs::read_to_string(json).expect("the file is there");
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("each line is JSON"))
        .collect();
    assert!(lines.len() > 10, "{} samples", lines.len());
    assert!(lines[0]["resident_bytes"].as_u64() > Some(0));
    assert_eq!(lines[0]["state"], "settling");
    assert_eq!(lines[lines.len() - 1]["processes"], 1);
}

/// With each sample it keeps 100 kB more, so it does not matter how long that takes.
#[test]
fn a_program_that_keeps_more_and_more_grows() {
    let keeps = "s=x; while [ ${#s} -lt 100000 ]; do s=$s$s; done; n=0
        while read -r line; do n=$((n + 1)); eval \"kept$n=\\$s\"; done";
    let arguments = [
        "--interval",
        "2ms",
        "--limit",
        "60MB",
        "--",
        "sh",
        "-c",
        keeps,
    ];
    let mut watching = Watching::start(&arguments);
    let mut line = watching.line();
    while !line.starts_with("alert: memory: growing by ") {
        assert!(!line.is_empty(), "it ended");
        let input = watching.input.as_mut().expect("it is open");
        input.write_all(b"\n").expect("awk reads on");
        line = watching.line();
    }
    let (end, code) = watching.end();
    assert_eq!(code, FAILED, "{end}");
}

#[test]
fn a_program_above_the_limit_fails_and_what_it_exits_with_is_told() {
    let mut watching = Watching::start(&["--limit", "1KB", "--", "sh", "-c", "cat; exit 3"]);
    let alert = loop {
        let line = watching.line();
        if line.starts_with("alert: ") {
            break line;
        }
    };
    assert!(
        alert.ends_with("is above the limit of 1,000 B\n"),
        "{alert}"
    );
    let (end, code) = watching.end();
    assert!(
        end.ends_with("the command ended: exit status: 3\n"),
        "{end}"
    );
    assert_eq!(code, FAILED);
}

#[test]
fn a_watch_ends_when_its_time_is_over_and_the_command_with_it() {
    let arguments = ["--interval", "1ms", "--for", "5ms", "--", "cat"];
    let watching = Watching::start(&arguments);
    let mut watching = Watching {
        // Nobody ends its input.
        input: watching.input,
        ..watching
    };
    let mut text = String::new();
    watching
        .lines
        .read_to_string(&mut text)
        .expect("it prints text");
    let code = watching.tool.wait().expect("it ends").code();
    assert_eq!(code, Some(NO_ANSWER.into()), "{text}");
    let end = "the time was over, and the command was ended: signal: 15 (SIGTERM)\n";
    assert!(text.ends_with(end), "{text}");
}

#[test]
fn a_process_that_is_there_runs_on() {
    let mut cat = Command::new("cat")
        .stdin(Stdio::piped())
        .spawn()
        .expect("there is cat");
    let pid = cat.id().to_string();
    let arguments = ["--interval", "1ms", "--for", "60ms", "--pid", &pid];
    let (end, code) = Watching::start(&arguments).end();
    assert!(
        end.ends_with(&format!("the time was over; process {pid} runs on\n")),
        "{end}"
    );
    assert_eq!(code, PASSED, "{end}");
    drop(cat.stdin.take());
    assert!(cat.wait().expect("it ends").success());
    let (gone, code) = Watching::start(&["--pid", &pid]).end();
    let gone = gone.replace(&pid, "PID");
    let message = "error: nothing is known of process PID: the process does not exist any more\n";
    assert_eq!((gone.as_str(), code), (message, NO_ANSWER));
}

#[test]
fn bad_usage_has_no_answer() {
    let none = Watching::start(&["--", "no-such-program"]).end();
    let message = "error: `no-such-program` could not be started: ";
    assert!(none.0.starts_with(message), "{}", none.0);
    let wrong: [&[&str]; 3] = [
        &[],
        &["--pid", "1", "--", "cat"],
        &["--interval", "0s", "--", "cat"],
    ];
    for arguments in wrong {
        let (text, code) = Watching::start(arguments).end();
        assert_eq!(code, NO_ANSWER, "{text}");
    }
    assert_eq!(none.1, NO_ANSWER);
}
