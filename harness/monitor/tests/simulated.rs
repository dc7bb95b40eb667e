//! Simulated days of services, on a clock that the samples carry: sound ones raise no alert, and
//! leaky ones raise one early.

#![forbid(unsafe_code)]

use highwater::ByteSize;
use highwater_monitor::{AlertKind, Event, Figure, Monitor, Note, Sample, State};
use rstest::rstest;
use std::ops::Range;
use std::time::{Duration, SystemTime};

const MB: f64 = 1e6;
const HOUR: u64 = 60;
const DAY: u64 = 24 * HOUR;

/// Bytes after so many minutes.
type Memory = fn(u64) -> f64;

/// Numbers that look random, between -1 and 1, the same in every run.
fn noise(seed: u64) -> f64 {
    let mixed = (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}

/// Where a day's traffic stands: 0 at its lowest, 1 at its highest.
fn traffic(minute: u64) -> f64 {
    let turn = minute as f64 / DAY as f64 * std::f64::consts::TAU;
    f64::midpoint(1.0, -turn.cos())
}

fn ring(minute: u64) -> f64 {
    80.0 * MB + 20.0 * MB * (minute as f64 / 90.0).min(1.0)
}

fn noisy(minute: u64) -> f64 {
    150.0 * MB + 10.0 * MB * noise(minute)
}

fn cache(minute: u64) -> f64 {
    100.0 * MB + 70.0 * MB * (1.0 - (-(minute as f64) / 200.0).exp()) + 2.0 * MB * noise(minute)
}

fn logarithm(minute: u64) -> f64 {
    100.0 * MB + 10.0 * MB * (minute as f64 + 1.0).ln()
}

fn day_and_night(minute: u64) -> f64 {
    200.0 * MB + 50.0 * MB * traffic(minute) + 3.0 * MB * noise(minute)
}

fn starts_in_the_morning(minute: u64) -> f64 {
    day_and_night(minute + 6 * HOUR)
}

/// Feeds that connect again every four hours, and buffers that fill meanwhile.
fn feeds(minute: u64) -> f64 {
    120.0 * MB
        + 50.0 * MB * (minute % (4 * HOUR)) as f64 / (4 * HOUR) as f64
        + 2.0 * MB * noise(minute)
}

/// Loads 300 MB at its start, then works with 200 MB.
fn loads(minute: u64) -> f64 {
    match minute {
        0..5 => 60.0 * MB * (minute + 1) as f64,
        5..20 => 300.0 * MB,
        _ => 200.0 * MB + MB * noise(minute),
    }
}

/// Batches every half hour that need 100 MB for six minutes.
fn batches(minute: u64) -> f64 {
    let batch = if minute % 30 < 6 { 100.0 } else { 0.0 };
    150.0 * MB + batch * MB + MB * noise(minute)
}

/// All at once.
fn service(minute: u64) -> f64 {
    (feeds(minute) + day_and_night(minute) + batches(minute) + cache(minute)) / 2.5
}

fn at(minute: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(minute * 60)
}

// Memory is not below zero, and smaller than a u64.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn sample(minute: u64, bytes: f64) -> Sample {
    let mut sample = Sample::at(at(minute));
    // As the system counts it: in pages.
    sample.resident_bytes = Some(bytes as u64 / 4_096 * 4_096);
    sample
}

fn monitor() -> Monitor {
    Monitor::builder().limit(ByteSize::gb(1)).build()
}

/// The alerts of so many minutes.
fn alerts(
    monitor: &Monitor,
    minutes: Range<u64>,
    memory: impl Fn(u64) -> f64,
) -> Vec<(u64, String)> {
    let mut alerts = Vec::new();
    for minute in minutes {
        for event in monitor.observe(sample(minute, memory(minute))) {
            alerts.push((minute, event.to_string()));
        }
    }
    alerts
}

#[rstest]
#[case::ring(ring)]
#[case::noisy(noisy)]
#[case::cache(cache)]
#[case::logarithm(logarithm)]
#[case::day_and_night(day_and_night)]
#[case::starts_in_the_morning(starts_in_the_morning)]
#[case::feeds(feeds)]
#[case::loads(loads)]
#[case::batches(batches)]
#[case::service(service)]
fn a_sound_service_raises_no_alert(#[case] memory: Memory) {
    let monitor = monitor();
    let found = alerts(&monitor, 0..DAY, memory);
    assert_eq!(found, []);
    let after_a_day = monitor.status();
    // A week more.
    assert_eq!(alerts(&monitor, DAY..8 * DAY, memory), [], "{after_a_day}");
    let verdict = &monitor.status().verdicts[0];
    assert_ne!(verdict.state(), State::Growing, "{verdict}");
}

#[rstest]
fn its_leaky_twin_raises_one_early(
    #[values(
        ring,
        noisy,
        cache,
        logarithm,
        day_and_night,
        starts_in_the_morning,
        feeds,
        loads,
        batches,
        service
    )]
    memory: Memory,
    #[values(24, 100)] hours: u64,
    #[values(0, 2, 30, 100)] sound_hours: u64,
) {
    let (start, end) = (sound_hours * HOUR, (sound_hours + hours) * HOUR);
    let room = 1_000.0 * MB - memory(end);
    let leaky = |minute: u64| {
        memory(minute) + room * minute.saturating_sub(start) as f64 / (end - start) as f64
    };
    let monitor = monitor();
    // What rose in the days before hides some of it.
    let percent = if sound_hours < 100 { 10 } else { 16 };
    let found = alerts(&monitor, 0..start + hours * HOUR * percent / 100, leaky);
    let status = monitor.status();
    let [(_, alert), ..] = found.as_slice() else {
        panic!("no alert: {status}");
    };
    assert!(alert.starts_with("alert: memory: growing by "), "{found:?}");
}

/// A tenth of eight hours is 48 minutes: too few samples under some of these, so they come
/// every 20 s.
#[rstest]
fn a_fast_leak_needs_a_shorter_interval(#[values(ring, cache, feeds, loads)] memory: Memory) {
    let monitor = Monitor::builder().interval(Duration::from_secs(20)).build();
    let room = 1_000.0 * MB - memory(8 * HOUR);
    let mut raised = None;
    for third in 0..3 * 48 {
        let (minute, step) = (third / 3, third as f64 / (3 * 8 * HOUR) as f64);
        let mut sample = sample(minute, memory(minute) + room * step);
        sample.time = SystemTime::UNIX_EPOCH + Duration::from_secs(20 * third);
        raised = raised.or(monitor.observe(sample).pop());
    }
    assert!(raised.is_some(), "{}", monitor.status());
}

/// What a leak of 30 MB an hour says from its beginning to its end.
#[test]
fn each_alert_is_told_once_and_again_when_it_is_over() {
    let monitor = monitor();
    let leak = |minute: u64| (200.0 + minute.min(28 * HOUR) as f64 / 2.0) * MB;
    let mut told = alerts(&monitor, 0..30 * HOUR, leak);
    // Somebody frees most of it.
    told.extend(alerts(&monitor, 30 * HOUR..40 * HOUR, |_| 300.0 * MB));
    let told: Vec<_> = told
        .iter()
        .map(|(minute, text)| format!("{:02}:{:02} {text}", minute / 60, minute % 60))
        .collect();
    insta::assert_snapshot!(told.join("\n"));
    assert_eq!(monitor.status().alerts, [], "{}", monitor.status());
}

#[test]
fn the_projection_is_what_then_happens() {
    let monitor = monitor();
    let leak = |minute: u64| service(minute) + 0.5 * MB * minute as f64;
    let mut told = Vec::new();
    for minute in 0..DAY {
        if leak(minute) >= 1_000.0 * MB {
            let (at, until): (u64, Duration) = told[0];
            let (said, was) = (until.as_secs_f64() / 60.0, (minute - at) as f64);
            assert!(
                (said / was - 1.0).abs() < 0.1,
                "said {said}, was {was} minutes"
            );
            return;
        }
        monitor.observe(sample(minute, leak(minute)));
        let verdict = &monitor.status().verdicts[0];
        if verdict.state() == State::Growing && minute > 8 * HOUR {
            told.push((minute, verdict.time_to_limit().expect("it has a limit")));
        }
    }
    panic!("it never reached the limit");
}

/// However long it was sound before, and however fast it leaks then.
#[rstest]
fn a_late_leak_is_near_its_limit_in_time(
    #[values(ring, noisy, day_and_night, service)] memory: Memory,
    #[values(1, 30)] sound_days: u64,
    #[values(25.0, 50.0, 100.0)] megabytes_an_hour: f64,
) {
    let monitor = monitor();
    let start = sound_days * DAY;
    assert_eq!(alerts(&monitor, 0..start, memory), []);
    let leaky = |minute: u64| {
        memory(minute) + (minute - start) as f64 / HOUR as f64 * megabytes_an_hour * MB
    };
    let is_over = |minute: &u64| leaky(*minute) > 1_000.0 * MB;
    let end = (start..start + 100 * DAY).find(is_over).expect("it leaks");
    let found = alerts(&monitor, start..end, leaky);
    let is_near = |(_, text): &&(u64, String)| text.contains(", and reaches the limit of ");
    let Some((near, _)) = found.iter().find(is_near) else {
        panic!("{found:?}\n{}", monitor.status());
    };
    // The projection is of the floor: swings reach the limit before it.
    let floor = (start..start + DAY)
        .map(memory)
        .fold(f64::INFINITY, f64::min);
    let hours = (1_000.0 * MB - floor) / (megabytes_an_hour * MB) - (near - start) as f64 / 60.0;
    // A slow leak is long beside what swings; sound days still weigh in its rate.
    let right = if megabytes_an_hour < 100.0 {
        1.5..=6.0
    } else {
        3.0..=5.0
    };
    assert!(right.contains(&hours), "{hours} h were left");
}

/// A table that doubles rests between two jumps for as long as it was seen before. That it grows
/// is told once.
#[test]
fn a_table_that_doubles_is_told_once() {
    let monitor = monitor();
    let table = |minute: u64| (minute * 160 * 1_024).next_power_of_two() as f64;
    let told = alerts(&monitor, 0..2 * DAY, table);
    let growing: Vec<_> = told
        .iter()
        .filter(|(_, text)| text.contains("grow"))
        .collect();
    assert_eq!(growing.len(), 1, "{told:?}");
}

/// What takes less than a fourteenth of the room raises no alert, however long it rises.
#[test]
fn a_small_rise_raises_no_alert() {
    let monitor = monitor();
    let slow = |minute: u64| 200.0 * MB + 5.0 * MB * minute as f64 / DAY as f64;
    assert_eq!(alerts(&monitor, 0..10 * DAY, slow), []);
    let [(minute, alert), ..] = &alerts(&monitor, 10 * DAY..14 * DAY, slow)[..] else {
        panic!("no alert: {}", monitor.status());
    };
    assert!(alert.starts_with("alert: memory: growing by "), "{alert}");
    // A fourteenth of 800 MB are 57 MB.
    assert!((11 * DAY..13 * DAY).contains(minute), "{minute}: {alert}");
}

#[test]
fn a_clock_that_is_set_back_and_a_machine_that_slept_change_no_verdict() {
    let plain = monitor();
    assert_eq!(alerts(&plain, 0..DAY, service), []);
    let odd = monitor();
    let mut notes = Vec::new();
    for minute in 0..DAY {
        let mut sample = sample(minute, service(minute));
        // Set back by an hour after ten, asleep for an hour after 18.
        let (back, slept) = (minute >= 10 * HOUR, minute >= 18 * HOUR);
        sample.time -= Duration::from_secs(3_600 * u64::from(back));
        sample.time += Duration::from_secs(3_600 * u64::from(slept));
        notes.extend(odd.observe(sample));
    }
    let expected = [
        Event::Noted(Note::ClockSetBack(Duration::from_mins(59))),
        Event::Noted(Note::Gap(Duration::from_mins(61))),
    ];
    assert_eq!(notes, expected);
    let mut verdicts = [plain, odd]
        .map(|monitor| monitor.status().verdicts)
        .into_iter();
    assert_eq!(verdicts.next(), verdicts.next());
}

#[test]
fn figures_that_are_missing_are_no_zero() {
    let monitor = monitor();
    assert_eq!(alerts(&monitor, 0..DAY, ring), []);
    let before = monitor.status().verdicts;
    let mut gone = Sample::at(at(DAY));
    gone.notes.push(Note::ProcessGone);
    assert_eq!(
        monitor.observe(gone.clone()),
        [Event::Noted(Note::ProcessGone)]
    );
    // It is told once.
    gone.time = at(DAY + 1);
    assert_eq!(monitor.observe(gone), []);
    assert_eq!(monitor.status().verdicts, before);
}

#[test]
fn a_limit_of_the_control_group_that_is_lower_holds() {
    let monitor = monitor();
    let mut sample = sample(0, 600.0 * MB);
    let mut cgroup = highwater_monitor::Cgroup::default();
    cgroup.max_bytes = Some(500_000_000);
    sample.cgroup = Some(cgroup);
    let events = monitor.observe(sample);
    let [Event::Raised(alert)] = events.as_slice() else {
        panic!("{events:?}");
    };
    assert_eq!(
        (alert.kind, &alert.figure),
        (AlertKind::OverLimit, &Figure::Memory)
    );
    insta::assert_snapshot!(alert.text);
}

/// Its limit is without swap, and what is judged is with it.
#[test]
fn what_is_swapped_out_does_not_count_in_the_control_group() {
    let monitor = monitor();
    let mut sample = sample(0, 400.0 * MB);
    sample.swap_bytes = Some(300_000_000);
    let mut cgroup = highwater_monitor::Cgroup::default();
    cgroup.max_bytes = Some(500_000_000);
    sample.cgroup = Some(cgroup);
    assert_eq!(monitor.observe(sample), []);
    let status = monitor.status();
    let memory = status.verdict(&Figure::Memory).expect("it is known");
    assert_eq!(memory.limit(), Some(800_000_000));
}

/// Descriptors have the limit of the process, and threads none.
#[test]
fn descriptors_and_threads_are_judged_too() {
    let monitor = monitor();
    let mut told = Vec::new();
    for minute in 0..4 * DAY {
        let mut sample = sample(minute, ring(minute));
        sample.descriptors = Some(40 + minute / 60);
        sample.descriptor_limit = Some(1_024);
        sample.threads = Some(8 + minute / 300);
        let events = monitor.observe(sample);
        told.extend(
            events
                .iter()
                .map(|event| format!("day {} {event}", minute / DAY)),
        );
    }
    insta::assert_snapshot!(told.join("\n") + "\n\n" + &monitor.status().to_string());
}

#[test]
fn how_verdicts_read() {
    let monitor = monitor();
    let mut read = Vec::new();
    for minute in 0..=DAY {
        monitor.observe(sample(minute, day_and_night(minute)));
        if [0, 20, 40, 6 * HOUR, DAY].contains(&minute) {
            read.push(format!("after {minute} minutes\n{}", monitor.status()));
        }
    }
    // At rest, but above the limit, below which no leak can be told to be small.
    let above = self::monitor();
    assert_eq!(alerts(&above, 0..100, |_| 1_200.0 * MB).len(), 1);
    read.push(format!("above the limit\n{}", above.status()));
    insta::assert_snapshot!(read.join("\n"));
}
