//! What is watched: a process that is there, or one that is started and waited for.

use super::WatchError;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::process::{Command, ExitStatus};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

/// How long a command may take to end when it is asked to.
const GRACE: Duration = Duration::from_secs(10);

/// A process to watch.
pub struct Target {
    pid: u32,
    /// Says how the command ended; silent for a process that was there.
    ended: Receiver<io::Result<ExitStatus>>,
    /// Keeps the channel of a process that was there open.
    _silent: Option<Sender<io::Result<ExitStatus>>>,
    is_command: bool,
}

/// How the watch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The command ended.
    Command(ExitStatus),
    /// The time was over, and the command was asked to end.
    Stopped(ExitStatus),
    /// The time was over, and the process runs on.
    RunsOn(u32),
    /// The process is gone.
    Gone(u32),
}

impl Target {
    /// A process that is there.
    pub fn process(pid: u32) -> Self {
        let (silent, ended) = mpsc::channel();
        Self {
            pid,
            ended,
            _silent: Some(silent),
            is_command: false,
        }
    }

    /// Starts a command. What it reads and prints is the caller's.
    ///
    /// # Errors
    /// If there is no such program.
    pub fn command(command: &[OsString]) -> Result<Self, WatchError> {
        let program = command.first().cloned().unwrap_or_default();
        let started = Command::new(&program).args(command.iter().skip(1)).spawn();
        let mut child = started.map_err(|source| WatchError::Start {
            program: program.to_string_lossy().into_owned(),
            source,
        })?;
        let pid = child.id();
        let (send, ended) = mpsc::channel();
        // Nobody listens any more if the tool ends.
        thread::spawn(move || drop(send.send(child.wait())));
        Ok(Self {
            pid,
            ended,
            _silent: None,
            is_command: true,
        })
    }

    /// The number of the process.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits so long, or until the command ends.
    ///
    /// # Errors
    /// If the system does not say how it ended.
    pub fn wait(&self, time: Duration) -> Result<Option<Ended>, WatchError> {
        match self.ended.recv_timeout(time) {
            Ok(status) => Ok(Some(Ended::Command(status?))),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Ok(Some(Ended::Gone(self.pid))),
        }
    }

    /// The process was not there when a sample was taken: waits for the command's exit code.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn gone(&self) -> Result<Ended, WatchError> {
        let ended = if self.is_command {
            self.wait(GRACE)?
        } else {
            None
        };
        Ok(ended.unwrap_or(Ended::Gone(self.pid)))
    }

    /// Ends the watch: asks a command to end, and kills it if it does not. Another process runs
    /// on.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn stop(&self) -> Result<Ended, WatchError> {
        if !self.is_command {
            return Ok(Ended::RunsOn(self.pid));
        }
        for ask in [signal::end, signal::kill] {
            ask(self.pid);
            if let Some(Ended::Command(status)) = self.wait(GRACE)? {
                return Ok(Ended::Stopped(status));
            }
        }
        Ok(Ended::Gone(self.pid))
    }
}

impl Ended {
    /// Whether the command failed by itself.
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::Command(status) if !status.success())
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
            Self::Stopped(status) => {
                write!(f, "the time was over, and the command was ended: {status}")
            }
            Self::RunsOn(pid) => write!(f, "the time was over; process {pid} runs on"),
            Self::Gone(pid) => write!(f, "process {pid} is gone"),
        }
    }
}

#[cfg(target_os = "linux")]
mod signal {
    use nix::sys::signal::{Signal, kill as send};
    use nix::unistd::Pid;
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::ExitStatus;

    pub(super) fn end(pid: u32) {
        tell(pid, Signal::SIGTERM);
    }

    pub(super) fn kill(pid: u32) {
        tell(pid, Signal::SIGKILL);
    }

    /// The process has not been waited for, so the number is still its own.
    fn tell(pid: u32, signal: Signal) {
        if let Ok(pid) = i32::try_from(pid) {
            // One that has just ended needs no signal.
            let _ = send(Pid::from_raw(pid), signal);
        }
    }

    pub(super) fn is_kill(status: ExitStatus) -> bool {
        status.signal() == Some(Signal::SIGKILL as i32)
    }
}

#[cfg(not(target_os = "linux"))]
mod signal {
    use std::process::ExitStatus;

    pub(super) fn end(_pid: u32) {}

    pub(super) fn kill(_pid: u32) {}

    pub(super) fn is_kill(_status: ExitStatus) -> bool {
        false
    }
}
