//! Recordings: what a process whose threads go on allocates meanwhile and holds, by call stack.
#![cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64"),
    feature = "diagnosis"
))]
#![forbid(unsafe_code)]

use highwater::__private::{Level, Levels, RecordError, Recording};
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

/// There is one recording at a time, so these tests take turns.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is of this function.
fn of<'a>(levels: &'a Levels, function: &'a str) -> Vec<&'a Level> {
    let is_it = |level: &&Level| {
        let mut frames = level.frames.iter();
        frames.any(|frame| frame.function() == function)
    };
    levels.sites.iter().filter(is_it).collect()
}

/// Live bytes and blocks, and all bytes and blocks, of one function.
#[track_caller]
fn sums(levels: &Levels, function: &str) -> [u64; 4] {
    let found = of(levels, function);
    let sum = |of: fn(&Level) -> u64| found.iter().map(|level| of(level)).sum();
    [
        sum(|level| level.live_bytes),
        sum(|level| level.live_blocks),
        sum(|level| level.total_bytes),
        sum(|level| level.total_blocks),
    ]
}

/// A thread that was there before, and runs what it is given.
struct Worker {
    work: Option<Sender<Box<dyn FnOnce() + Send>>>,
    done: Receiver<()>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Worker {
    fn new() -> Self {
        let (work, given) = mpsc::channel::<Box<dyn FnOnce() + Send>>();
        let (told, done) = mpsc::channel();
        let thread = thread::spawn(move || {
            for work in given {
                work();
                told.send(()).expect("somebody waits");
            }
        });
        Self {
            work: Some(work),
            done,
            thread: Some(thread),
        }
    }

    fn run(&self, work: impl FnOnce() + Send + 'static) {
        let sender = self.work.as_ref().expect("it has not ended");
        sender.send(Box::new(work)).expect("it runs");
        self.done.recv().expect("it does not panic");
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.work = None;
        if let Some(thread) = self.thread.take() {
            thread.join().expect("it does not panic");
        }
    }
}

const LEAKS: &str = "recording::leaks";
const LEAKS_AT: u32 = line!() + 5;

#[inline(never)]
fn leaks(kept: &Mutex<Vec<Box<[u8]>>>, count: usize) {
    for _ in 0..count {
        let block = black_box(Box::from([0; 100]));
        kept.lock().expect("nobody panics").push(block);
    }
}

/// Sees its call, if it is called: it frees a block.
fn look() {
    drop(black_box(Box::new(0_u8)));
}

#[test]
fn threads_that_were_there_before_are_followed() {
    static KEPT: Mutex<Vec<Box<[u8]>>> = Mutex::new(Vec::new());
    let _turn = turn();
    KEPT.lock().expect("nobody panics").reserve(10_000);
    let worker = Worker::new();
    worker.run(|| leaks(&KEPT, 1_000));
    let recording = Recording::start().expect("nobody records");
    worker.run(|| {
        look();
        leaks(&KEPT, 1_000);
    });
    let levels = recording.levels();
    assert_eq!(sums(&levels, LEAKS), [100_000, 1_000, 100_000, 1_000]);
    let found = of(&levels, LEAKS);
    assert_eq!(
        found[0].frames[0].file(),
        Some("harness/tests/recording.rs")
    );
    assert_eq!(found[0].frames[0].line(), Some(LEAKS_AT));
    // Here they are freed by a thread that did not allocate them. The last are those that are
    // followed.
    KEPT.lock().expect("nobody panics").truncate(1_500);
    assert_eq!(
        sums(&recording.levels(), LEAKS),
        [50_000, 500, 100_000, 1_000]
    );
    // What was there before is freed, too, and is not known.
    KEPT.lock().expect("nobody panics").drain(..1_000);
    let levels = recording.finish();
    assert_eq!(sums(&levels, LEAKS), [50_000, 500, 100_000, 1_000]);
    assert_eq!(levels.lost_blocks, 0);
    KEPT.lock().expect("nobody panics").clear();
}

/// It is on the fast path still, and nothing there looks for a call.
#[test]
fn a_thread_that_only_allocates_is_followed_after_4_kib() {
    static KEPT: Mutex<Vec<Box<[u8]>>> = Mutex::new(Vec::new());
    let _turn = turn();
    KEPT.lock().expect("nobody panics").reserve(10_000);
    let worker = Worker::new();
    worker.run(look);
    let recording = Recording::start().expect("nobody records");
    worker.run(|| leaks(&KEPT, 1_000));
    let [live, blocks, ..] = sums(&recording.finish(), LEAKS);
    assert_eq!(live, blocks * 100);
    assert!((100_000 - 4_096..=100_000).contains(&live), "{live}");
    KEPT.lock().expect("nobody panics").clear();
}

#[inline(never)]
fn grows(text: &mut Vec<u8>) {
    text.reserve_exact(black_box(50_000));
}

#[test]
fn a_block_that_is_resized_is_of_who_resized_it() {
    let _turn = turn();
    let mut before: Vec<u8> = Vec::with_capacity(1_000);
    let recording = Recording::start().expect("nobody records");
    grows(&mut before);
    let name = "recording::grows";
    assert_eq!(sums(&recording.levels(), name), [50_000, 1, 50_000, 1]);
    before.push(1);
    before.shrink_to_fit();
    let levels = recording.finish();
    assert_eq!(sums(&levels, name), [0, 0, 50_000, 1]);
    let here = "recording::a_block_that_is_resized_is_of_who_resized_it";
    assert_eq!(sums(&levels, here)[..2], [1, 1]);
    drop(before);
}

#[test]
fn scopes_are_followed_and_their_figures_are_not_touched() {
    static KEPT: Mutex<Vec<Box<[u8]>>> = Mutex::new(Vec::new());
    let _turn = turn();
    KEPT.lock().expect("nobody panics").reserve(10_000);
    let outer = highwater::Scope::enter("before");
    let recording = Recording::start().expect("nobody records");
    look();
    leaks(&KEPT, 10);
    let inner = highwater::Scope::enter("meanwhile");
    leaks(&KEPT, 20);
    let started = thread::spawn(|| leaks(&KEPT, 30));
    started.join().expect("it does not panic");
    assert_eq!(sums(&recording.levels(), LEAKS)[..2], [6_000, 60]);
    drop(recording);
    leaks(&KEPT, 40);
    let (of_inner, of_outer) = (inner.usage(), outer.usage());
    drop(inner);
    drop(outer);
    // Names of a thread and what is printed of it are in the scope that started it.
    assert!((90..100).contains(&of_inner.live_blocks), "{of_inner:?}");
    assert!((100..110).contains(&of_outer.live_blocks), "{of_outer:?}");
    KEPT.lock().expect("nobody panics").clear();
}

#[test]
fn there_is_one_at_a_time_and_it_may_end_anywhere() {
    let _turn = turn();
    let first = Recording::start().expect("nobody records");
    assert_eq!(Recording::start().err(), Some(RecordError::Busy));
    let there = thread::spawn(move || first.finish());
    there.join().expect("it does not panic");
    Recording::start().expect("the first is over");
}

/// Allocates, resizes and frees what other threads allocated, until it is over.
#[inline(never)]
fn churn(kept: &Mutex<Vec<Vec<u8>>>, is_over: &AtomicBool, start: usize) {
    let mut size = start;
    while !is_over.load(Ordering::Relaxed) {
        size = size * 31 % 997;
        let mut kept = kept.lock().expect("nobody panics");
        if kept.len() > 50 {
            let taken = kept.swap_remove(size % 50);
            drop(kept);
            drop(taken);
        } else {
            kept.push(Vec::with_capacity(size + 1));
            let last = kept.len() - 1;
            kept[size % (last + 1)].reserve_exact(size + 50);
        }
    }
}

/// Runs `work` while blocks go from thread to thread, and `afterwards` when all of them were freed.
fn while_threads_race<R>(work: impl FnOnce() -> R, afterwards: impl FnOnce(R)) {
    let workers: Vec<_> = (0..4).map(|_| Worker::new()).collect();
    let kept: &'static Mutex<Vec<Vec<u8>>> = Box::leak(Box::default());
    let is_over: &'static AtomicBool = Box::leak(Box::default());
    for (number, worker) in workers.iter().enumerate() {
        let sender = worker.work.as_ref().expect("it has not ended");
        let churn = move || churn(kept, is_over, number + 1);
        sender.send(Box::new(churn)).expect("it runs");
    }
    let result = work();
    is_over.store(true, Ordering::Relaxed);
    for worker in &workers {
        worker.done.recv().expect("it does not panic");
    }
    drop(std::mem::take(&mut *kept.lock().expect("nobody panics")));
    afterwards(result);
}

#[test]
fn figures_hold_while_threads_race() {
    let _turn = turn();
    let record = || {
        let recording = Recording::start().expect("nobody records");
        for _ in 0..1_000 {
            thread::yield_now();
        }
        recording
    };
    while_threads_race(record, |recording| {
        let levels = recording.finish();
        let [bytes, blocks, _, total] = sums(&levels, "recording::churn");
        assert_eq!(
            (bytes, blocks, levels.lost_blocks),
            (0, 0, 0),
            "{levels:#?}"
        );
        assert!(total > 0, "{levels:#?}");
    });
}

/// What scopes and the process count does not depend on recordings that come and go.
#[test]
fn recordings_that_begin_and_end_change_no_count() {
    let _turn = turn();
    let live = || highwater::__private::live_in_process().expect("it is installed");
    let before = live().0;
    let begin_and_end = || {
        for _ in 0..20 {
            drop(Recording::start().expect("nobody records"));
        }
    };
    while_threads_race(begin_and_end, drop);
    let more = live().0.saturating_sub(before);
    assert!(more < 10_000, "{more} bytes are live");
}

/// It does not wait for a recording that its own thread holds.
#[test]
fn a_scenario_meanwhile_has_no_call_stacks() {
    let _turn = turn();
    let recording = Recording::start().expect("nobody records");
    let scenario = highwater::Scenario::new("orders").steps(1_000);
    let report = scenario.run(Vec::new, |orders, i| orders.push(black_box(Box::new(i))));
    assert!(report.verdict().is_growing(), "{report}");
    assert!(report.diagnosis().is_none());
    let obstacle = report.diagnosis_obstacle().expect("it says why");
    assert!(
        obstacle.ends_with("or while a heap profile is recorded"),
        "{obstacle}"
    );
    drop(recording);
    let report = scenario.run(Vec::new, |orders, i| orders.push(black_box(Box::new(i))));
    assert!(report.diagnosis().is_some(), "{report}");
}
