//! Watches the memory of a process and of those that it started from outside, and judges it as
//! `highwater-monitor` does from inside.
//!
//! [`Watch`] takes samples and tells what they show, as [`row`] words it. [`target`] starts, waits
//! for and ends the process, by signals. [`restart`] says whether it is started again, and when.
//! [`work`] judges by the work that `passed` counts in what it prints.

mod passed;
pub mod restart;
pub mod row;
mod signal;
pub mod target;
pub mod work;

use crate::exit_code;
use highwater::__private::Thousands;
use highwater::ByteSize;
use highwater_monitor::__private::Span;
use highwater_monitor::{AlertKind, Event, Figure, Monitor, Sample, State, Verdict};
use restart::Reason;
use row::{By, Record, Told};
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};
use target::Ended;
use work::Work;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WatchError {
    /// Nothing can be read of processes here.
    #[error(
        "nothing can be watched here: {0}; the crate `highwater-monitor` watches a program from \
         inside"
    )]
    Unsupported(String),
    /// There is no such program.
    #[error("`{program}` could not be started: {source}; name a program that is there")]
    Start {
        /// Its name.
        program: String,
        /// What the system says.
        source: io::Error,
    },
    /// Nothing can be read of the process.
    #[error(
        "nothing is known of process {pid}: {reason}; name one that runs and that you may look \
         into: `ps -e` lists all"
    )]
    NoProcess {
        /// Its number.
        pid: u32,
        /// What the first sample says.
        reason: String,
    },
    /// The file for the samples.
    #[error(
        "{}: the samples could not be written: {source}; make room, or name another file with \
         `--json`",
        .path.display()
    )]
    File {
        /// Where it is.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The system.
    #[error(
        "the system does not say how the command ended: {0}; if it runs still, watch it with \
         `--pid`"
    )]
    Wait(#[from] io::Error),
}

/// A process that is watched.
pub struct Watch {
    /// When the first sample was taken.
    at: Option<Instant>,
    /// With which settings there is a monitor.
    settings: (Duration, ByteSize),
    monitor: Monitor,
    /// If memory is judged by work instead of time.
    work: Option<Work>,
    begun: Option<Begun>,
    was_over: bool,
    /// How often the command was started again.
    restarts: u64,
    json: Option<(PathBuf, File)>,
}

/// What the first sample of the process says, and the last one.
struct Begun {
    at: Instant,
    /// When the process was started.
    started: Option<Duration>,
    /// After what time the last sample came, and the processor time that it had.
    last: (Duration, Option<Duration>),
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
        let settings = (interval, limit);
        Ok(Self {
            at: None,
            settings,
            monitor: monitor(settings),
            work: None,
            begun: None,
            was_over: false,
            restarts: 0,
            json: json.map(create).transpose()?,
        })
    }

    /// Memory is judged by the work that was done instead of the time that passed.
    #[must_use]
    pub fn by_work(mut self) -> Self {
        self.work = Some(Work::default());
        self
    }

    /// Takes note of a sample that was taken now, after so many steps if they are counted.
    /// Returns its line for people, and what begins or is over with it; none if the process is
    /// gone, or another one has its number.
    ///
    /// # Errors
    /// If the line for programs cannot be written.
    pub fn observe(
        &mut self,
        sample: &Sample,
        steps: Option<u64>,
    ) -> Result<Option<Vec<String>>, WatchError> {
        let now = Instant::now();
        let is_other = |begun: &Begun| {
            let both = begun.started.zip(sample.started);
            both.is_some_and(|(first, now)| first != now)
        };
        if sample.is_gone() || self.begun.as_ref().is_some_and(is_other) {
            return Ok(None);
        }
        let events = self.judge(sample, steps);
        let verdict = self.memory();
        let elapsed = now.saturating_duration_since(*self.at.get_or_insert(now));
        let begun = self.begun.get_or_insert(Begun {
            at: now,
            started: sample.started,
            last: (elapsed, None),
        });
        let (before, cpu_before) = std::mem::replace(&mut begun.last, (elapsed, sample.cpu_time));
        let busy = sample.cpu_time.zip(cpu_before);
        let busy = busy.and_then(|(now, before)| now.checked_sub(before));
        let passed = elapsed.saturating_sub(before);
        let told = Told {
            sample,
            elapsed,
            cpu: busy.map(|busy| busy.as_secs_f64() / passed.as_secs_f64()),
            limit: verdict.as_ref().and_then(Verdict::limit),
            by: match (&self.work, &verdict) {
                (Some(work), _) => Some(By::Work(steps.unwrap_or(0), work.verdict())),
                (None, verdict) => verdict.as_ref().map(By::Time),
            },
            restart: None,
        };
        let lines = [vec![told.line()], events.clone()].concat();
        let record = Record::of(&told, events);
        self.write(&record)?;
        Ok(Some(lines))
    }

    /// Judges all figures. Returns what begins or is over.
    fn judge(&mut self, sample: &Sample, steps: Option<u64>) -> Vec<String> {
        let events = self.monitor.observe(sample.clone());
        let is_over = |event: &Event| matches!(event, Event::Raised(alert) if alert.kind == AlertKind::OverLimit);
        self.was_over |= events.iter().any(is_over);
        let limit = self.memory().as_ref().and_then(Verdict::limit);
        let Some(work) = &mut self.work else {
            return events.iter().map(ToString::to_string).collect();
        };
        // How memory grows over time is not asked for.
        let is_asked = |event: &&Event| match event {
            Event::Raised(alert) | Event::Cleared(alert) => {
                alert.figure != Figure::Memory || alert.kind == AlertKind::OverLimit
            }
            _ => true,
        };
        let events = events.iter().filter(is_asked).map(ToString::to_string);
        let mut events: Vec<_> = events.collect();
        if let Some((steps, memory)) = steps.zip(sample.memory_bytes()) {
            events.extend(work.observe(steps, memory, limit));
        }
        events
    }

    fn write(&mut self, record: &Record) -> Result<(), WatchError> {
        let Some((path, file)) = &mut self.json else {
            return Ok(());
        };
        let line = serde_json::to_vec(record).map_err(io::Error::from);
        let written = line.and_then(|mut line| {
            line.push(b'\n');
            file.write_all(&line)
        });
        written.map_err(|source| WatchError::File {
            path: path.clone(),
            source,
        })
    }

    /// The memory that it has and its limit, if it passed that and has not come well below it.
    pub fn over_limit(&self) -> Option<Reason> {
        let status = self.monitor.status();
        let memory = status.sample.as_ref()?.memory_bytes()?;
        let limit = status.verdict(&Figure::Memory)?.limit()?;
        let over = (Figure::Memory, AlertKind::OverLimit);
        status
            .alerts
            .contains(&over)
            .then_some(Reason::Limit { memory, limit })
    }

    /// The last sample of the process.
    pub fn last(&self) -> Option<Sample> {
        self.monitor.status().sample
    }

    /// How long the process ran, from its first sample.
    pub fn ran(&self) -> Duration {
        let begun = self.begun.as_ref();
        begun.map_or(Duration::ZERO, |begun| begun.at.elapsed())
    }

    /// The process ended, and is started again after `pause`. Returns what to say of both; what
    /// comes now is a new process.
    ///
    /// # Errors
    /// If the line for programs cannot be written.
    pub fn restart(
        &mut self,
        ended: &Ended,
        reason: &Reason,
        pause: Duration,
    ) -> Result<String, WatchError> {
        let finding = self.finding(ended);
        self.restarts += 1;
        let mut none = Sample::at(SystemTime::now());
        none.processes = 0;
        self.write(&Record::of(
            &Told {
                sample: &none,
                elapsed: self.at.map_or(Duration::ZERO, |at| at.elapsed()),
                cpu: None,
                limit: None,
                by: None,
                restart: Some(reason),
            },
            Vec::new(),
        ))?;
        self.begun = None;
        self.monitor = monitor(self.settings);
        self.work = self.work.as_ref().map(|_| Work::default());
        let number = Thousands(self.restarts);
        Ok(format!(
            "{finding}restart {number} in {}: {reason}\n",
            Span(pause)
        ))
    }

    fn memory(&self) -> Option<Verdict> {
        self.monitor.status().verdict(&Figure::Memory).cloned()
    }

    /// The verdicts at the end, one a line, and how the process ended.
    pub fn finding(&self, ended: &Ended) -> String {
        let verdicts = self.monitor.status().verdicts;
        let lines = verdicts.iter().map(|verdict| match &self.work {
            Some(work) if *verdict.figure() == Figure::Memory => work.verdict().to_string(),
            _ => verdict.to_string(),
        });
        let lines: Vec<_> = lines.chain([ended.to_string()]).collect();
        lines.join("\n") + "\n"
    }

    /// How often it was started again; nothing if it was not.
    pub fn restarts(&self) -> String {
        match self.restarts {
            0 => String::new(),
            restarts => format!(
                "restarts: {}; the verdicts are of the time since the last one\n",
                Thousands(restarts)
            ),
        }
    }

    /// What the tool exits with. At the end nothing more comes that could show a rise to be a
    /// day's rhythm, so memory that rose all the time counts as growing.
    pub fn exit_code(&self, ended: &Ended) -> u8 {
        let verdicts = self.monitor.status().verdicts;
        let (memory, rose) = match (&self.work, self.memory()) {
            (Some(work), _) => (Some(work.verdict().state()), false),
            (None, Some(verdict)) => (Some(verdict.state()), verdict.per_hour() > 0.0),
            (None, None) => (None, false),
        };
        let others = { verdicts.iter() }.filter(|verdict| *verdict.figure() != Figure::Memory);
        let mut states = others.map(Verdict::state).chain(memory);
        let grows = rose || states.any(|state| state == State::Growing);
        if self.was_over || self.restarts > 0 || ended.is_failure() || grows {
            exit_code::FAILED
        } else if memory == Some(State::Bounded) {
            exit_code::PASSED
        } else {
            exit_code::NO_ANSWER
        }
    }
}

fn monitor((interval, limit): (Duration, ByteSize)) -> Monitor {
    Monitor::builder().interval(interval).limit(limit).build()
}

#[cfg(test)]
mod tests {
    use super::Watch;
    use highwater::ByteSize;
    use highwater_monitor::{Note, Sample};
    use std::time::{Duration, SystemTime};

    const INTERVAL: Duration = Duration::from_mins(1);

    fn watch() -> Watch {
        Watch::new(INTERVAL, ByteSize::gb(1), None).expect("there is no file")
    }

    fn sample(time: SystemTime) -> Sample {
        let mut sample = Sample::at(time);
        sample.resident_bytes = Some(1_000_000);
        sample.started = Some(Duration::from_secs(77));
        sample
    }

    /// The lines of these samples, one after the other; none for a process that is gone.
    fn lines(samples: &[Sample]) -> Vec<Option<Vec<String>>> {
        let mut watch = watch();
        let lines = samples.iter().map(|sample| watch.observe(sample, None));
        lines.collect::<Result<_, _>>().expect("no file is written")
    }

    #[test]
    fn a_process_that_has_the_number_of_one_that_ended_is_not_taken_for_it() {
        let first = sample(SystemTime::UNIX_EPOCH);
        let mut other = first.clone();
        other.started = Some(Duration::from_secs(78));
        let lines = lines(&[first.clone(), first, other]);
        let is_there: Vec<_> = lines.iter().map(Option::is_some).collect();
        assert_eq!(is_there, [true, true, false]);
    }

    #[test]
    fn a_process_is_gone_when_it_is_noted_and_not_when_its_memory_is_unknown() {
        let first = sample(SystemTime::UNIX_EPOCH);
        let mut unknown = first.clone();
        unknown.resident_bytes = None;
        unknown.notes.push(Note::Unreadable("/proc/PID/status"));
        let mut gone = Sample::at(SystemTime::UNIX_EPOCH);
        gone.notes.push(Note::ProcessGone);
        let lines = lines(&[first, unknown, gone]);
        let unknown = lines[1].as_ref().expect("it is there");
        assert_eq!(
            unknown[unknown.len() - 1],
            "note: /proc/PID/status could not be read, so its figures are unknown"
        );
        assert_eq!(lines[2], None);
    }

    #[test]
    fn the_clock_on_the_wall_does_not_say_how_long_it_is_watched() {
        let first = sample(SystemTime::UNIX_EPOCH);
        let later = sample(SystemTime::UNIX_EPOCH + Duration::from_hours(72));
        let lines = lines(&[first, later]);
        let line = &lines[1].as_ref().expect("it is there")[0];
        assert!(!line.contains("3 d"), "{line}");
    }
}
