//! Whether a command that ended is started again, why, and how long that waits.

use super::signal;
use super::target::Ended;
use highwater::__private::Size;
use highwater_monitor::Sample;
use std::fmt;
use std::time::Duration;

/// The first wait. Each is twice as long as the one before.
const FIRST: Duration = Duration::from_secs(1);
/// The longest.
const LONGEST: Duration = Duration::from_mins(1);
/// After a command ran for so long, waits begin with the first.
const A_WHILE: Duration = Duration::from_mins(10);

/// Why a command is started again. Printed, it is what `HIGHWATER_RESTARTED` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It had more memory than its limit.
    Limit {
        /// So much.
        memory: u64,
        /// Of this.
        limit: u64,
    },
    /// It was killed, and its control group counts one more kill for memory.
    Killed,
    /// It was killed, and the machine counts one more kill for memory: that this was the one is a
    /// guess.
    KilledLikely,
    /// It aborted, and its address space is limited: that it got no more is a guess.
    Aborted {
        /// The address space at the last sample, if it is known.
        had: Option<u64>,
        /// Of this.
        limit: u64,
    },
}

/// How many processes the system killed for memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kills {
    /// Of the control group of this process, in which those are that it starts.
    group: Option<u64>,
    machine: Option<u64>,
}

/// How long to wait before the next start.
#[derive(Clone, Copy, Debug)]
pub struct BackOff(Duration);

impl Kills {
    /// As many as there were up to now.
    pub fn now() -> Self {
        let sample = Sample::of_this_process();
        Self {
            group: sample.cgroup.map(|group| group.oom_kills),
            machine: sample.machine_oom_kills,
        }
    }
}

impl Reason {
    /// Why a command is started again that ended, or was ended, like this; none if it is not. Its
    /// last sample says what it had.
    pub fn of(ended: &Ended, last: Option<&Sample>, kills: [Kills; 2]) -> Option<Self> {
        let Ended::Command(status) = ended else {
            return None;
        };
        if signal::is_kill(*status) {
            let [before, now] = kills;
            let rose = |before: Option<u64>, now: Option<u64>| {
                before.zip(now).is_some_and(|(before, now)| now > before)
            };
            if rose(before.group, now.group) {
                return Some(Self::Killed);
            }
            return rose(before.machine, now.machine).then_some(Self::KilledLikely);
        }
        let last = last.filter(|_| signal::is_abort(*status))?;
        Some(Self::Aborted {
            had: last.virtual_bytes.filter(|_| last.processes == 1),
            limit: last.address_limit?,
        })
    }
}

impl Default for BackOff {
    fn default() -> Self {
        Self(FIRST)
    }
}

impl BackOff {
    /// How long to wait after a command that ran for this time.
    pub fn after(&mut self, ran: Duration) -> Duration {
        let wait = if ran >= A_WHILE { FIRST } else { self.0 };
        self.0 = (wait * 2).min(LONGEST);
        wait
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Limit { memory, limit } => {
                write!(f, "limit: {} of {}", Size(memory), Size(limit))
            }
            Self::Killed => f.write_str("killed: for memory, as its control group counts"),
            Self::KilledLikely => {
                f.write_str("killed: likely for memory, as the machine counts another such kill")
            }
            Self::Aborted { had, limit } => {
                f.write_str("aborted: perhaps for memory, ")?;
                if let Some(had) = had {
                    write!(f, "with {} at the last sample ", Size(had))?;
                }
                write!(f, "of {} of address space", Size(limit))
            }
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::{BackOff, Kills, Reason};
    use crate::watch::target::{Ended, Why};
    use highwater_monitor::Sample;
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::ExitStatus;
    use std::time::{Duration, SystemTime};

    const NONE: Kills = Kills {
        group: None,
        machine: None,
    };

    fn kills(group: u64, machine: u64) -> Kills {
        Kills {
            group: Some(group),
            machine: Some(machine),
        }
    }

    fn reason(wait_status: i32, last: Option<&Sample>, kills: [Kills; 2]) -> String {
        let ended = Ended::Command(ExitStatus::from_raw(wait_status));
        let reason = Reason::of(&ended, last, kills);
        reason.map_or("none".to_owned(), |reason| reason.to_string())
    }

    #[test]
    fn waits_double_up_to_a_minute_and_begin_again_after_a_while() {
        let mut back_off = BackOff::default();
        let short = Duration::from_mins(9);
        let waits = [(); 8].map(|()| back_off.after(short).as_secs());
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        let waits = [10, 1].map(|minutes| back_off.after(Duration::from_mins(minutes)).as_secs());
        assert_eq!(waits, [1, 2]);
    }

    #[test]
    fn what_is_known_of_a_kill_and_what_is_a_guess() {
        let killed = |kills| reason(9, None, kills);
        let (none, before) = ("none", kills(3, 7));
        assert_eq!(killed([NONE, NONE]), none);
        assert_eq!(killed([NONE, before]), none);
        assert_eq!(killed([before, before]), none);
        let known = "killed: for memory, as its control group counts";
        assert_eq!(killed([before, kills(4, 8)]), known);
        let guess = "killed: likely for memory, as the machine counts another such kill";
        assert_eq!(killed([before, kills(3, 8)]), guess);
        // A shell says with 137 that what it started was killed.
        assert_eq!(reason(137 << 8, None, [before, kills(4, 8)]), known);
        assert_eq!(reason(1 << 8, None, [before, kills(4, 8)]), none);
        assert_eq!(reason(0, None, [before, kills(4, 8)]), none);
    }

    #[test]
    fn an_abort_is_a_lack_of_memory_if_address_space_is_limited() {
        let mut last = Sample::at(SystemTime::UNIX_EPOCH);
        let aborted = |last: &Sample| reason(6, Some(last), [NONE; 2]);
        assert_eq!(aborted(&last), "none");
        last.address_limit = Some(200_000_000);
        assert_eq!(
            aborted(&last),
            "aborted: perhaps for memory, of 200 MB of address space"
        );
        last.virtual_bytes = Some(195_000_000);
        let guess = "aborted: perhaps for memory, with 195 MB at the last sample of 200 MB of \
                     address space";
        assert_eq!(aborted(&last), guess);
        assert_eq!(reason(134 << 8, Some(&last), [NONE; 2]), guess);
        assert_eq!(reason(11, Some(&last), [NONE; 2]), "none");
    }

    #[test]
    fn what_the_watch_ended_is_not_started_again_for_that() {
        let status = ExitStatus::from_raw(9);
        let more = [kills(3, 7), kills(4, 8)];
        let stopped = Ended::Stopped(Why::Signal("SIGINT"), status);
        assert_eq!(Reason::of(&stopped, None, more), None);
        assert!(!stopped.is_over_limit());
        assert!(Ended::Stopped(Why::OverLimit, status).is_over_limit());
    }
}
