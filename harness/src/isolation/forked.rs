//! A closure in a child that is forked from this process, and what became of it.
//!
//! The other children of this room are started anew, and come to the same place by themselves.
//! A forked one is there at once, with the values of its parent, so it can be started a
//! thousand times from one state. What it prints to standard error goes to a file without a name,
//! what it prints to standard output nowhere, and what it says of itself through a pipe.

use super::progress;
use super::system::{self, Forked};
use crate::alloc::unscoped;
use crate::scope::panics;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

/// How often to look whether a child has ended whose pipe is held open by another.
const LOOK: Duration = Duration::from_millis(100);
/// How often between the end of the pipe and that of the process.
const LOOK_CLOSELY: Duration = Duration::from_millis(1);
/// So much is read of what a child printed: its end.
const PRINTED_BYTES: u64 = 64 * 1_024;

/// What became of a forked child.
pub(super) struct Ended {
    /// What the closure returned; nothing if the child did not come to its end.
    pub(super) said: Vec<u8>,
    pub(super) status: ExitStatus,
    /// Whether it was ended because its time was up.
    pub(super) is_over_time: bool,
    /// The last line that it printed to standard error.
    pub(super) last_line: Option<String>,
}

/// Runs `body` in a forked child, for at most `limit`, and waits for its end.
///
/// # Errors
/// If no process can be started.
pub(super) fn run(limit: Duration, body: impl FnOnce() -> Vec<u8>) -> io::Result<Ended> {
    let (reader, writer, nowhere, printed) = unscoped(|| {
        let (reader, writer) = system::pipe()?;
        let nowhere = File::options().write(true).open("/dev/null")?;
        io::Result::Ok((reader, writer, nowhere, system::nameless_file()?))
    })?;
    // Not unscoped: the child stands where the caller does. And not while std has locks that
    // the child would wait for when it panics or aborts.
    let forked = panics::while_none_is_printed(|| system::fork(&nowhere, &printed))?;
    let Some(child) = forked else {
        progress::forked();
        panics::print_without_locks();
        let said = catch_unwind(AssertUnwindSafe(body));
        let _ = unscoped(|| File::from(writer).write_all(&said.unwrap_or_default()));
        system::exit_at_once(0)
    };
    unscoped(|| {
        drop((writer, nowhere));
        let mut ended = wait(&child, reader, limit)?;
        ended.last_line = last_line(printed).unwrap_or_default();
        Ok(ended)
    })
}

/// Reads what the child says, until it ends or its time is up.
fn wait(child: &Forked, pipe: OwnedFd, limit: Duration) -> io::Result<Ended> {
    let deadline = Instant::now() + limit;
    let (mut pipe, mut said, mut is_over_time) = (Some(pipe), Vec::new(), false);
    loop {
        if !is_over_time && Instant::now() >= deadline {
            is_over_time = true;
            child.kill();
        }
        let look = if pipe.is_some() { LOOK } else { LOOK_CLOSELY };
        read(&mut pipe, look, &mut said)?;
        if let Some(status) = child.try_wait()? {
            // What it said last is still in the pipe.
            while read(&mut pipe, Duration::ZERO, &mut said)? {}
            return Ok(Ended {
                said,
                status,
                is_over_time,
                last_line: None,
            });
        }
    }
}

/// Waits so long for something to read, and reads it. False if there was nothing.
fn read(pipe: &mut Option<OwnedFd>, most: Duration, said: &mut Vec<u8>) -> io::Result<bool> {
    let [is_there] = system::wait_for([pipe.as_ref().map(OwnedFd::as_fd)], most);
    let (true, Some(open)) = (is_there, &*pipe) else {
        return Ok(false);
    };
    let mut buffer = [0; 4_096];
    match system::read(open, &mut buffer) {
        Ok(0) => *pipe = None,
        Ok(length) => said.extend_from_slice(&buffer[..length]),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
        Err(error) => return Err(error),
    }
    Ok(true)
}

fn last_line(mut printed: File) -> io::Result<Option<String>> {
    let length = printed.seek(SeekFrom::End(0))?;
    printed.seek(SeekFrom::Start(length.saturating_sub(PRINTED_BYTES)))?;
    let mut bytes = Vec::new();
    printed.read_to_end(&mut bytes)?;
    Ok(telling_line(&String::from_utf8_lossy(&bytes)))
}

/// The last line that is not of a backtrace, nor a note of std's about those.
fn telling_line(text: &str) -> Option<String> {
    let before = text.split("\nstack backtrace:\n").next();
    let lines = before.unwrap_or_default().lines().map(str::trim);
    let mut lines = lines.filter(|line| !line.is_empty() && !line.starts_with("note: "));
    lines.next_back().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::{run, telling_line};
    use std::os::unix::process::ExitStatusExt as _;
    use std::time::Duration;

    #[test]
    fn a_child_that_does_not_end_is_ended() {
        let limit = Duration::from_millis(1);
        let ended = run(limit, || {
            loop {
                std::thread::park();
            }
        });
        let ended = ended.expect("it is forked");
        assert!(ended.is_over_time && ended.said.is_empty());
        assert_eq!(ended.status.signal(), Some(libc::SIGKILL));
    }

    #[test]
    fn a_child_says_and_prints_what_it_likes() {
        let limit = Duration::from_secs(600);
        let ended = run(limit, || {
            crate::alloc::print(b"one\ntwo\n");
            b"three".to_vec()
        });
        let ended = ended.expect("it is forked");
        assert!(ended.status.success() && !ended.is_over_time);
        assert_eq!(ended.said, b"three");
        assert_eq!(ended.last_line.as_deref(), Some("two"));
    }

    #[test]
    fn what_std_adds_to_a_message_tells_nothing() {
        let line = |text: &str| telling_line(text).unwrap_or_default();
        assert_eq!(line("one\ntwo\n\n"), "two");
        assert_eq!(line("one\nnote: run with `RUST_BACKTRACE=1`\n"), "one");
        assert_eq!(line("one\nstack backtrace:\n  0: a\nnote: b\n"), "one");
        assert_eq!(line(" \n"), "");
    }
}
