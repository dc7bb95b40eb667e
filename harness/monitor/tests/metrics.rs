//! The text for Prometheus.

#![forbid(unsafe_code)]
#![cfg(feature = "prometheus")]

use highwater_monitor::{Cgroup, Monitor, Pressure, Sample};
use std::time::{Duration, SystemTime};

/// A service whose memory grows by 60 MB an hour, after eight hours.
#[test]
fn the_text_of_a_service_that_grows() {
    let monitor = Monitor::builder().build();
    assert_eq!(monitor.metrics(), "");
    for minute in 0..480 {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(60 * minute);
        let mut sample = Sample::at(time);
        sample.resident_bytes = Some(200_000_000 + minute * 1_000_000);
        sample.virtual_bytes = Some(3_000_000_000);
        sample.swap_bytes = Some(0);
        sample.machine_bytes = Some(64_000_000_000);
        sample.threads = Some(12);
        sample.descriptors = Some(40);
        sample.descriptor_limit = Some(1_024);
        sample.cpu_time = Some(Duration::from_millis(1_500 * minute));
        let mut cgroup = Cgroup::default();
        cgroup.current_bytes = 900_000_000;
        cgroup.max_bytes = Some(2_000_000_000);
        cgroup.high_events = 3;
        let mut pressure = Pressure::default();
        pressure.waiting = Duration::from_micros(7_654_321);
        pressure.stalled = Duration::from_micros(391_926);
        cgroup.pressure = Some(pressure);
        sample.machine_pressure = Some(pressure);
        sample.cgroup = Some(cgroup);
        monitor.observe(sample);
    }
    let text = monitor.metrics();
    // The order within a metric is that of a hash map.
    let mut metrics: Vec<Vec<&str>> = Vec::new();
    for line in text.lines() {
        match metrics.last_mut() {
            Some(metric) if !line.starts_with("# HELP") => metric.push(line),
            _ => metrics.push(vec![line]),
        }
    }
    for metric in &mut metrics {
        metric[2..].sort_unstable();
    }
    insta::assert_snapshot!(metrics.concat().join("\n"));
}
