//! What is watched: a process that is there, or one that is started and waited for.

use super::passed::Passed;
use super::{WatchError, signal};
use highwater_monitor::Sample;
use regex::bytes::Regex;
use std::cell::Cell;
use std::ffi::OsString;
use std::fmt;
use std::io::{self, IsTerminal as _};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

/// How long a command may take to end when it is asked to.
const GRACE: Duration = Duration::from_secs(10);

/// How long what was killed may take to end.
const KILLED: Duration = Duration::from_secs(1);

/// How often what a command started is looked for while it ends.
const POLL: Duration = Duration::from_millis(20);

/// A process to watch.
pub struct Target {
    pid: u32,
    /// What was started; empty for a process that was there.
    command: Vec<OsString>,
    /// Which lines of what it prints are steps of its work.
    step: Option<Regex>,
    /// What it prints, if that is looked at.
    passed: Option<Passed>,
    send: Sender<News>,
    news: Receiver<News>,
    /// The last signal that the tool got while the command was being ended.
    told: Cell<Option<&'static str>>,
}

/// What happens while a process is watched.
enum News {
    /// The command with this number ended.
    Ended(u32, io::Result<ExitStatus>),
    /// The tool is to end, by the signal of this name.
    Signal(&'static str),
}

/// Why a watch ends while the process is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It was to take no longer.
    TimeOver,
    /// The tool got the signal of this name.
    Signal(&'static str),
    /// What was seen could not be written.
    Failed,
    /// The command is started again, for it had more memory than its limit.
    OverLimit,
}

/// How the watch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The command ended.
    Command(ExitStatus),
    /// The watch ended, and the command was asked to end.
    Stopped(Why, ExitStatus),
    /// The watch ended, and the process runs on.
    RunsOn(Why, u32),
    /// The process is gone.
    Gone(u32),
    /// The command had ended, and the watch did before it was started again.
    NotStartedAgain(Why),
}

impl Target {
    /// A process that is there. From now on a signal ends the watch, not the tool.
    pub fn process(pid: u32) -> Self {
        Self::new(pid, &[], None)
    }

    fn new(pid: u32, command: &[OsString], step: Option<Regex>) -> Self {
        let (send, news) = mpsc::channel();
        let pass_on = send.clone();
        signal::receive(move |name| pass_on.send(News::Signal(name)).is_ok());
        Self {
            pid,
            command: command.to_vec(),
            step,
            passed: None,
            send,
            news,
            told: Cell::default(),
        }
    }

    /// Starts a command, in a process group of its own. What it reads and prints is the caller's,
    /// but it does not read from a terminal. From now on a signal ends the watch, not the tool. If
    /// lines that match `step` are steps of its work, what it prints goes through a pipe.
    ///
    /// # Errors
    /// If there is no such program.
    pub fn command(words: &[OsString], step: Option<Regex>) -> Result<Self, WatchError> {
        let mut target = Self::new(0, words, step);
        target.start(None)?;
        Ok(target)
    }

    /// Starts the command again, and tells it why in the variable `HIGHWATER_RESTARTED`.
    ///
    /// # Errors
    /// If there is no such program any more.
    pub fn start_again(&mut self, reason: &str) -> Result<(), WatchError> {
        self.start(Some(reason))
    }

    fn start(&mut self, reason: Option<&str>) -> Result<(), WatchError> {
        let program = self.command.first().cloned().unwrap_or_default();
        let mut command = Command::new(&program);
        command.args(self.command.iter().skip(1));
        command.envs(reason.map(|reason| ("HIGHWATER_RESTARTED", reason)));
        signal::own_group(&mut command);
        if io::stdin().is_terminal() {
            // The system would stop a group that reads there and is not the terminal's.
            command.stdin(Stdio::null());
        }
        if self.step.is_some() {
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
        }
        let mut child = command.spawn().map_err(|source| WatchError::Start {
            program: program.to_string_lossy().into_owned(),
            source,
        })?;
        let pid = child.id();
        self.pid = pid;
        let step = self.step.as_ref();
        self.passed = step.map(|step| Passed::of(&mut child, step));
        let send = self.send.clone();
        // Nobody listens any more if the tool ends.
        thread::spawn(move || drop(send.send(News::Ended(pid, child.wait()))));
        Ok(())
    }

    /// The number of the process.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// How many steps of its work the command said so far; none if that is not looked at.
    pub fn steps(&self) -> Option<u64> {
        self.passed.as_ref().map(Passed::steps)
    }

    /// Waits so long, or until the command ends. A signal ends the watch, as
    /// [`stop`](Self::stop) does.
    ///
    /// # Errors
    /// If the system does not say how it ended.
    pub fn wait(&self, time: Duration) -> Result<Option<Ended>, WatchError> {
        match self.next(time) {
            Some(News::Ended(_, status)) => Ok(Some(Ended::Command(status?))),
            Some(News::Signal(name)) => self.stop(Why::Signal(name)).map(Some),
            None => Ok(None),
        }
    }

    /// Waits so long before the command is started again, or until the tool is to end: then why.
    pub fn pause(&self, time: Duration) -> Option<Why> {
        if let Some(name) = self.told.take() {
            return Some(Why::Signal(name));
        }
        match self.next(time)? {
            News::Signal(name) => Some(Why::Signal(name)),
            News::Ended(..) => None,
        }
    }

    /// What happens next, if it does in this time. That one which was started before ended at
    /// last is no news.
    fn next(&self, time: Duration) -> Option<News> {
        loop {
            match self.news.recv_timeout(time) {
                Ok(News::Ended(pid, _)) if pid != self.pid => {}
                Ok(News::Ended(pid, status)) => {
                    self.passed.iter().for_each(Passed::finish);
                    return Some(News::Ended(pid, status));
                }
                Ok(news) => return Some(news),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    /// The process was not there when a sample was taken: waits for the command's exit code.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn gone(&self) -> Result<Ended, WatchError> {
        let ended = if self.is_command() {
            self.wait(GRACE)?
        } else {
            None
        };
        Ok(ended.unwrap_or(Ended::Gone(self.pid)))
    }

    /// Ends the watch: asks a command and what it started to end, and kills what does not in ten
    /// seconds, or at the next signal. Another process runs on.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn stop(&self, why: Why) -> Result<Ended, WatchError> {
        if !self.is_command() {
            return Ok(Ended::RunsOn(why, self.pid));
        }
        if Sample::of_tree(self.pid).is_gone() {
            // It ended by itself, a moment ago.
            return self.gone();
        }
        let deadline = Instant::now() + GRACE;
        signal::send(self.pid, why.signal());
        let mut status = self.status_until(deadline)?;
        if status.is_some() {
            self.wait_for_group(deadline);
        }
        signal::send(self.pid, "SIGKILL");
        if status.is_none() {
            status = self.status_until(Instant::now() + GRACE)?;
        }
        self.wait_for_group(Instant::now() + KILLED);
        let told = self.told.take().filter(|_| why == Why::OverLimit);
        let why = told.map_or(why, Why::Signal);
        Ok(status.map_or(Ended::Gone(self.pid), |status| Ended::Stopped(why, status)))
    }

    /// Ends what a command that ended by itself started and left behind.
    pub fn end_rest(&self) {
        signal::send(self.pid, Why::OverLimit.signal());
        self.wait_for_group(Instant::now() + GRACE);
        signal::send(self.pid, "SIGKILL");
        self.wait_for_group(Instant::now() + KILLED);
    }

    fn is_command(&self) -> bool {
        !self.command.is_empty()
    }

    /// Waits until all that the ended command started ended, or until then, or until the next
    /// signal.
    fn wait_for_group(&self, deadline: Instant) {
        while signal::is_group_there(self.pid) && Instant::now() < deadline {
            if let Some(News::Signal(name)) = self.next(POLL) {
                self.told.set(Some(name));
                return;
            }
        }
    }

    /// How the command ended; none if it did not until then, or until the next signal.
    fn status_until(&self, deadline: Instant) -> Result<Option<ExitStatus>, WatchError> {
        let left = deadline.saturating_duration_since(Instant::now());
        match self.next(left) {
            Some(News::Ended(_, status)) => Ok(Some(status?)),
            Some(News::Signal(name)) => {
                self.told.set(Some(name));
                Ok(None)
            }
            None => Ok(None),
        }
    }
}

impl Why {
    /// What the command is asked to end with.
    fn signal(self) -> &'static str {
        match self {
            Self::Signal(name) => name,
            Self::TimeOver | Self::Failed | Self::OverLimit => "SIGTERM",
        }
    }
}

impl Ended {
    /// Whether the command was ended to be started again.
    pub fn is_over_limit(&self) -> bool {
        matches!(self, Self::Stopped(Why::OverLimit, _))
    }

    /// Whether the command failed by itself.
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::Command(status) if !status.success())
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimeOver => f.write_str("the time was over"),
            Self::Signal(name) => write!(f, "{name} was received"),
            Self::Failed => f.write_str("the watch failed"),
            Self::OverLimit => f.write_str("memory was above the limit"),
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(status) => {
                write!(f, "the command ended: {status}")?;
                if signal::is_kill(*status) {
                    f.write_str("; the system kills so for memory, too: see `dmesg`")?;
                }
                Ok(())
            }
            Self::Stopped(why, status) => write!(f, "{why}, and the command was ended: {status}"),
            Self::RunsOn(why, pid) => write!(f, "{why}; process {pid} runs on"),
            Self::Gone(pid) => write!(f, "process {pid} is gone"),
            Self::NotStartedAgain(why) => {
                write!(f, "{why}, and the command was not started again")
            }
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::{Ended, Target, Why};
    use highwater_monitor::Sample;
    use std::process::ExitStatus;
    use std::thread;

    #[test]
    fn a_command_that_ended_by_itself_was_not_stopped() {
        let target = Target::command(&["true".into()], None).expect("there is such a program");
        while !Sample::of_tree(target.pid()).is_gone() {
            thread::yield_now();
        }
        let ended = target.stop(Why::TimeOver).expect("it is waited for");
        assert_eq!(ended, Ended::Command(ExitStatus::default()));
    }

    #[test]
    fn a_process_that_is_no_command_is_not_stopped() {
        let own = std::process::id();
        let ended = Target::process(own).stop(Why::TimeOver);
        let ended = ended.expect("nothing is waited for");
        assert_eq!(ended, Ended::RunsOn(Why::TimeOver, own));
    }
}
