//! When alerts begin and end, and what they say of the cause.

#![forbid(unsafe_code)]

use highwater_monitor::{AlertKind, Allocator, Event, Figure, Heap, Monitor, Sample};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

const MB: u64 = 1_000_000;

fn sample(minute: u64, resident: u64) -> Sample {
    let mut sample = Sample::at(SystemTime::UNIX_EPOCH + Duration::from_secs(60 * minute));
    sample.resident_bytes = Some(resident);
    sample
}

/// Each event in a word, with its figure.
fn short(event: &Event) -> String {
    match event {
        Event::Raised(alert) => format!("{}: {}", alert.figure, alert.kind),
        Event::Cleared(alert) => format!("{}: not {}", alert.figure, alert.kind),
        event => event.to_string(),
    }
}

#[test]
fn memory_around_the_limit_raises_one_alert() {
    let monitor = Monitor::builder().build();
    let mut told = Vec::new();
    let levels = [900, 1_000, 1_001, 999, 1_010, 950, 901, 900, 1_000, 1_002];
    for (minute, level) in (0..).zip(levels) {
        let events = monitor.observe(sample(minute, level * MB));
        told.extend(events.iter().map(|event| (level, short(event))));
    }
    let expected = [
        (1_001, "memory: over limit".to_owned()),
        (900, "memory: not over limit".to_owned()),
        (1_002, "memory: over limit".to_owned()),
    ];
    assert_eq!(told, expected);
}

#[test]
fn the_callback_may_ask_for_the_status() {
    let kept: Arc<Mutex<Option<Monitor>>> = Arc::default();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (kept_too, seen_too) = (Arc::clone(&kept), Arc::clone(&seen));
    let monitor = Monitor::builder()
        .on_event(move |event| {
            let monitor = kept_too.lock().expect("nobody panicked").clone();
            let alerts = monitor.expect("it is there").status().alerts;
            seen_too
                .lock()
                .expect("nobody panicked")
                .push((short(event), alerts));
        })
        .build();
    *kept.lock().expect("nobody panicked") = Some(monitor.clone());
    monitor.observe(sample(0, 2_000 * MB));
    let expected = vec![(Figure::Memory, AlertKind::OverLimit)];
    let seen = seen.lock().expect("nobody panicked").clone();
    assert_eq!(seen, [("memory: over limit".to_owned(), expected)]);
}

/// The alert about memory that grows by a megabyte a minute after ten days at rest.
fn alert_of_memory(heap: impl Fn(u64) -> Option<u64>) -> String {
    alert_with(heap, |_| Vec::new())
}

/// The same with what allocators say of themselves.
fn alert_with(
    heap: impl Fn(u64) -> Option<u64>,
    allocators: impl Fn(u64) -> Vec<Allocator>,
) -> String {
    let start = 10 * 24 * 60;
    let monitor = Monitor::builder().build();
    let told = (0..start + 240).flat_map(|minute| {
        let grown = u64::saturating_sub(minute, start);
        let mut sample = sample(minute, (200 + grown) * MB);
        sample.heap = heap(grown).map(|bytes| {
            let mut live = Heap::default();
            live.live_bytes = bytes;
            live.peak_bytes = bytes;
            live
        });
        sample.allocators = allocators(grown);
        monitor.observe(sample)
    });
    let of_memory =
        |event: &Event| matches!(event, Event::Raised(alert) if alert.figure == Figure::Memory);
    let told: Vec<_> = told.filter(of_memory).collect();
    assert_eq!(told.len(), 1);
    told[0].to_string()
}

/// What an alert about memory says when the heap grows with it, when it does not, when too little
/// of it was seen, and without one.
#[test]
fn the_heap_tells_a_leak_from_what_the_allocator_keeps() {
    let alerts = [
        alert_of_memory(|grown| Some((100 + grown) * MB)),
        alert_of_memory(|grown| Some((100 + grown % 7) * MB)),
        alert_of_memory(|grown| (grown > 40).then_some((100 + grown) * MB)),
        alert_of_memory(|_| None),
    ];
    insta::assert_snapshot!(alerts.join("\n"));
}

fn holding(name: &'static str, held: u64, used: u64, fragmented: Option<u64>) -> Allocator {
    let mut allocator = Allocator::holding(name, held * MB);
    allocator.used_bytes = Some(used * MB);
    allocator.fragmented_bytes = fragmented.map(|megabytes| megabytes * MB);
    allocator
}

/// What allocators say of themselves tells what they keep from what is fragmented and from what
/// is not theirs; also without highwater's allocator, and if one of them is not asked each time.
#[test]
fn allocators_tell_what_they_keep_from_what_is_fragmented() {
    let steady = |_| Some(100 * MB);
    let of_glibc = |grown: u64| vec![holding("glibc", 180 + grown, 105, None)];
    let of_jemalloc = |kept, fragmented| {
        let held = 105 + kept + fragmented;
        vec![holding("jemalloc", held, 105, Some(fragmented))]
    };
    let of_two = |grown| {
        let others = holding("glibc", 30, 20, None);
        vec![others, Allocator::holding("mimalloc", (110 + grown) * MB)]
    };
    let alerts = [
        alert_with(steady, of_glibc),
        alert_with(|_| None, of_glibc),
        alert_with(steady, |grown| {
            let asked = grown % 5 == 0;
            if asked { of_glibc(grown) } else { Vec::new() }
        }),
        alert_with(steady, |grown| of_jemalloc(grown, 10)),
        alert_with(steady, |grown| of_jemalloc(10, grown)),
        alert_with(steady, |_| of_jemalloc(10, 5)),
        alert_with(steady, of_two),
        alert_with(|grown| Some((100 + grown) * MB), of_glibc),
    ];
    insta::assert_snapshot!(alerts.join("\n"));
}

#[test]
fn the_longest_times_are_no_overflow() {
    let rare = Monitor::builder().interval(Duration::MAX).build();
    for minute in 0..5 {
        assert_eq!(rare.observe(sample(minute, MB)), []);
    }
    let early = Monitor::builder().time_to_limit(Duration::MAX).build();
    let told = (0..240).flat_map(|minute| early.observe(sample(minute, (200 + minute) * MB)));
    let told: Vec<_> = told.map(|event| short(&event)).collect();
    assert_eq!(told, ["memory: growing", "memory: near limit"]);
}

/// A gap is told when it begins, not with each sample while they come late.
#[test]
fn samples_that_come_late_are_noted_once() {
    let monitor = Monitor::builder().build();
    let minutes = [0, 1, 11, 21, 31, 32, 42];
    let told = minutes.map(|minute| monitor.observe(sample(minute, 200 * MB)).len());
    assert_eq!(told, [0, 0, 1, 0, 0, 0, 1]);
}
