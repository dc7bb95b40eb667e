//! A sample as a line of a table, and as a line of JSON.

use super::restart::Reason;
use highwater::__private::{Size, Thousands};
use highwater_monitor::__private::Span;
use highwater_monitor::{Event, Sample, Verdict};
use serde::Serialize;
use std::time::{Duration, SystemTime};

/// The titles of the columns.
pub const HEAD: &str =
    "      time    memory  of limit      swap  threads    files    CPU  memory is";

/// What a line is about.
pub struct Told<'a> {
    /// The sample.
    pub sample: &'a Sample,
    /// Since the first.
    pub elapsed: Duration,
    /// Processors that were busy since the sample before, on average.
    pub cpu: Option<f64>,
    /// What is known of memory.
    pub verdict: Option<&'a Verdict>,
    /// Why the process is started again, if there is none now.
    pub restart: Option<&'a Reason>,
}

impl Told<'_> {
    /// A line below [`HEAD`]. What is not known is `?`.
    pub fn line(&self) -> String {
        let sample = self.sample;
        let known = |text: Option<String>| text.unwrap_or_else(|| "?".to_owned());
        let size = |bytes: Option<u64>| known(bytes.map(|bytes| Size(bytes).to_string()));
        let count = |count: Option<u64>| known(count.map(|count| Thousands(count).to_string()));
        let percent =
            |share: Option<f64>| known(share.map(|share| format!("{:.0} %", share * 100.0)));
        let limit = self.verdict.and_then(Verdict::limit);
        let memory = sample.memory_bytes();
        let share = memory
            .zip(limit)
            .map(|(memory, limit)| memory as f64 / limit as f64);
        let state = self.verdict.map(|verdict| verdict.state().to_string());
        format!(
            "{:>10}{:>10}{:>10}{:>10}{:>9}{:>9}{:>7}  {}",
            Span(self.elapsed).to_string(),
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
    events: Vec<String>,
    restart: Option<String>,
}

impl Record {
    pub(super) fn of(told: &Told<'_>, events: &[Event]) -> Self {
        let sample = told.sample;
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
            state: told.verdict.map(|verdict| verdict.state().to_string()),
            bytes_per_hour: told.verdict.map(Verdict::per_hour),
            seconds_to_limit: told
                .verdict
                .and_then(Verdict::time_to_limit)
                .map(|until| until.as_secs_f64()),
            events: events.iter().map(ToString::to_string).collect(),
            restart: told.restart.map(ToString::to_string),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{HEAD, Told};
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
                verdict: status.verdicts.first(),
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
            verdict: None,
            restart: None,
        };
        lines.push(unknown.line());
        assert!(lines.iter().all(|line| line.len() <= 80));
        insta::assert_snapshot!(lines.join("\n"));
    }
}
