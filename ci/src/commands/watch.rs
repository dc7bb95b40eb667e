//! `cargo highwater watch`: the memory of a process, from outside, while it runs.

use super::Failure;
use crate::arguments::WatchArguments;
use cargo_highwater::watch::restart::{BackOff, Kills, Reason};
use cargo_highwater::watch::row::{HEAD, HEAD_BY_WORK};
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
    if asked.steps_from_log.is_some() {
        watch = watch.by_work();
    }
    let kills = Kills::now();
    let mut target = match asked.pid {
        Some(pid) => Target::process(pid),
        None => Target::command(&asked.command, asked.steps_from_log.clone())?,
    };
    let ended = match keep(&mut watch, &mut target, asked, kills) {
        Ok(ended) => ended,
        Err(failure) => {
            // A command that nobody watches is not left behind.
            if let Ok(ended @ Ended::Stopped(..)) = target.stop(Why::Failed) {
                tell(&format!("{ended}\n"));
            }
            return Err(failure.into());
        }
    };
    tell(&(watch.finding(&ended) + &watch.restarts()));
    Ok(watch.exit_code(&ended))
}

/// Follows the process, and starts it again as often as that is asked for.
fn keep(
    watch: &mut Watch,
    target: &mut Target,
    asked: &WatchArguments,
    mut kills: Kills,
) -> Result<Ended, WatchError> {
    let mut left = asked.length.unwrap_or(Duration::MAX);
    let mut back_off = BackOff::default();
    loop {
        let ended = follow(watch, target, asked, &mut left)?;
        let reason = if ended.is_over_limit() {
            watch.over_limit()
        } else {
            Reason::of(&ended, watch.last().as_ref(), [kills, Kills::now()])
        };
        let Some(reason) = reason.filter(|_| asked.restart) else {
            return Ok(ended);
        };
        target.end_rest();
        let pause = back_off.after(watch.ran());
        tell(&watch.restart(&ended, &reason, pause)?);
        let time_over = || (pause >= left).then_some(Why::TimeOver);
        if let Some(why) = target.pause(pause.min(left)).or_else(time_over) {
            return Ok(Ended::NotStartedAgain(why));
        }
        left = left.saturating_sub(pause);
        kills = Kills::now();
        target.start_again(&reason.to_string())?;
    }
}

/// Follows the process until it ends, has to be ended, or no time is left.
fn follow(
    watch: &mut Watch,
    target: &Target,
    asked: &WatchArguments,
    left: &mut Duration,
) -> Result<Ended, WatchError> {
    let mut is_first = true;
    loop {
        let sample = Sample::of_tree(target.pid());
        if is_first && sample.memory_bytes().is_none() && asked.pid.is_some() {
            return Err(WatchError::NoProcess {
                pid: target.pid(),
                reason: reason(&sample),
            });
        }
        let Some(lines) = watch.observe(&sample, target.steps())? else {
            return target.gone();
        };
        if std::mem::take(&mut is_first) {
            let head = match asked.steps_from_log {
                Some(_) => HEAD_BY_WORK,
                None => HEAD,
            };
            tell(&format!("{head}\n"));
        }
        tell(&(lines.join("\n") + "\n"));
        if left.is_zero() {
            return target.stop(Why::TimeOver);
        }
        if asked.restart && watch.over_limit().is_some() {
            return target.stop(Why::OverLimit);
        }
        let pause = asked.interval.min(*left);
        if let Some(ended) = target.wait(pause)? {
            return Ok(ended);
        }
        *left = left.saturating_sub(pause);
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
