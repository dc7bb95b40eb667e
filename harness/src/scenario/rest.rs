//! Waits between the parts of a run until the scenario's other threads rest.
//!
//! How much a thread has allocated depends on how far it has come. The workers of a pool may
//! still be starting when the set-up returns, and they end after the state was dropped. So the
//! same code had other figures in each run. The threads rest if all of them sleep, and none has
//! run between two looks. A thread that sleeps until a time is not waited for.
//!
//! `/proc` says what threads do. Where there is none, nothing is waited for.

use super::under_way::Run;
use crate::alloc::{self, unscoped};
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

/// How long other threads are waited for. A thread that runs longer may never rest.
const LONGEST: Duration = Duration::from_secs(1);

/// The longest time between two looks.
const LONGEST_PAUSE: Duration = Duration::from_millis(2);

/// Above so many threads a look takes too long.
const MOST_THREADS: usize = 512;

impl Run<'_> {
    /// Waits until the other threads of this scenario rest. If they once did not, it never
    /// waits again.
    pub(super) fn rest(&self) {
        if self.never_rests.get() {
            return;
        }
        let has_rested = unscoped(|| {
            let started = Instant::now();
            let mut pause = Duration::from_micros(20);
            while !self.is_at_rest() {
                if started.elapsed() > LONGEST {
                    return false;
                }
                thread::sleep(pause);
                pause = LONGEST_PAUSE.min(pause * 2);
            }
            true
        });
        self.never_rests.set(!has_rested);
    }

    fn is_at_rest(&self) -> bool {
        let look = || {
            let threads = self.others();
            if threads.len() > MOST_THREADS {
                return Some(Vec::new());
            }
            threads.into_iter().map(turns).collect::<Option<Vec<_>>>()
        };
        let first = look();
        first.is_some() && look() == first
    }

    /// The other threads whose memory is the scenario's.
    fn others(&self) -> Vec<u32> {
        if !alloc::is_whole_process() {
            let inside = self.scope.threads_inside();
            return inside.into_iter().map(|seen| seen.thread).collect();
        }
        let own = alloc::thread_id();
        let entries = fs::read_dir("/proc/self/task").into_iter().flatten();
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let threads = names.filter_map(|name| name.parse().ok());
        threads.filter(|thread| *thread != own).collect()
    }
}

/// Which thread this is and how often it has run, if it sleeps. One that is gone has no turns.
fn turns(thread: u32) -> Option<(u32, u64)> {
    let path = format!("/proc/self/task/{thread}/status");
    let status = fs::read_to_string(path).unwrap_or_default();
    let value = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.map(str::trim_start)
    };
    let is_asleep = value("State:").is_none_or(|state| state.starts_with(['S', 'T', 't']));
    let switches = ["voluntary_ctxt_switches:", "nonvoluntary_ctxt_switches:"];
    let times = switches.map(|name| {
        value(name)
            .and_then(|times| times.parse().ok())
            .unwrap_or(0)
    });
    is_asleep.then(|| (thread, times.iter().sum()))
}
