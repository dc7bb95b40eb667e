//! Components of a program that has highwater's allocator, and clean-ups.

#![forbid(unsafe_code)]

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
    let handle = book.handle().expect("the allocator is installed");
    drop(book);
    let more = handle.in_scope(|| vec![0_u8; 400]);
    let heap = component("order book").expect("it is there");
    assert_eq!((heap.live_bytes, heap.live_blocks), (8_400, 3));
    drop((orders, of_thread, more));
    drop(handle);
    // What ended and holds nothing is told once more, and forgotten.
    let empty = component("order book").expect("it is told");
    assert_eq!((empty.live_bytes, empty.live_blocks), (0, 0));
    assert_eq!(component("order book"), None);
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
        let real = Sample::of_this_process();
        let mut sample = Sample::at(SystemTime::UNIX_EPOCH + Duration::from_secs(60 * minute));
        sample.components = real.components;
        let events = monitor.observe(sample);
        told.extend(events.iter().map(|event| format!("{minute} {event}")));
    }
    let [alert] = told.as_slice() else {
        panic!("{told:?}");
    };
    assert!(
        alert.contains(" alert: leak: growing by 2.40 MB an hour"),
        "{alert}"
    );
    let verdicts = monitor.status().verdicts;
    let state = |name: &str| {
        let figure = Figure::Component(name.to_owned());
        let mut of_it = verdicts
            .iter()
            .filter(|verdict| *verdict.figure() == figure);
        of_it.next().map(highwater_monitor::Verdict::state)
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
