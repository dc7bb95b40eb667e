//! `cargo highwater watch`: the memory of a process, from outside, while it runs.

use super::Failure;
use crate::arguments::WatchArguments;
use cargo_highwater::watch::row::HEAD;
use cargo_highwater::watch::target::{Ended, Target, Why};
use cargo_highwater::watch::{Watch, WatchError};
use highwater_monitor::Sample;
use std::io::{self, Write as _};
use std::time::Duration;

/// What the process prints is its own, so what is found goes to standard error.
pub(crate) fn watch(asked: &WatchArguments) -> Result<u8, Failure> {
    let own = Sample::of_this_process();
    if own.memory_bytes().is_none() {
        return Err(WatchError::Unsupported(reason(&own)).into());
    }
    let mut watch = Watch::new(asked.interval, asked.limit, asked.json.clone())?;
    let target = match asked.pid {
        Some(pid) => Target::process(pid),
        None => Target::command(&asked.command)?,
    };
    let ended = match follow(&mut watch, &target, asked) {
        Ok(ended) => ended,
        Err(failure) => {
            // A command that nobody watches is not left behind.
            if let Ok(ended @ Ended::Stopped(..)) = target.stop(Why::Failed) {
                tell(&format!("{ended}\n"));
            }
            return Err(failure.into());
        }
    };
    tell(&watch.finding(&ended));
    Ok(watch.exit_code(&ended))
}

fn follow(watch: &mut Watch, target: &Target, asked: &WatchArguments) -> Result<Ended, WatchError> {
    let mut left = asked.length.unwrap_or(Duration::MAX);
    let mut is_first = true;
    loop {
        let sample = Sample::of_tree(target.pid());
        if is_first && sample.memory_bytes().is_none() && asked.pid.is_some() {
            return Err(WatchError::NoProcess {
                pid: target.pid(),
                reason: reason(&sample),
            });
        }
        let Some(lines) = watch.observe(&sample)? else {
            return target.gone();
        };
        if std::mem::take(&mut is_first) {
            tell(&format!("{HEAD}\n"));
        }
        tell(&(lines.join("\n") + "\n"));
        if left.is_zero() {
            return target.stop(Why::TimeOver);
        }
        let pause = asked.interval.min(left);
        if let Some(ended) = target.wait(pause)? {
            return Ok(ended);
        }
        left = left.saturating_sub(pause);
    }
}

/// Why a sample has no memory.
fn reason(sample: &Sample) -> String {
    let note = sample.notes.first();
    note.map_or_else(|| "no figures".to_owned(), ToString::to_string)
}

/// With standard error gone, the exit code and the file can still tell.
fn tell(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}
