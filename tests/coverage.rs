//! Scenarios beside others in one process: what leaves them is never called bounded, and
//! what does not leave them is judged as if they were alone.
//!
//! The rest of what threads can do is in `own_process.rs`, where everything is counted.

#![forbid(unsafe_code)]
#![cfg(all(target_os = "linux", target_env = "gnu"))]

use highwater::{Report, Scenario, Scope, measure};
use highwater_tests::worker::Worker;
use rayon::prelude::*;
use rstest::rstest;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

/// One scenario at a time: a leak on a thread of nobody's is one to all of them.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

static RUNTIME: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let builder = builder.worker_threads(2).thread_name("static-runtime");
    builder.build().expect("a runtime")
});

fn leak() {
    std::mem::forget(black_box(vec![1_u8; 100]));
}

fn churn() {
    drop(black_box(vec![1_u8; 100]));
}

/// Its verdict says that memory elsewhere rose, and what to do.
#[track_caller]
fn assert_left(report: &Report, thread: &str) {
    let text = report.to_string();
    assert!(report.is_failure(), "{text}");
    assert!(!report.verdict().is_bounded(), "{text}");
    let evidence = report.coverage().evidence().expect(&text);
    assert!(
        evidence.contains("memory outside of the scenario rose"),
        "{text}"
    );
    assert!(
        evidence.contains("write `#[highwater::test]` in place of `#[test]`"),
        "{text}"
    );
    let names = report.coverage().threads_elsewhere();
    assert!(names.iter().any(|name| name == thread), "{names:?}");
}

#[test]
fn a_leak_on_a_thread_from_before_is_not_bounded() {
    let _alone = alone();
    let worker = Worker::start("old-worker");
    worker.does(|| ());
    let scenario = Scenario::new("old-worker").steps(200);
    assert_left(
        &scenario.run(|| (), |(), _| worker.does(leak)),
        "old-worker",
    );
}

#[test]
fn sound_work_on_a_thread_from_before_is_bounded() {
    let _alone = alone();
    let worker = Worker::start("sound-worker");
    worker.does(|| ());
    let report = Scenario::new("sound-worker")
        .steps(200)
        .run(|| (), |(), _| worker.does(churn));
    assert!(report.verdict().is_bounded(), "{report}");
    report.assert();
}

#[test]
fn a_leak_on_the_global_pool_is_not_bounded() {
    let _alone = alone();
    rayon::broadcast(|_| ());
    let report = Scenario::new("global-pool")
        .steps(200)
        .run(|| (), |(), _| (0..4).into_par_iter().for_each(|_| leak()));
    assert!(
        report.is_failure() && !report.verdict().is_bounded(),
        "{report}"
    );
}

#[test]
fn a_leak_on_a_static_runtime_is_not_bounded() {
    let _alone = alone();
    RUNTIME
        .block_on(async { tokio::spawn(async {}).await })
        .expect("it ends");
    let report = Scenario::new("static-runtime").steps(200).run(
        || (),
        |(), _| {
            RUNTIME
                .block_on(async { tokio::spawn(async { leak() }).await })
                .expect("it ends");
        },
    );
    assert_left(&report, "static-runtime");
}

/// A worker that another scope has started, which is open as long as this lives.
struct Beside {
    worker: Worker,
    _open: Sender<()>,
}

impl Beside {
    fn start(name: &'static str) -> Self {
        let (pass, passed) = channel();
        let (open, is_open) = channel();
        std::thread::spawn(move || {
            let _scope = Scope::enter(name);
            let worker = Worker::start(name);
            worker.does(|| ());
            pass.send(worker).expect("it waits");
            // Until the other end is gone.
            let _ = is_open.recv();
        });
        Self {
            worker: passed.recv().expect("it starts"),
            _open: open,
        }
    }
}

/// Its memory is the other scope's, which has a purpose of its own.
#[test]
fn a_leak_on_the_thread_of_another_scope_is_not_bounded() {
    let _alone = alone();
    let beside = Beside::start("worker-beside");
    let report = Scenario::new("beside").steps(200).run(
        || (),
        |(), i| {
            beside.worker.does(move || {
                black_box(i);
                leak();
            });
        },
    );
    let text = report.to_string();
    assert!(
        report.is_failure() && !report.verdict().is_bounded(),
        "{text}"
    );
    let evidence = report.coverage().evidence().expect(&text);
    let start = "in 3,200 steps 3,200 blocks went to or came from another scope, where other work is \
                 counted on the thread `worker-beside`; write `#[highwater::test]`";
    assert!(evidence.starts_with(start), "{text}");
}

/// The scope around a run is nobody else's.
#[test]
fn a_leak_on_a_thread_of_the_scope_around_is_not_bounded() {
    let _alone = alone();
    let _around = Scope::enter("around");
    let worker = Worker::start("worker-around");
    worker.does(|| ());
    let scenario = Scenario::new("around").steps(200);
    let report = scenario.run(|| (), |(), _| worker.does(leak));
    assert_left(&report, "worker-around");
    let scenario = Scenario::new("around-sound").steps(200);
    let report = scenario.run(|| (), |(), _| worker.does(churn));
    assert!(report.verdict().is_bounded(), "{report}");
}

/// Threads that the rehearsal started stay with the run.
#[test]
fn a_leak_on_a_thread_from_the_rehearsal_is_counted() {
    let _alone = alone();
    thread_local! {
        static WORKER: LazyLock<Worker> = LazyLock::new(|| Worker::start("lazy-worker"));
    }
    let report = Scenario::new("lazy-worker")
        .steps(200)
        .run(|| (), |(), _| WORKER.with(|worker| worker.does(leak)));
    assert!(report.growth_bytes() >= 200 * 100, "{report}");
    assert!(!report.verdict().is_bounded(), "{report}");
}

/// A thread of the state that outlives it, as this one does, may be used by others.
#[test]
fn a_leak_on_a_thread_of_the_state_is_counted() {
    let _alone = alone();
    let report = Scenario::new("own-worker").steps(200).run(
        || Worker::start("own-worker"),
        |worker, _| worker.does(leak),
    );
    assert!(!report.verdict().is_bounded(), "{report}");
    assert!(report.growth_bytes() >= 199 * 100, "{report}");
}

/// A list in the state that another thread makes larger stays the state's.
#[test]
fn a_container_that_another_thread_resizes_keeps_its_owner() {
    let _alone = alone();
    let worker = Worker::start("resizer");
    worker.does(|| ());
    let report = Scenario::new("resized-elsewhere").steps(200).run(
        || Arc::new(Mutex::new(Vec::with_capacity(1))),
        |list: &mut Arc<Mutex<Vec<u8>>>, _| {
            let list = Arc::clone(list);
            worker.does(move || {
                let mut list = list.lock().expect("whole");
                list.reserve_exact(100);
                let room = list.capacity();
                list.resize(room, 1);
            });
        },
    );
    assert!(report.verdict().is_growing(), "{report}");
    assert_eq!(report.growth_bytes(), 200 * 100 - 1, "{report}");
}

/// Blocks that were there before the run may be freed in it.
#[test]
fn what_was_prepared_before_the_run_may_be_freed_in_it() {
    let _alone = alone();
    let prepared: Vec<_> = (0..100_000_u64).map(Box::new).collect();
    let prepared = std::cell::RefCell::new(prepared);
    let report = Scenario::new("prepared")
        .steps(200)
        .run(|| (), |(), _| drop(prepared.borrow_mut().pop()));
    assert!(report.verdict().is_bounded(), "{report}");
    assert_eq!(report.growth_bytes(), 0);
}

/// A block of the scope that goes between two flushes may have been in the peak.
#[test]
fn the_peak_is_within_its_bound_when_others_free() {
    let _alone = alone();
    let worker = Worker::start("freer");
    worker.does(|| ());
    let scope = Scope::enter("peak");
    let large = black_box(vec![0_u8; 200_000]);
    let small = black_box(vec![0_u8; 3_000]);
    worker.does(move || drop(large));
    let usage = scope.usage();
    let most = usage.peak_bytes + usage.peak_error_bytes;
    assert!(usage.peak_bytes <= 203_000 + 1_000, "{usage:?}");
    assert!(most >= 203_000, "{usage:?}");
    drop(small);
}

/// Resized between two inner scopes, a block is still one block of the outer scope.
#[test]
fn an_outer_scope_counts_a_resized_block_once() {
    let outer = Scope::enter("outer");
    let (mut list, _) = measure(|| vec![0_u8; 1_000]);
    let ((), inner) = measure(|| list.reserve_exact(9_000));
    let usage = outer.usage();
    assert_eq!((usage.total_blocks, usage.total_bytes), (1, 10_000));
    assert_eq!((usage.live_blocks, usage.live_bytes), (1, 10_000));
    assert_eq!(usage.reallocations, 1);
    // The list is the first inner scope's still.
    assert_eq!(inner.total_blocks, 0);
    drop(list);
    assert_eq!(outer.usage().live_bytes, 0);
}

/// What is resized in a scope that lies inside of its own becomes the inner one's.
#[test]
fn an_inner_scope_takes_a_block_that_it_resizes() {
    let outer = Scope::enter("outer");
    let mut list = vec![0_u8; 1_000];
    let ((), inner) = measure(|| list.reserve_exact(9_000));
    assert_eq!((inner.live_bytes, inner.total_blocks), (10_000, 1));
    let usage = outer.usage();
    assert_eq!((usage.total_blocks, usage.total_bytes), (1, 10_000));
    drop(list);
    assert_eq!(outer.usage().live_bytes, 0);
}

/// Work in the handle of a scope that has ended is the scope's, also after it had a scope
/// of its own.
#[test]
fn work_in_the_handle_of_an_ended_scope_stays_there() {
    let outer = Scope::enter("outer");
    let inner = Scope::enter("inner");
    let handle = inner.handle();
    drop(inner);
    let blocks = handle.in_scope(|| {
        let before = vec![0_u8; 500];
        drop(Scope::enter("innermost"));
        (before, vec![0_u8; 5_000], vec![0_u8; 50])
    });
    assert_eq!(handle.usage().live_bytes, 5_550);
    let outside = vec![0_u8; 7];
    assert_eq!(handle.usage().live_bytes, 5_550);
    assert_eq!(outer.usage().live_bytes, 5_557);
    drop((blocks, outside));
}

/// The thread that does a step's work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum On {
    Own,
    StartedInTheStep,
    FromTheRehearsal,
    FromBefore,
    FromAround,
    FromBeside,
    GlobalPool,
    StaticRuntime,
}

/// Leaky or sound, on any thread, beside busy threads of nobody's: what leaks is never
/// bounded, and what does not is never growing.
#[rstest]
fn what_leaks_is_not_bounded_and_what_does_not_is_not_growing(
    #[values(
        On::Own,
        On::StartedInTheStep,
        On::FromTheRehearsal,
        On::FromBefore,
        On::FromAround,
        On::FromBeside,
        On::GlobalPool,
        On::StaticRuntime
    )]
    on: On,
    #[values(false, true)] leaks: bool,
    #[values(false, true)] has_neighbours: bool,
) {
    let _alone = alone();
    let stop = Arc::new(AtomicBool::new(false));
    if has_neighbours {
        start_three_busy_neighbours(&stop);
    }
    let job = if leaks { leak } else { churn };
    let before = Worker::start("before");
    before.does(|| ());
    let beside = Beside::start("beside");
    let _around = (on == On::FromAround).then(|| Scope::enter("around"));
    let around = Worker::start("around");
    around.does(|| ());
    let lazy = LazyLock::new(|| Worker::start("lazy"));
    let report = Scenario::new(format!("{on:?}-{leaks}-{has_neighbours}"))
        .steps(100)
        .run(
            || (),
            |(), _| match on {
                On::Own => job(),
                On::StartedInTheStep => std::thread::spawn(job).join().expect("it ends"),
                On::FromTheRehearsal => lazy.does(job),
                On::FromBefore => before.does(job),
                On::FromAround => around.does(job),
                On::FromBeside => beside.worker.does(job),
                On::GlobalPool => (0..2).into_par_iter().for_each(|_| job()),
                On::StaticRuntime => {
                    let task = RUNTIME.spawn(async move { job() });
                    RUNTIME.block_on(task).expect("it ends");
                }
            },
        );
    stop.store(true, Relaxed);
    if leaks {
        assert!(
            !report.verdict().is_bounded() && report.is_failure(),
            "{report}"
        );
    } else {
        assert!(!report.verdict().is_growing(), "{report}");
    }
}

fn start_three_busy_neighbours(stop: &Arc<AtomicBool>) {
    for size in [100, 1_000, 3_000] {
        let stop = Arc::clone(stop);
        drop(std::thread::spawn(move || {
            while !stop.load(Relaxed) {
                drop(black_box(vec![1_u8; size]));
            }
        }));
    }
}
