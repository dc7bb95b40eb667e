//! Scenarios in a process of their own: whichever thread does the work, and whatever it
//! leaks, is counted and judged, in call-stack mode; nothing of another scenario ever is.

#![forbid(unsafe_code)]
#![cfg(all(target_os = "linux", target_env = "gnu"))]

use highwater::{Report, Scenario};
use highwater_tests::worker::Worker;
use memmap2::MmapMut;
use rayon::prelude::*;
use rstest::rstest;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::hint::black_box;
use std::sync::{LazyLock, Mutex, mpsc};
use std::thread;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

/// A worker for all; who touches it first starts it.
static ACTOR: LazyLock<Worker> = LazyLock::new(|| Worker::start("actor"));

static RUNTIME: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).max_blocking_threads(1).build();
    runtime.expect("a runtime")
});

thread_local! {
    static POOL: rayon::ThreadPool = {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
        pool.expect("a pool")
    };
}

/// The thread that does a step's work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum On {
    Own,
    StartedInTheStep,
    FromTheRehearsal,
    FromBefore,
    GlobalPool,
    ThreadLocalPool,
    StaticRuntime,
    SpawnBlocking,
}

impl On {
    fn prepare(self) {
        if self == Self::FromBefore {
            ACTOR.does(|| ());
        }
    }

    fn does(self, job: fn()) {
        match self {
            Self::Own => job(),
            Self::StartedInTheStep => thread::spawn(job).join().expect("it ends"),
            Self::FromTheRehearsal | Self::FromBefore => ACTOR.does(job),
            Self::GlobalPool => (0..2).into_par_iter().with_max_len(1).for_each(|_| job()),
            Self::ThreadLocalPool => POOL.with(|pool| pool.install(job)),
            Self::StaticRuntime => {
                let task = RUNTIME.spawn(async move { job() });
                RUNTIME.block_on(task).expect("it ends");
            }
            Self::SpawnBlocking => {
                let task = RUNTIME.spawn_blocking(job);
                RUNTIME.block_on(task).expect("it ends");
            }
        }
    }
}

/// What a step may leak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Block,
    Container,
    Descriptor,
    Mapping,
}

static KEPT: Mutex<Vec<u64>> = Mutex::new(Vec::new());

impl What {
    fn job(self, leaks: bool) -> fn() {
        match (self, leaks) {
            (Self::Block, true) => || std::mem::forget(black_box(vec![1_u8; 100])),
            (Self::Block, false) => || drop(black_box(vec![1_u8; 100])),
            (Self::Container, true) => || KEPT.lock().expect("whole").extend([1; 1_000]),
            (Self::Container, false) => || {
                let mut kept = KEPT.lock().expect("whole");
                kept.extend([1; 1_000]);
                if kept.len() > 4_000 {
                    *kept = Vec::new();
                }
            },
            (Self::Descriptor, true) => {
                || std::mem::forget(File::open("/dev/null").expect("it is there"))
            }
            (Self::Descriptor, false) => || drop(File::open("/dev/null").expect("it is there")),
            (Self::Mapping, true) => || std::mem::forget(MmapMut::map_anon(1 << 16).expect("room")),
            (Self::Mapping, false) => || drop(MmapMut::map_anon(1 << 16).expect("room")),
        }
    }
}

#[track_caller]
fn judge(report: &Report, what: What, leaks: bool) {
    assert!(report.coverage().is_own_process());
    assert_eq!(report.is_failure(), leaks, "{report}");
    let is_memory = matches!(what, What::Block | What::Container);
    if leaks && is_memory {
        assert!(report.verdict().is_growing(), "{report}");
    } else {
        assert!(report.verdict().is_bounded(), "{report}");
    }
    if leaks && !is_memory {
        let mut resources = report.resources().iter();
        assert!(resources.any(|resource| {
            resource
                .verdict()
                .is_some_and(highwater::Verdict::is_growing)
        }));
    }
}

/// Every thread that there is, with every kind of leak and without. They run beside each
/// other, as busy neighbours in processes of their own.
#[rstest]
#[highwater::test]
fn whatever_leaks_on_whichever_thread_is_found(
    #[values(
        On::Own,
        On::StartedInTheStep,
        On::FromTheRehearsal,
        On::FromBefore,
        On::GlobalPool,
        On::ThreadLocalPool,
        On::StaticRuntime,
        On::SpawnBlocking
    )]
    on: On,
    #[values(What::Block, What::Container, What::Descriptor, What::Mapping)] what: What,
    #[values(false, true)] leaks: bool,
) {
    on.prepare();
    let job = what.job(leaks);
    let report = Scenario::new(format!("{on:?}-{what:?}-{leaks}"))
        .steps(50)
        .run(|| (), |(), _| on.does(job));
    judge(&report, what, leaks);
}

/// What a thread from before keeps, with the line that allocated it and who holds it.
#[highwater::test]
fn a_leak_on_a_thread_from_before_has_its_site_and_holder() {
    static HELD: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());
    #[inline(never)]
    fn keep() {
        let block = black_box(vec![1_u8; 100]);
        HELD.lock().expect("whole").push(block);
    }
    ACTOR.does(|| ());
    let report = Scenario::new("actor-keeps")
        .steps(50)
        .run(|| (), |(), _| ACTOR.does(keep));
    assert!(report.verdict().is_growing(), "{report}");
    // The second run takes call stacks, in a process where nothing has run before.
    let Some(diagnosis) = report.diagnosis() else {
        panic!("the first run has none");
    };
    let text = diagnosis.to_string();
    let site = diagnosis.sites().first().expect("a site");
    assert!(text.contains("own_process.rs:"), "{text}");
    assert_eq!(site.growth_blocks(), 50, "{text}");
    assert!(text.contains("held by static"), "{text}");
    assert!(!text.contains("memory from outside of the run"), "{text}");
}

/// Scenarios that share one pool, in parallel where the test runner does that: each is
/// judged for itself, with figures that are the same on every run.
#[rstest]
#[highwater::test]
fn a_neighbours_work_is_never_mine(
    #[values(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)] n: u64,
    #[values(false, true)] leaks: bool,
) {
    let size = 100 + usize::try_from(n).unwrap_or(0);
    let work = move || {
        let block = black_box(vec![1_u8; size]);
        if leaks {
            std::mem::forget(block);
        }
    };
    let report = Scenario::new(format!("neighbour-{n}-{leaks}"))
        .steps(50)
        .run(|| (), |(), _| ACTOR.does(work));
    assert_eq!(report.is_failure(), leaks, "{report}");
    let leaked = if leaks { 50 * size as u64 } else { 0 };
    let figures = (
        report.growth_bytes(),
        report.live_bytes(),
        report.live_blocks(),
    );
    assert_eq!(
        figures,
        (leaked.cast_signed(), leaked, leaked / size as u64),
        "{report}"
    );
    assert_eq!(report.blocks_per_step(), Some(2.0), "{report}");

    // Which of Rayon's threads does what differs from run to run, the verdict does not.
    let report = Scenario::new(format!("pool-{n}-{leaks}"))
        .steps(50)
        .run(|| (), |(), _| (0..4).into_par_iter().for_each(|_| work()));
    assert_eq!(report.is_failure(), leaks, "{report}");
}

/// What was planted is found, so what a step's threads leak would be.
#[highwater::test]
fn a_self_test_leaks_on_threads_of_its_own_too() {
    // Std numbers all threads of a process.
    let number_of_next = || {
        let thread = thread::spawn(|| thread::current().id());
        let id = format!("{:?}", thread.join().expect("it ends"));
        let digits = id.trim_matches(|c: char| !c.is_ascii_digit());
        digits.parse::<u64>().expect("a number")
    };
    let run = |self_test: bool| {
        let before = number_of_next();
        let scenario = Scenario::new("proved").steps(1_000).self_test(self_test);
        let report = scenario.run(|| (), |(), _| ());
        (report, number_of_next() - before - 1)
    };
    // The first scenario may start a thread of the library's own.
    run(false);
    assert_eq!(run(false).1, 0);
    let (report, threads) = run(true);
    let test = report.self_test().expect("it is bounded by itself");
    assert!(test.is_found(), "{report}");
    let (_, rate) = test.leak().expect("one can be told");
    // There are 1,000 steps or more, with less than a block in each.
    assert!(
        threads as f64 >= (rate * 500.0).floor(),
        "{threads}, {report}"
    );
    assert!(threads > 0);
}

/// Steps are numbered by the age of their state, in the second run too, whatever statics
/// keep.
#[highwater::test]
fn steps_are_numbered_by_the_age_of_their_state() {
    static HELD: Mutex<Vec<u64>> = Mutex::new(Vec::new());
    let report = Scenario::new("age").steps(50).run(
        || 0_u64,
        |age, i| {
            assert_eq!(*age, i);
            *age += 1;
            HELD.lock().expect("whole").extend([i; 100]);
        },
    );
    assert!(report.verdict().is_growing(), "{report}");
    let text = report.diagnosis().expect("call stacks").to_string();
    assert!(text.contains("held by static"), "{text}");
}

/// A sound cache on std's hash map, with removals.
#[highwater::test]
fn a_hash_map_has_the_same_figures_in_every_run() {
    let report = Scenario::new("hash-map").steps(2_000).run(
        HashMap::new,
        |cache: &mut HashMap<String, u64>, i| {
            cache.insert(format!("key {i}"), i);
            if let Some(old) = i.checked_sub(100) {
                cache.remove(&format!("key {old}"));
            }
        },
    );
    report.assert();
    // What std does with the same keys; another version of it may do otherwise.
    insta::assert_snapshot!(format!("{} B at most", report.peak_bytes()));
}

/// The order of a new set of a hundred keys.
fn order() -> Vec<u64> {
    let set: HashSet<u64> = (0..100).collect();
    set.into_iter().collect()
}

/// The orders that a scenario with this name sees in its process: on its own thread, and on
/// one that it starts.
fn orders_in(name: &'static str) -> [Vec<u64>; 2] {
    let run = move || {
        let orders = Mutex::new(<[Vec<u64>; 2]>::default());
        Scenario::new(name).steps(1).run(
            || (),
            |(), _| {
                let other = thread::spawn(order).join().expect("it ends");
                *orders.lock().expect("whole") = [order(), other];
            },
        );
        orders.into_inner().expect("whole")
    };
    thread::spawn(run).join().expect("it ends")
}

/// Where tests share a process, a scenario's maps are the same each time, and those of
/// others are not.
#[test]
fn a_hash_map_has_the_same_order_in_every_run_of_a_plain_scenario() {
    let first = orders_in("plain maps");
    assert_eq!(first, orders_in("plain maps"));
    let other = orders_in("plain maps of another");
    assert!(first[0] != other[0] && first[1] != other[1] && first[0] != first[1]);
    let free = || thread::spawn(order).join().expect("it ends");
    assert_ne!(free(), free(), "random without a scenario");
}

/// Work that takes a while.
fn toil() {
    for i in 0..2_000_000 {
        black_box(i);
    }
}

/// Threads that keep a block each from when they have started until they have ended, and need
/// time for both.
struct Slow(Vec<mpsc::Sender<()>>);

impl Slow {
    fn start() -> Self {
        let start = |_| {
            let (stop, stopped) = mpsc::channel::<()>();
            thread::spawn(move || {
                toil();
                let block = black_box(vec![1_u8; 10_000]);
                stopped.recv().expect_err("nothing is sent");
                toil();
                drop(block);
            });
            stop
        };
        Self((0..4).map(start).collect())
    }
}

/// A pool whose threads still start when it is there, and end after it was dropped.
#[rstest]
#[highwater::test]
fn threads_are_waited_for_until_they_rest(#[values(0, 1, 2, 3)] run: u64) {
    let report = Scenario::new(format!("slow pool {run}"))
        .steps(50)
        .run(Slow::start, |pool, _| {
            black_box(pool.0.len());
        });
    report.assert();
    let figures = (report.growth_bytes(), report.residue_bytes());
    assert_eq!(figures, (0, 0), "{report}");
    assert!(report.live_bytes() >= 40_000, "{report}");
}

/// What a step prints is nobody's growth.
#[highwater::test(steps = 200, growth = "0 B")]
fn what_a_step_prints_is_not_counted(i: u64) {
    println!("step {i}, and some text that a test runner would keep in memory");
}
