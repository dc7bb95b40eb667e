//! A sample as a line of a table, and as a line of JSON.

use super::restart::Reason;
use super::work;
use highwater::__private::{Size, Thousands};
use highwater_monitor::__private::Span;
use highwater_monitor::{Sample, State, Verdict};
use serde::Serialize;
use std::time::{Duration, SystemTime};

/// The titles of the columns.
pub const HEAD: &str =
    "      time    memory  of limit      swap  threads    files    CPU  memory is";

/// The same where memory is judged by work: the first one is of that.
pub const HEAD_BY_WORK: &str =
    "     steps    memory  of limit      swap  threads    files    CPU  memory is";

/// What is known of memory.
#[derive(Clone, Copy, Debug)]
pub enum By<'a> {
    /// Over time.
    Time(&'a Verdict),
    /// After so many steps.
    Work(u64, &'a work::Verdict),
}

/// What a line is about.
pub struct Told<'a> {
    /// The sample.
    pub sample: &'a Sample,
    /// Since the first.
    pub elapsed: Duration,
    /// Processors that were busy since the sample before, on average.
    pub cpu: Option<f64>,
    /// The limit of memory.
    pub limit: Option<u64>,
    /// What is known of memory.
    pub by: Option<By<'a>>,
    /// Why the process is started again, if there is none now.
    pub restart: Option<&'a Reason>,
}

impl By<'_> {
    fn state(self) -> State {
        match self {
            Self::Time(verdict) => verdict.state(),
            Self::Work(_, verdict) => verdict.state(),
        }
    }
}

impl Told<'_> {
    /// A line below [`HEAD`] or [`HEAD_BY_WORK`]. What is not known is `?`.
    pub fn line(&self) -> String {
        let sample = self.sample;
        let known = |text: Option<String>| text.unwrap_or_else(|| "?".to_owned());
        let size = |bytes: Option<u64>| known(bytes.map(|bytes| Size(bytes).to_string()));
        let count = |count: Option<u64>| known(count.map(|count| Thousands(count).to_string()));
        let percent =
            |share: Option<f64>| known(share.map(|share| format!("{:.0} %", share * 100.0)));
        let memory = sample.memory_bytes();
        let share = memory
            .zip(self.limit)
            .map(|(memory, limit)| memory as f64 / limit as f64);
        let state = self.by.map(|by| by.state().to_string());
        let first = match self.by {
            Some(By::Work(steps, _)) => Thousands(steps).to_string(),
            _ => Span(self.elapsed).to_string(),
        };
        format!(
            "{:>10}{:>10}{:>10}{:>10}{:>9}{:>9}{:>7}  {}",
            first,
            size(memory),
            percent(share),
            size(sample.swap_bytes),
            count(sample.threads),
            count(sample.descriptors),
            percent(self.cpu.filter(|share| share.is_finite())),
            known(state)
        )
    }
}

/// A sample for programs. What is not known is null.
#[derive(Debug, Serialize)]
pub struct Record {
    time_seconds: f64,
    elapsed_seconds: f64,
    processes: u64,
    resident_bytes: Option<u64>,
    virtual_bytes: Option<u64>,
    swap_bytes: Option<u64>,
    threads: Option<u64>,
    descriptors: Option<u64>,
    cpu_seconds: Option<f64>,
    cgroup_bytes: Option<u64>,
    state: Option<String>,
    bytes_per_hour: Option<f64>,
    seconds_to_limit: Option<f64>,
    steps: Option<u64>,
    bytes_per_step: Option<f64>,
    steps_to_limit: Option<u64>,
    events: Vec<String>,
    restart: Option<String>,
}

impl Record {
    pub(super) fn of(told: &Told<'_>, events: Vec<String>) -> Self {
        let sample = told.sample;
        let (by_time, by_work) = match told.by {
            Some(By::Time(verdict)) => (Some(verdict), None),
            Some(By::Work(steps, verdict)) => (None, Some((steps, verdict))),
            None => (None, None),
        };
        let time = sample.time.duration_since(SystemTime::UNIX_EPOCH);
        Self {
            time_seconds: time.unwrap_or_default().as_secs_f64(),
            elapsed_seconds: told.elapsed.as_secs_f64(),
            processes: sample.processes,
            resident_bytes: sample.resident_bytes,
            virtual_bytes: sample.virtual_bytes,
            swap_bytes: sample.swap_bytes,
            threads: sample.threads,
            descriptors: sample.descriptors,
            cpu_seconds: sample.cpu_time.map(|time| time.as_secs_f64()),
            cgroup_bytes: sample.cgroup.map(|group| group.current_bytes),
            state: told.by.map(|by| by.state().to_string()),
            bytes_per_hour: by_time.map(Verdict::per_hour),
            seconds_to_limit: by_time
                .and_then(Verdict::time_to_limit)
                .map(|until| until.as_secs_f64()),
            steps: by_work.map(|(steps, _)| steps),
            bytes_per_step: by_work.map(|(_, verdict)| verdict.per_step()),
            steps_to_limit: by_work.and_then(|(_, verdict)| verdict.steps_to_limit()),
            events,
            restart: told.restart.map(ToString::to_string),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{By, HEAD, HEAD_BY_WORK, Told};
    use crate::watch::work::Work;
    use highwater_monitor::{Monitor, Sample};
    use std::time::{Duration, SystemTime};

    #[test]
    fn a_line_fits_below_its_head() {
        let at = |minute: u64| {
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(60 * minute);
            let mut sample = Sample::at(time);
            sample.resident_bytes = Some(312_345_678 + minute * 1_000_000);
            sample.swap_bytes = Some(0);
            sample.threads = Some(12);
            sample.descriptors = Some(1_040);
            sample
        };
        let monitor = Monitor::builder().build();
        let mut lines = vec![HEAD.to_owned()];
        for minute in 0..100 {
            monitor.observe(at(minute));
            let status = monitor.status();
            let told = Told {
                sample: &at(minute),
                elapsed: Duration::from_secs(60 * minute),
                cpu: (minute > 0).then_some(4.0 / 3.0),
                limit: Some(1_000_000_000),
                by: status.verdicts.first().map(By::Time),
                restart: None,
            };
            if minute % 33 == 0 {
                lines.push(told.line());
            }
        }
        let unknown = Told {
            sample: &Sample::at(SystemTime::UNIX_EPOCH),
            elapsed: Duration::from_secs(400_000),
            cpu: Some(f64::INFINITY),
            limit: None,
            by: None,
            restart: None,
        };
        lines.push(unknown.line());
        lines.push(HEAD_BY_WORK.to_owned());
        let work = Work::default();
        let by_work = Told {
            by: Some(By::Work(1_234_567, work.verdict())),
            ..unknown
        };
        lines.push(by_work.line());
        assert!(lines.iter().all(|line| line.len() <= 80));
        insta::assert_snapshot!(lines.join("\n"));
    }
}
