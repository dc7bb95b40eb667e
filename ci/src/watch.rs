//! Watches the memory of a process and of those that it started from outside, and judges it as
//! `highwater-monitor` does from inside.
//!
//! [`Watch`] takes samples and tells what they show, as [`row`] words it. [`target`] starts, waits
//! for and ends the process.

pub mod row;
pub mod target;

use crate::exit_code;
use highwater::ByteSize;
use highwater_monitor::{AlertKind, Event, Figure, Monitor, Sample, State, Verdict};
use row::{Record, Told};
use serde::Serialize as _;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;
use target::Ended;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WatchError {
    /// There is no such program.
    #[error("`{program}` could not be started: {source}; name a program that is there")]
    Start {
        /// Its name.
        program: String,
        /// What the system says.
        source: io::Error,
    },
    /// Nothing can be read of the process.
    #[error("nothing is known of process {pid}: {reason}")]
    NoProcess {
        /// Its number.
        pid: u32,
        /// What the first sample says.
        reason: String,
    },
    /// The file for the samples.
    #[error("{}: {source}", .path.display())]
    File {
        /// Where it is.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The system.
    #[error("the process could not be waited for: {0}")]
    Wait(#[from] io::Error),
}

/// A process that is watched.
pub struct Watch {
    monitor: Monitor,
    first: Option<Sample>,
    last: Option<Sample>,
    was_over: bool,
    json: Option<(PathBuf, File)>,
}

impl Watch {
    /// With a sample every `interval`, and a limit. Each sample is written to `json` as a line.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn new(
        interval: Duration,
        limit: ByteSize,
        json: Option<PathBuf>,
    ) -> Result<Self, WatchError> {
        let create = |path: PathBuf| match File::create(&path) {
            Ok(file) => Ok((path, file)),
            Err(source) => Err(WatchError::File { path, source }),
        };
        Ok(Self {
            monitor: Monitor::builder().interval(interval).limit(limit).build(),
            first: None,
            last: None,
            was_over: false,
            json: json.map(create).transpose()?,
        })
    }

    /// Takes note of a sample. Returns its line for people, and what begins or is over with it;
    /// none if the process is gone.
    ///
    /// # Errors
    /// If the line for programs cannot be written.
    pub fn observe(&mut self, sample: Sample) -> Result<Option<Vec<String>>, WatchError> {
        if sample.memory_bytes().is_none() && self.first.is_some() {
            return Ok(None);
        }
        let events = self.monitor.observe(sample.clone());
        let is_over = |event: &Event| matches!(event, Event::Raised(alert) if alert.kind == AlertKind::OverLimit);
        self.was_over |= events.iter().any(is_over);
        let verdict = self.memory();
        let first = self.first.get_or_insert_with(|| sample.clone());
        let elapsed = sample.time.duration_since(first.time).unwrap_or_default();
        let told = Told {
            sample: &sample,
            before: self.last.as_ref(),
            elapsed,
            verdict: verdict.as_ref(),
        };
        let mut lines = vec![told.line()];
        lines.extend(events.iter().map(ToString::to_string));
        let record = Record::of(&told, &events);
        self.write(&record)?;
        self.last = Some(sample);
        Ok(Some(lines))
    }

    fn write(&mut self, record: &Record) -> Result<(), WatchError> {
        let Some((path, file)) = &mut self.json else {
            return Ok(());
        };
        let mut line = Vec::new();
        let written = record.serialize(&mut serde_json::Serializer::new(&mut line));
        line.push(b'\n');
        let written = written.map_err(io::Error::from);
        let written = written.and_then(|()| file.write_all(&line));
        written.map_err(|source| WatchError::File {
            path: path.clone(),
            source,
        })
    }

    fn memory(&self) -> Option<Verdict> {
        let verdicts = self.monitor.status().verdicts;
        let mut of_memory = verdicts
            .into_iter()
            .filter(|v| *v.figure() == Figure::Memory);
        of_memory.next()
    }

    /// The verdicts at the end, one a line, and how the process ended.
    pub fn finding(&self, ended: &Ended) -> String {
        let verdicts = self.monitor.status().verdicts;
        let lines = verdicts.iter().map(ToString::to_string);
        let lines: Vec<_> = lines.chain([ended.to_string()]).collect();
        lines.join("\n") + "\n"
    }

    /// What the tool exits with. At the end nothing more comes that could show a rise to be a
    /// day's rhythm, so memory that rose all the time counts as growing.
    pub fn exit_code(&self, ended: &Ended) -> u8 {
        let verdicts = self.monitor.status().verdicts;
        let is_growing = |verdict: &Verdict| {
            verdict.state() == State::Growing
                || *verdict.figure() == Figure::Memory && verdict.per_hour() > 0.0
        };
        let is_bounded = |verdict: Verdict| verdict.state() == State::Bounded;
        if self.was_over || ended.is_failure() || verdicts.iter().any(is_growing) {
            exit_code::FAILED
        } else if self.memory().is_some_and(is_bounded) {
            exit_code::PASSED
        } else {
            exit_code::NO_ANSWER
        }
    }
}
