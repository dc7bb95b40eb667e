//! `cargo highwater watch`, with programs that wait for this test: nothing depends on how fast
//! anything is.

#![forbid(unsafe_code)]
#![cfg(target_os = "linux")]

mod support;

use cargo_highwater::exit_code::{FAILED, NO_ANSWER, PASSED};
use highwater_monitor::Sample;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
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
        let mut command = support::interruptible_tool();
        command.arg("watch").args(arguments);
        Self::of(command)
    }

    fn of(mut command: Command) -> Self {
        command.stdin(Stdio::piped());
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

    /// The next line that is like this. It fails if the tool ends before.
    fn line_like(&mut self, is_it: impl Fn(&str) -> bool) -> String {
        let mut seen = String::new();
        loop {
            let line = self.line();
            assert!(!line.is_empty(), "the tool ended: {seen}");
            if is_it(&line) {
                return line;
            }
            seen += &line;
        }
    }

    /// Sends the tool a signal.
    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.tool.id()).expect("numbers of processes are small");
        kill(Pid::from_raw(pid), signal).expect("the tool is there");
    }

    /// Ends the program's input. Returns what else the tool prints, and its exit code.
    fn end(mut self) -> (String, u8) {
        drop(self.input.take());
        self.rest()
    }

    /// What else the tool prints while nobody ends the program's input, and its exit code.
    fn rest(mut self) -> (String, u8) {
        let mut rest = String::new();
        self.lines
            .read_to_string(&mut rest)
            .expect("it prints text");
        let code = self.tool.wait().expect("it ends").code();
        let code = code.and_then(|code| u8::try_from(code).ok());
        (rest, code.expect("no signal ended it"))
    }
}

#[test]
fn a_program_that_rests_is_bounded() {
    let directory = tempfile::tempdir().expect("there is room");
    let json = directory.path().join("samples.jsonl");
    let json = json.to_str().expect("the path is text");
    let mut watching = Watching::start(&["--interval", "2ms", "--json", json, "--", "cat"]);
    assert!(watching.line().ends_with("memory is\n"));
    watching.line_like(|line| line.ends_with("  bounded\n"));
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
        input.write_all(b"\n").expect("the shell reads on");
        line = watching.line();
    }
    let (end, code) = watching.end();
    assert_eq!(code, FAILED, "{end}");
}

#[test]
fn a_program_above_the_limit_fails_and_what_it_exits_with_is_told() {
    let mut watching = Watching::start(&["--limit", "1KB", "--", "sh", "-c", "cat; exit 3"]);
    let alert = watching.line_like(|line| line.starts_with("alert: "));
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
    let (text, code) = Watching::start(&arguments).rest();
    assert_eq!(code, NO_ANSWER, "{text}");
    let end = "the time was over, and the command was ended: signal: 15 (SIGTERM)\n";
    assert!(text.ends_with(end), "{text}");
}

/// What a shell starts in the background ignores SIGINT.
#[test]
fn what_the_command_started_ends_with_it() {
    let shell = "tail -f /dev/null 2>/dev/null & echo $!; wait";
    let arguments = ["--interval", "1ms", "--", "sh", "-c", shell];
    let mut watching = Watching::start(&arguments);
    let mut printed = BufReader::new(watching.tool.stdout.take().expect("it is piped"));
    let mut pid = String::new();
    printed.read_line(&mut pid).expect("it prints text");
    let pid = pid.trim().parse().expect("it is a number");
    assert!(!Sample::of_tree(pid).is_gone());
    watching.line_like(|line| line.ends_with("  settling\n"));
    watching.signal(Signal::SIGINT);
    // With the second one it does not wait for what ignores the first.
    watching.signal(Signal::SIGTERM);
    let (text, _) = watching.rest();
    // Which of them is seen first is the system's.
    let end = " was received, and the command was ended: signal: ";
    assert!(text.contains(end), "{text}");
    assert!(Sample::of_tree(pid).is_gone());
}

#[test]
fn an_interrupted_watch_says_what_it_saw() {
    let mut watching = Watching::start(&["--interval", "1ms", "--", "cat"]);
    watching.line_like(|line| line.ends_with("  bounded\n"));
    watching.signal(Signal::SIGINT);
    let (text, code) = watching.rest();
    assert!(text.contains("memory: bounded over the last "), "{text}");
    let end = "SIGINT was received, and the command was ended: signal: 2 (SIGINT)\n";
    assert!(text.ends_with(end), "{text}");
    assert_eq!(code, PASSED);
}

#[test]
fn samples_that_cannot_be_written_end_the_watch_and_the_command() {
    let (text, code) = Watching::start(&["--json", "/dev/full", "--", "cat"]).rest();
    let message = "the watch failed, and the command was ended: signal: 15 (SIGTERM)
error: /dev/full: the samples could not be written: No space left on device (os error 28); make \
                   room, or name another file with `--json`\n";
    assert_eq!((text.as_str(), code), (message, NO_ANSWER));
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
    let message = "error: nothing is known of process PID: the process does not exist any more; \
                   name one that runs and that you may look into: `ps -e` lists all\n";
    assert_eq!((gone.as_str(), code), (message, NO_ANSWER));
}

#[test]
fn bad_usage_has_no_answer() {
    let none = Watching::start(&["--", "no-such-program"]).end();
    let message = "error: `no-such-program` could not be started: ";
    assert!(none.0.starts_with(message), "{}", none.0);
    let wrong: [&[&str]; 5] = [
        &[],
        &["--pid", "1", "--", "cat"],
        &["--interval", "0s", "--", "cat"],
        &["--restart", "--pid", "1"],
        &["--steps-from-log", "(", "--", "cat"],
    ];
    for arguments in wrong {
        let (text, code) = Watching::start(arguments).end();
        assert_eq!(code, NO_ANSWER, "{text}");
    }
    assert_eq!(none.1, NO_ANSWER);
}

/// The first time it keeps more than the limit; the second time it says why there is one.
#[test]
fn a_command_above_its_limit_is_started_again_and_told_why() {
    let directory = tempfile::tempdir().expect("there is room");
    let json = directory.path().join("samples.jsonl");
    let json = json.to_str().expect("the path is text");
    let shell = "if [ -z \"$HIGHWATER_RESTARTED\" ]; then
            s=x; while [ ${#s} -lt 60000000 ]; do s=$s$s; done
        else echo \"$HIGHWATER_RESTARTED\"; fi; cat";
    let arguments = [
        "--restart",
        "--limit",
        "50MB",
        "--interval",
        "5ms",
        "--json",
        json,
        "--",
        "sh",
        "-c",
        shell,
    ];
    let mut watching = Watching::start(&arguments);
    let ended = watching.line_like(|line| line.starts_with("memory was above"));
    let by = "memory was above the limit, and the command was ended: signal: 15 (SIGTERM)\n";
    assert_eq!(ended, by);
    let restart = watching.line_like(|line| line.starts_with("restart "));
    let mut printed = BufReader::new(watching.tool.stdout.take().expect("it is piped"));
    let mut told = String::new();
    printed.read_line(&mut told).expect("it prints text");
    assert!(told.starts_with("limit: "), "{told}");
    assert!(told.ends_with(" MB of 50.0 MB\n"), "{told}");
    assert_eq!(restart, format!("restart 1 in 1 s: {told}"));
    let (end, code) = watching.end();
    let last = "the command ended: exit status: 0
restarts: 1; the verdicts are of the time since the last one\n";
    assert!(end.ends_with(last), "{end}");
    assert_eq!(code, FAILED);
    let lines = fs::read_to_string(json).expect("the file is there");
    let reasons = lines.lines().filter_map(|line| {
        let line: Value = serde_json::from_str(line).expect("each line is JSON");
        Some(line["restart"].as_str()?.to_owned())
    });
    assert_eq!(reasons.collect::<Vec<_>>(), [told.trim_end()]);
}

/// That a program which may not have much address space aborts for memory is a guess.
#[test]
fn a_command_that_aborts_under_a_limit_is_started_again() {
    let shell = "echo \"$HIGHWATER_RESTARTED\"; read -r line
        if [ -z \"$HIGHWATER_RESTARTED\" ]; then kill -ABRT $$; fi";
    let limit = "ulimit -c 0; ulimit -v 4000000; exec env --default-signal=INT \"$@\"";
    let mut command = support::program("sh");
    command.args(["-c", limit, "sh", env!("CARGO_BIN_EXE_cargo-highwater")]);
    command.args(["watch", "--restart", "--interval", "5ms", "--"]);
    command.args(["sh", "-c", shell]);
    let mut watching = Watching::of(command);
    let mut printed = BufReader::new(watching.tool.stdout.take().expect("it is piped"));
    let mut told = String::new();
    printed.read_line(&mut told).expect("it prints text");
    assert_eq!(told, "\n");
    watching.line_like(|line| line.ends_with("  settling\n"));
    let input = watching.input.as_mut().expect("it is open");
    input.write_all(b"\n").expect("the shell reads");
    let restart = watching.line_like(|line| line.starts_with("restart "));
    told.clear();
    printed.read_line(&mut told).expect("it prints text");
    assert!(
        told.starts_with("aborted: perhaps for memory, with "),
        "{told}"
    );
    assert!(
        told.ends_with(" at the last sample of 4.10 GB of address space\n"),
        "{told}"
    );
    assert_eq!(restart, format!("restart 1 in 1 s: {told}"));
    let (end, code) = watching.end();
    assert!(end.contains("restarts: 1; "), "{end}");
    assert_eq!(code, FAILED);
}

#[test]
fn a_command_that_fails_by_itself_is_not_started_again() {
    let arguments = ["--restart", "--", "sh", "-c", "cat; exit 3"];
    let (text, code) = Watching::start(&arguments).end();
    assert!(
        text.ends_with("the command ended: exit status: 3\n"),
        "{text}"
    );
    assert_eq!(code, FAILED);
}

/// Each line of input is a step, in which it keeps 100 kB, and whose line is passed on.
#[test]
fn memory_that_grows_with_the_work_is_told_by_the_step() {
    let keeps = "s=x; while [ ${#s} -lt 100000 ]; do s=$s$s; done; n=0
        while read -r line; do n=$((n + 1)); eval \"kept$n=\\$s\"; echo \"candle $n\"; done";
    let arguments = [
        "--steps-from-log",
        "^candle [0-9]+$",
        "--interval",
        "2ms",
        "--limit",
        "1GB",
        "--",
        "sh",
        "-c",
        keeps,
    ];
    let mut watching = Watching::start(&arguments);
    let mut printed = BufReader::new(watching.tool.stdout.take().expect("it is piped"));
    let mut steps = 0;
    let mut line = watching.line();
    assert!(line.starts_with("     steps    memory"), "{line}");
    while !line.starts_with("alert: memory: growing by ") {
        assert!(!line.is_empty(), "it ended");
        let input = watching.input.as_mut().expect("it is open");
        input.write_all(b"\n").expect("the shell reads on");
        steps += 1;
        let mut candle = String::new();
        printed.read_line(&mut candle).expect("it prints text");
        assert_eq!(candle, format!("candle {steps}\n"));
        line = watching.line();
    }
    assert!(line.contains(" kB a step"), "{line}");
    assert!(
        line.contains("; it reaches the limit of 1.00 GB in "),
        "{line}"
    );
    assert!(line.ends_with(" steps\n"), "{line}");
    let (end, code) = watching.end();
    assert!(end.contains("memory: growing by "), "{end}");
    assert_eq!(code, FAILED, "{end}");
}

#[test]
fn memory_that_rests_while_work_is_done_is_bounded() {
    let directory = tempfile::tempdir().expect("there is room");
    let json = directory.path().join("samples.jsonl");
    let path = json.to_str().expect("the path is text");
    let arguments = [
        "--steps-from-log",
        "candle",
        "--interval",
        "2ms",
        "--json",
        path,
        "--",
        "cat",
    ];
    let mut watching = Watching::start(&arguments);
    let mut line = watching.line();
    while !line.ends_with("  bounded\n") {
        assert!(!line.is_empty(), "it ended");
        let input = watching.input.as_mut().expect("it is open");
        input.write_all(b"candle\nother\n").expect("it reads on");
        line = watching.line();
    }
    let (end, code) = watching.end();
    assert!(end.contains("memory: bounded over the last "), "{end}");
    assert!(end.contains(" a step would have shown\n"), "{end}");
    assert_eq!(code, PASSED, "{end}");
    let lines = fs::read_to_string(json).expect("the file is there");
    let last = lines.lines().last().expect("there are some");
    let last: Value = serde_json::from_str(last).expect("it is JSON");
    assert!(last["steps"].as_u64() >= Some(31), "{last}");
    assert_eq!(last["bytes_per_step"], 0.0);
    assert_eq!(last["bytes_per_hour"], Value::Null);
}

#[test]
fn without_a_line_that_matches_there_is_no_answer() {
    let mut watching = Watching::start(&["--steps-from-log", "candle", "--", "cat"]);
    watching.line_like(|line| line.ends_with("  settling\n"));
    let (text, code) = watching.end();
    let none = "memory: settling, as no line of the output is a step yet\n";
    assert!(text.contains(none), "{text}");
    assert_eq!(code, NO_ANSWER, "{text}");
}

/// It comes while nothing runs, or if this test is slow, when the command runs again.
#[test]
fn a_signal_ends_a_watch_that_waits_to_start_again() {
    let shell = "s=x; while [ ${#s} -lt 60000000 ]; do s=$s$s; done; cat";
    let arguments = [
        "--restart",
        "--limit",
        "50MB",
        "--interval",
        "5ms",
        "--",
        "sh",
        "-c",
        shell,
    ];
    let mut watching = Watching::start(&arguments);
    watching.line_like(|line| line.starts_with("restart 1 in 1 s: limit: "));
    watching.signal(Signal::SIGTERM);
    let (text, code) = watching.rest();
    assert!(
        text.contains("SIGTERM was received, and the command was "),
        "{text}"
    );
    assert!(text.contains("restarts: 1; "), "{text}");
    assert_eq!(code, FAILED);
}
