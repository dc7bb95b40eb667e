//! Signals: those that end the watch, and those that end a command and what it started.

#[cfg(target_os = "linux")]
pub(super) use linux::{is_abort, is_group_there, is_kill, own_group, receive, send};
#[cfg(not(target_os = "linux"))]
pub(super) use other::{is_abort, is_group_there, is_kill, own_group, receive, send};

#[cfg(target_os = "linux")]
mod linux {
    use nix::sys::signal::{Signal, killpg};
    use nix::unistd::Pid;
    use signal_hook::iterator::Signals;
    use std::fs;
    use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
    use std::process::{Command, ExitStatus};
    use std::thread;

    /// What a user or a supervisor ends the tool with.
    const ENDING: [Signal; 3] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];

    /// The command gets a process group of its own.
    pub(in crate::watch) fn own_group(command: &mut Command) {
        command.process_group(0);
    }

    /// From now on these signals do not end the tool: each is passed on by its name, until that
    /// returns false. Commands that are started do not ignore them.
    pub(in crate::watch) fn receive(pass_on: impl Fn(&'static str) -> bool + Send + 'static) {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let signals = ENDING.into_iter();
        // `nohup` ignores one of them, and so do shells in the background.
        let signals = signals.filter(|one| !is_ignored(&status, *one));
        let Ok(mut signals) = Signals::new(signals.map(|one| one as i32)) else {
            return;
        };
        thread::spawn(move || {
            let received = signals.forever();
            let names = received.filter_map(|number| Signal::try_from(number).ok());
            for name in names.map(Signal::as_str) {
                if !pass_on(name) {
                    return;
                }
            }
        });
    }

    fn is_ignored(status: &str, signal: Signal) -> bool {
        let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let ignored = line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        ignored.unwrap_or(0) >> (signal as i32 - 1) & 1 == 1
    }

    /// Sends the signal of this name to all of a group.
    pub(in crate::watch) fn send(group: u32, name: &str) {
        if let (Some(group), Ok(signal)) = (group_id(group), name.parse::<Signal>()) {
            // One that has just ended needs no signal.
            let _ = killpg(group, signal);
        }
    }

    /// Whether a process of the group is there.
    pub(in crate::watch) fn is_group_there(group: u32) -> bool {
        group_id(group).is_some_and(|group| killpg(group, None).is_ok())
    }

    fn group_id(group: u32) -> Option<Pid> {
        i32::try_from(group).ok().map(Pid::from_raw)
    }

    pub(in crate::watch) fn is_kill(status: ExitStatus) -> bool {
        is_by(status, Signal::SIGKILL)
    }

    pub(in crate::watch) fn is_abort(status: ExitStatus) -> bool {
        is_by(status, Signal::SIGABRT)
    }

    /// Whether it ended by this signal, or is a shell that says so of what it started.
    fn is_by(status: ExitStatus, signal: Signal) -> bool {
        let signal = signal as i32;
        status.signal() == Some(signal) || status.code() == Some(128 + signal)
    }

    #[cfg(test)]
    mod tests {
        use super::is_ignored;
        use nix::sys::signal::Signal;

        #[test]
        fn what_nohup_ignores_is_left_ignored() {
            let status = "Name:\tx\nSigBlk:\t0000000000000002\nSigIgn:\t0000000000001001\n";
            assert!(is_ignored(status, Signal::SIGHUP));
            assert!(!is_ignored(status, Signal::SIGINT));
            assert!(!is_ignored("", Signal::SIGINT));
        }
    }
}

/// Nothing is watched on other systems.
#[cfg(not(target_os = "linux"))]
mod other {
    use std::process::{Command, ExitStatus};

    pub(in crate::watch) fn own_group(_command: &mut Command) {}

    pub(in crate::watch) fn receive(_pass_on: impl Fn(&'static str) -> bool + Send + 'static) {}

    pub(in crate::watch) fn send(_group: u32, _name: &str) {}

    pub(in crate::watch) fn is_group_there(_group: u32) -> bool {
        false
    }

    pub(in crate::watch) fn is_kill(_status: ExitStatus) -> bool {
        false
    }

    pub(in crate::watch) fn is_abort(_status: ExitStatus) -> bool {
        false
    }
}
