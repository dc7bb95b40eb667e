//! Components of a program that has highwater's allocator, and clean-ups.

#![forbid(unsafe_code)]

use highwater::Scope;
use highwater_monitor::{ByteSize, Component, ComponentHeap, Figure, Monitor, Sample, State};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

/// Components belong to the process, so these tests take turns.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn component(name: &str) -> Option<ComponentHeap> {
    let mut components = Sample::of_this_process().components.into_iter();
    components.find(|component| component.name == name)
}

#[test]
fn a_component_is_told_by_its_name() {
    let _turn = turn();
    let of_thread = std::thread::spawn(|| {
        let _book = Component::enter("order book");
        vec![0_u8; 3_000]
    });
    let of_thread = of_thread.join().expect("it does not panic");
    let book = Component::enter("order book");
    let orders = vec![0_u8; 5_000];
    drop(book);
    let heap = component("order book").expect("it is there");
    assert_eq!((heap.live_bytes, heap.live_blocks), (8_000, 2));
    drop((orders, of_thread));
    assert_eq!(component("order book"), None);
}

#[test]
fn handles_are_of_use_after_the_guard_was_dropped() {
    let _turn = turn();
    let handle = Component::enter("parser").handle();
    let handle = handle.expect("the allocator is installed");
    let empty = component("parser").expect("it is there");
    assert_eq!((empty.live_bytes, empty.live_blocks), (0, 0));
    let held = handle.in_scope(|| vec![0_u8; 400]);
    let heap = component("parser").expect("it is there");
    assert_eq!((heap.live_bytes, heap.live_blocks), (400, 1));
    drop(held);
    // Nobody knows whether a handle is left, so the latest are known, and no more.
    for number in 0..1_000 {
        drop(Component::enter(&format!("request {number}")).handle());
    }
    let known = Sample::of_this_process().components;
    let first = known.first().expect("there are some");
    assert_eq!((known.len(), first.name.as_str()), (64, "request 936"));
}

#[test]
fn components_that_come_and_go_leave_nothing() {
    let _turn = turn();
    let scope = Scope::enter("monitor");
    let monitor = Monitor::builder().build();
    let come_and_go = |number: u64| {
        let component = Component::enter(&format!("order {number:04}"));
        let held = vec![0_u8; 1_000];
        drop(component);
        // What it holds counts on.
        monitor.sample();
        let figures = monitor.status().verdicts.len();
        drop(held);
        monitor.sample();
        assert_eq!(monitor.status().verdicts.len() + 1, figures);
    };
    (0..3).for_each(come_and_go);
    let early = scope.usage();
    (3..1_000).for_each(come_and_go);
    let late = scope.usage();
    assert_eq!(late.live_bytes, early.live_bytes);
    assert_eq!(late.live_blocks, early.live_blocks);
}

/// A sample at this minute, with the components as they are.
fn sample(minute: u64) -> Sample {
    let mut sample = Sample::at(SystemTime::UNIX_EPOCH + Duration::from_secs(60 * minute));
    sample.components = Sample::of_this_process().components;
    sample
}

#[test]
fn an_alert_of_a_component_that_ended_is_over() {
    let _turn = turn();
    let monitor = Monitor::builder().limit(ByteSize::mb(200)).build();
    let mut kept = Vec::new();
    let mut told = Vec::new();
    for minute in 0..240 {
        let component = Component::enter("feed");
        kept.push(vec![0_u8; 500_000]);
        drop(component);
        told.extend(monitor.observe(sample(minute)));
    }
    assert_eq!(told.len(), 1, "{told:?}");
    drop(kept);
    let over = monitor.observe(sample(240));
    let over: Vec<_> = over.iter().map(ToString::to_string).collect();
    assert_eq!(over, ["over: feed ended and holds nothing"]);
    let is_feed = |figure: &Figure| *figure == Figure::Component("feed".to_owned());
    let status = monitor.status();
    assert!(
        !status
            .verdicts
            .iter()
            .any(|verdict| is_feed(verdict.figure()))
    );
    assert!(!status.alerts.iter().any(|(figure, _)| is_feed(figure)));
}

#[test]
fn the_most_memory_is_no_overflow() {
    let _turn = turn();
    let monitor = Monitor::builder().limit(ByteSize::b(u64::MAX)).build();
    let component = Component::enter("feed");
    let held = vec![0_u8; 1_000];
    drop(component);
    assert_eq!(monitor.observe(sample(0)), []);
    drop(held);
}

/// Two components of a service, one of which leaks 40 kB a minute, in a day.
#[test]
fn the_component_that_leaks_is_named() {
    let _turn = turn();
    let monitor = Monitor::builder().limit(ByteSize::mb(200)).build();
    let mut told = Vec::new();
    let handle = |name| Component::enter(name).handle();
    let ring = handle("ring").expect("the allocator is installed");
    let leak = handle("leak").expect("the allocator is installed");
    let (mut rings, mut leaks) = (Vec::new(), Vec::new());
    for minute in 0..1_440_u64 {
        ring.in_scope(|| {
            rings.push(vec![0_u8; 20_000]);
            rings.drain(..rings.len().saturating_sub(50));
        });
        leak.in_scope(|| leaks.push(vec![0_u8; 40_000]));
        let events = monitor.observe(sample(minute));
        told.extend(events.iter().map(|event| format!("{minute} {event}")));
    }
    let [alert] = told.as_slice() else {
        panic!("{told:?}");
    };
    assert!(
        alert.contains(" alert: leak: growing by 2.40 MB an hour"),
        "{alert}"
    );
    let status = monitor.status();
    let state = |name: &str| {
        let figure = Figure::Component(name.to_owned());
        status
            .verdict(&figure)
            .map(highwater_monitor::Verdict::state)
    };
    assert_eq!(state("ring"), Some(State::Bounded));
    assert_eq!(state("leak"), Some(State::Growing));
    drop(leaks);
}

#[test]
fn a_clean_up_comes_after_so_many_units_and_says_what_it_freed() {
    let _turn = turn();
    let monitor = Monitor::builder().build();
    let mut cleanup = monitor.cleanup().every(3);
    let mut kept: Vec<Vec<u8>> = Vec::new();
    let mut cleaned = Vec::new();
    for _ in 0..7 {
        kept.push(vec![1; 10_000_000]);
        let trimmed = cleanup.after_unit(|| {
            let count = kept.len();
            kept.clear();
            format!("{count} batches trimmed")
        });
        cleaned.extend(trimmed);
    }
    assert_eq!(cleaned.len(), 2);
    assert_eq!(cleaned[1].what, "3 batches trimmed");
    let freed = cleaned[1].freed_bytes.expect("the allocator is installed");
    assert!((29_990_000..30_010_000).contains(&freed), "{freed}");
    cleaned[1].duration = Duration::from_millis(12);
    cleaned[1].memory_before = Some(812_000_000);
    cleaned[1].memory_after = Some(640_000_000);
    cleaned[1].freed_bytes = Some(172_345_678);
    cleaned[1].returned_bytes = Some(150_000_000);
    insta::assert_snapshot!(cleaned[1].to_string());
}

#[test]
fn a_clean_up_comes_once_for_each_sample_above_the_threshold() {
    let _turn = turn();
    let monitor = Monitor::builder().build();
    let mut cleanup = monitor.cleanup().above(ByteSize::mb(500));
    let mut units = |memory: u64, minute: u64| {
        let mut sample = Sample::at(SystemTime::UNIX_EPOCH + Duration::from_secs(60 * minute));
        sample.resident_bytes = Some(memory * 1_000_000);
        monitor.observe(sample);
        (0..10)
            .filter_map(|_| cleanup.after_unit(|| "nothing"))
            .count()
    };
    let counts = [(400, 0), (501, 1), (600, 2), (500, 3)];
    assert_eq!(
        counts.map(|(memory, minute)| units(memory, minute)),
        [0, 1, 1, 0]
    );
}

/// One that came after so many units has seen the sample.
#[test]
fn a_sample_asks_for_no_second_clean_up() {
    let _turn = turn();
    let monitor = Monitor::builder().build();
    let mut sample = Sample::at(SystemTime::UNIX_EPOCH);
    sample.resident_bytes = Some(600_000_000);
    monitor.observe(sample);
    let mut cleanup = monitor.cleanup().every(1).above(ByteSize::mb(500));
    assert!(cleanup.after_unit(|| "by units").is_some());
    let mut cleanup = cleanup.every(3);
    let units: Vec<_> = (0..3)
        .map(|_| cleanup.after_unit(|| "nothing").is_some())
        .collect();
    assert_eq!(units, [false, false, true]);
}
