//! The figures and verdicts of a monitor as metrics for Prometheus.

use crate::alert::AlertKind;
use crate::monitor::{Monitor, Status};
use crate::sample::{Allocator, Cgroup, Pressure, Sample};
use crate::verdict::{State, Verdict};
use prometheus_client::encoding::prometheus_text;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::{Registry, Unit};
use std::sync::atomic::AtomicU64;
use std::time::{Duration, SystemTime};

type Labels = Vec<(&'static str, String)>;
type Numbers = Family<Labels, Gauge<f64, AtomicU64>>;

/// The content type of [`Monitor::metrics`].
pub const METRICS_CONTENT_TYPE: &str = prometheus_text::CONTENT_TYPE;

/// The seconds of an hour, by which rates are divided.
const HOUR: f64 = 3_600.0;

impl Monitor {
    /// The last sample, the verdicts and the alerts in the text format of Prometheus, for an
    /// endpoint of your own; nothing before the first sample. Its content type is
    /// [`METRICS_CONTENT_TYPE`].
    ///
    /// A figure that is not known has no metric.
    pub fn metrics(&self) -> String {
        let status = self.status();
        let mut registry = Registry::with_prefix("highwater");
        if let Some(sample) = &status.sample {
            of_sample(&mut registry, sample);
            of_components(&mut registry, sample);
            of_allocators(&mut registry, sample);
            if let Some(cgroup) = &sample.cgroup {
                of_cgroup(&mut registry, cgroup);
            }
            of_verdicts(&mut registry, &status);
        }
        let mut text = String::new();
        // A string takes all that is written to it.
        let _ = prometheus_text::encode(&mut text, &registry);
        text
    }
}

fn of_sample(registry: &mut Registry, sample: &Sample) {
    let heap = sample.heap;
    let bytes = [
        ("resident_memory", "Memory in RAM", sample.resident_bytes),
        ("virtual_memory", "Address space", sample.virtual_bytes),
        (
            "swapped_memory",
            "Memory that was swapped out",
            sample.swap_bytes,
        ),
        (
            "machine_memory",
            "Memory of the machine",
            sample.machine_bytes,
        ),
        (
            "heap_live",
            "Bytes allocated and not freed",
            heap.map(|heap| heap.live_bytes),
        ),
        (
            "heap_peak",
            "Highest live bytes of all samples",
            heap.map(|heap| heap.peak_bytes),
        ),
    ];
    for (name, help, bytes) in bytes {
        gauge(registry, name, help, Some(Unit::Bytes), bytes);
    }
    let blocks = heap.map(|heap| heap.live_blocks);
    gauge(
        registry,
        "heap_live_blocks",
        "Blocks allocated and not freed",
        None,
        blocks,
    );
    gauge(registry, "threads", "Threads", None, sample.threads);
    gauge(
        registry,
        "open_descriptors",
        "Open descriptors",
        None,
        sample.descriptors,
    );
    let limit = sample.descriptor_limit;
    gauge(
        registry,
        "max_descriptors",
        "The most descriptors that may be open",
        None,
        limit,
    );
    if let Some(time) = sample.cpu_time {
        let counter = ConstCounter::new(time.as_secs_f64());
        registry.register_with_unit("cpu", "Processor time", Unit::Seconds, counter);
    }
    if let Some(pressure) = sample.machine_pressure {
        of_pressure(registry, "machine", "the machine", pressure);
    }
    let since_epoch = sample.time.duration_since(SystemTime::UNIX_EPOCH);
    let time = ConstGauge::new(since_epoch.unwrap_or(Duration::ZERO).as_secs_f64());
    registry.register_with_unit(
        "last_sample_timestamp",
        "When the last sample was taken",
        Unit::Seconds,
        time,
    );
}

fn of_components(registry: &mut Registry, sample: &Sample) {
    let bytes = family(
        registry,
        "component_live_bytes",
        "Live bytes of a component",
    );
    for component in &sample.components {
        let labels = vec![("component", component.name.clone())];
        set(&bytes, &labels, Some(component.live_bytes as f64));
    }
}

fn of_allocators(registry: &mut Registry, sample: &Sample) {
    let figure = |name: &str, help: &str, of: fn(&Allocator) -> Option<u64>| {
        let known = sample.allocators.iter().filter_map(|allocator| {
            let labels = vec![("allocator", allocator.name.to_owned())];
            Some((labels, of(allocator)? as f64))
        });
        let known: Vec<_> = known.collect();
        (!known.is_empty()).then(|| (name.to_owned(), help.to_owned(), known))
    };
    let figures = [
        figure("held", "What an allocator has from the system", |of| {
            Some(of.held_bytes)
        }),
        figure("used", "What an allocator has handed out", |of| {
            of.used_bytes
        }),
        figure("fragmented", "What is free on pages in use", |of| {
            of.fragmented_bytes
        }),
    ];
    for (name, help, known) in figures.into_iter().flatten() {
        let bytes = family(registry, &format!("allocator_{name}_bytes"), &help);
        for (labels, value) in known {
            set(&bytes, &labels, Some(value));
        }
    }
}

fn of_cgroup(registry: &mut Registry, group: &Cgroup) {
    let bytes = [
        (
            "cgroup_memory",
            "Memory of the control group",
            Some(group.current_bytes),
        ),
        (
            "cgroup_memory_max",
            "Limit at which the system kills",
            group.max_bytes,
        ),
        (
            "cgroup_memory_high",
            "Limit at which the system slows down",
            group.high_bytes,
        ),
    ];
    for (name, help, bytes) in bytes {
        gauge(registry, name, help, Some(Unit::Bytes), bytes);
    }
    let counts = [
        (
            "cgroup_high_events",
            "How often the high limit was passed",
            group.high_events,
        ),
        (
            "cgroup_max_events",
            "How often the maximum was reached",
            group.max_events,
        ),
        (
            "cgroup_oom_kills",
            "Processes that were killed for memory",
            group.oom_kills,
        ),
    ];
    for (name, help, count) in counts {
        registry.register(name, help, ConstCounter::new(count));
    }
    if let Some(pressure) = group.pressure {
        of_pressure(registry, "cgroup", "the control group", pressure);
    }
}

/// Both times of waiting for memory, by processes of `whose`.
fn of_pressure(registry: &mut Registry, prefix: &str, whose: &str, pressure: Pressure) {
    let times = [
        ("waiting", "a process", pressure.waiting),
        ("stalled", "all processes", pressure.stalled),
    ];
    for (name, who, time) in times {
        let name = format!("{prefix}_memory_{name}");
        let help = format!("Time in which {who} of {whose} waited for memory");
        let counter = ConstCounter::new(time.as_secs_f64());
        registry.register_with_unit(name, help, Unit::Seconds, counter);
    }
}

fn of_verdicts(registry: &mut Registry, status: &Status) {
    let figure = |verdict: &Verdict| ("figure", verdict.figure.to_string());
    let verdict_states = family(registry, "verdict", "1 for the state that a figure is in");
    let growth = family(
        registry,
        "growth_per_second",
        "By how much a figure rises in a second",
    );
    let limits = family(registry, "limit", "The limit of a figure");
    let until = "time_to_limit_seconds";
    let until = family(
        registry,
        until,
        "When a figure that rises reaches its limit",
    );
    let smallest = "smallest_leak_per_second";
    let smallest = family(
        registry,
        smallest,
        "The smallest leak that would have shown",
    );
    let alerts = family(registry, "alert", "1 while an alert is raised");
    for verdict in &status.verdicts {
        for state in [State::Bounded, State::Growing, State::Settling] {
            let labels = vec![figure(verdict), ("state", state.to_string())];
            set(
                &verdict_states,
                &labels,
                Some(f64::from(u8::from(state == verdict.state))),
            );
        }
        let numbers = [
            (&growth, Some(verdict.per_hour / HOUR)),
            (&limits, verdict.limit.map(|limit| limit as f64)),
            (&until, verdict.until_limit.map(|until| until.as_secs_f64())),
            (&smallest, verdict.smallest_per_hour.map(|rate| rate / HOUR)),
        ];
        for (family, number) in numbers {
            set(family, &vec![figure(verdict)], number);
        }
        for kind in AlertKind::ALL {
            let is_raised = status.alerts.contains(&(verdict.figure.clone(), kind));
            let labels = vec![figure(verdict), ("kind", kind.to_string())];
            set(&alerts, &labels, Some(f64::from(u8::from(is_raised))));
        }
    }
}

fn gauge(registry: &mut Registry, name: &str, help: &str, unit: Option<Unit>, value: Option<u64>) {
    let Some(value) = value else { return };
    let gauge = ConstGauge::new(value as f64);
    match unit {
        Some(unit) => registry.register_with_unit(name, help, unit, gauge),
        None => registry.register(name, help, gauge),
    }
}

fn family(registry: &mut Registry, name: &str, help: &str) -> Numbers {
    let family = Numbers::default();
    registry.register(name, help, family.clone());
    family
}

fn set(family: &Numbers, labels: &Labels, value: Option<f64>) {
    if let Some(value) = value {
        family.get_or_create(labels).set(value);
    }
}
