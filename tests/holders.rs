//! Who holds memory, in cases that are hard to tell.

#![forbid(unsafe_code)]
// Boxes are blocks of their own, which is what is to be told.
#![allow(clippy::vec_box)]

use highwater::{Diagnosis, Hold, Report, Scenario, Site};
use highwater_tests::in_its_own_process;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, Weak};
use std::thread::JoinHandle;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

const STEPS: u64 = 200;

fn leaking<S>(name: &str, setup: impl Fn() -> S, step: impl Fn(&mut S, u64)) -> Report {
    let report = Scenario::new(name).steps(STEPS).run(setup, step);
    assert!(report.verdict().is_growing(), "{report}");
    report
}

fn diagnosis(report: &Report) -> &Diagnosis {
    report.diagnosis().expect("it failed, on Linux")
}

fn site<'a>(report: &'a Report, function: &str) -> &'a Site {
    let has_it = |site: &&Site| {
        let first = site.frames().first();
        first.is_some_and(|frame| frame.function() == function)
    };
    let site = diagnosis(report).sites().iter().find(has_it);
    site.unwrap_or_else(|| panic!("{}", diagnosis(report)))
}

/// Who holds nine of ten of what a function allocated.
#[track_caller]
fn check(report: &Report, function: &str, expected: &str) {
    let holders = site(report, function).holders().expect("this is Linux");
    let all: u64 = holders.iter().map(highwater::Holder::blocks).sum();
    let first = holders.first().expect("it holds something");
    assert!(first.blocks() * 10 >= all * 9, "{holders:?}");
    assert_eq!(first.to_string(), expected, "{}", diagnosis(report));
}

struct Candle {
    _prices: [f64; 4],
}

#[inline(never)]
fn boxed() -> Box<Candle> {
    Box::new(Candle { _prices: [1.0; 4] })
}

/// A thread that keeps what it is told to, and waits for more.
struct Keeper {
    asked: Option<Sender<Sender<()>>>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    fn new(keep: fn(&Receiver<Sender<()>>)) -> Self {
        let (asked, receiver) = mpsc::channel();
        let work = move || keep(&receiver);
        let thread = std::thread::Builder::new().name("keeper".to_owned());
        Self {
            asked: Some(asked),
            thread: Some(thread.spawn(work).unwrap()),
        }
    }

    fn ask(&self) {
        let (done, waiting) = mpsc::channel();
        self.asked.as_ref().unwrap().send(done).unwrap();
        waiting.recv().unwrap();
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.asked.take());
        self.thread.take().unwrap().join().unwrap();
    }
}

#[inline(never)]
fn keep_on_stack(asked: &Receiver<Sender<()>>) {
    let mut kept = Vec::new();
    while let Ok(done) = asked.recv() {
        kept.push(boxed());
        done.send(()).unwrap();
    }
}

/// As [`check`], unless the machine was so busy that the keeper did not come to wait:
/// then the message has to say so, and nothing may be called lost.
#[track_caller]
fn check_kept(report: &Report, expected: &str) {
    let shown = diagnosis(report).to_string();
    if shown.contains("were running and were not searched for holders") {
        assert!(!shown.contains("unreachable"), "{shown}");
    } else {
        check(report, "holders::boxed", expected);
    }
}

#[test]
fn a_list_on_the_stack_of_another_thread() {
    let setup = || Keeper::new(keep_on_stack);
    let report = leaking("other-stack", setup, |keeper, _| keeper.ask());
    let expected = "held by stack of thread keeper → Vec<Box<Candle>> → Box<Candle>";
    check_kept(&report, expected);
}

thread_local! {
    static KEPT: std::cell::RefCell<Vec<Box<Candle>>> = const { std::cell::RefCell::new(Vec::new()) };
}

#[inline(never)]
fn keep_in_thread_local(asked: &Receiver<Sender<()>>) {
    while let Ok(done) = asked.recv() {
        KEPT.with_borrow_mut(|kept| kept.push(boxed()));
        done.send(()).unwrap();
    }
}

#[test]
fn a_thread_local_of_another_thread() {
    let setup = || Keeper::new(keep_in_thread_local);
    let report = leaking("other-thread-local", setup, |keeper, _| keeper.ask());
    let expected = "held by thread-local holders::KEPT → Vec<Box<Candle>> → Box<Candle>";
    check_kept(&report, expected);
}

struct Entry {
    _next: Option<Box<Entry>>,
}

#[inline(never)]
fn entry(first: &mut Option<Box<Entry>>) {
    let next = first.take();
    let entry = first.insert(Box::new(Entry { _next: next }));
    HIDDEN.store(!(&raw const **entry).addr(), Relaxed);
}

thread_local! {
    /// As what is left of a thread-local when its thread is about to end.
    static OLD: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// The address of the last entry, with all bits the other way round.
static HIDDEN: AtomicUsize = AtomicUsize::new(0);

#[test]
fn an_old_address_in_a_thread_that_runs_holds_nothing() {
    static IS_OVER: AtomicBool = AtomicBool::new(false);
    in_its_own_process!();
    let thread = std::thread::spawn(|| {
        while !IS_OVER.load(Relaxed) {
            OLD.set(!HIDDEN.load(Relaxed));
            std::hint::spin_loop();
        }
    });
    let report = leaking("old address", || None, |first, _| entry(first));
    IS_OVER.store(true, Relaxed);
    thread.join().unwrap();
    check(
        &report,
        "holders::entry",
        "held by state Option<Box<Entry>> → Box<Entry>",
    );
}

/// A static of plain data, with no destructor and no initialiser.
static SLOTS: [AtomicUsize; 8192] = [const { AtomicUsize::new(0) }; 8192];
static NEXT: AtomicUsize = AtomicUsize::new(0);

#[inline(never)]
fn expose(mark: usize) -> usize {
    Box::into_raw(boxed()).expose_provenance() ^ mark
}

#[test]
fn a_static_of_plain_data() {
    let report = leaking(
        "plain-static",
        || (),
        |(), _| SLOTS[NEXT.fetch_add(1, Relaxed)].store(expose(0), Relaxed),
    );
    check(
        &report,
        "holders::boxed",
        "held by static holders::SLOTS → Box<Candle>",
    );
}

#[test]
fn a_tag_in_the_lowest_bits() {
    let report = leaking("low-tag", Vec::new, |kept, _| kept.push(expose(3)));
    check(
        &report,
        "holders::boxed",
        "held by state Vec<usize> → Box<Candle>",
    );
}

/// A limit, which docs/holders.md tells.
#[test]
fn addresses_in_another_form_are_not_seen() {
    let report = leaking("inverted", Vec::new, |kept, _| {
        kept.push(expose(usize::MAX));
    });
    let lost = "lost: nothing points to them";
    check(&report, "holders::boxed", lost);
    let limits = include_str!("../docs/holders.md");
    assert!(limits.contains("inverted"));
}

#[inline(never)]
fn shared() -> Arc<Candle> {
    Arc::new(Candle { _prices: [1.0; 4] })
}

#[test]
fn a_weak_pointer_keeps_the_block() {
    let report = leaking("weak", Vec::new, |kept: &mut Vec<Weak<Candle>>, _| {
        kept.push(Arc::downgrade(&shared()));
    });
    check(
        &report,
        "holders::shared",
        "held by state Vec<Weak<Candle>> → Arc<Candle>",
    );
}

struct Link {
    next: Option<Box<Link>>,
}

struct Chain {
    first: Option<Box<Link>>,
}

impl Chain {
    #[inline(never)]
    fn grow(&mut self) {
        for _ in 0..500 {
            self.first = Some(Box::new(Link {
                next: self.first.take(),
            }));
        }
    }
}

/// Not as deep as it is long.
impl Drop for Chain {
    fn drop(&mut self) {
        while let Some(mut link) = self.first.take() {
            self.first = link.next.take();
        }
    }
}

#[test]
fn a_chain_of_100_000() {
    let scenario = Scenario::new("chain").steps(STEPS).step_budget(STEPS);
    let scenario = scenario.diagnose(true);
    let report = scenario.run(|| Chain { first: None }, |chain, _| chain.grow());
    assert_eq!(site(&report, "<Chain>::grow").live_blocks(), 100_000);
    check(&report, "<Chain>::grow", "held by state Chain → Box<Link>");
}

/// An address in memory that no allocator gave out, and nowhere else.
#[test]
fn addresses_in_mapped_memory() {
    let setup = || memmap2::MmapMut::map_anon(1 << 16).unwrap();
    let report = leaking("mapped", setup, |mapped, i| {
        let word = expose(0).to_ne_bytes();
        let offset = usize::try_from(i).unwrap() * word.len();
        mapped[offset..offset + word.len()].copy_from_slice(&word);
    });
    let expected = "held by mapped memory → Box<Candle>";
    check(&report, "holders::boxed", expected);
}

static ODD: Mutex<Vec<Box<Candle>>> = Mutex::new(Vec::new());
static EVEN: Mutex<Vec<Box<Candle>>> = Mutex::new(Vec::new());

#[test]
fn two_halves() {
    let report = leaking(
        "halves",
        || (),
        |(), i| {
            let half = if i % 2 == 0 { &EVEN } else { &ODD };
            half.lock().unwrap().push(boxed());
        },
    );
    let site = site(&report, "holders::boxed");
    let halves = site.holders().unwrap().iter().take(2);
    let mut roots: Vec<_> = halves.map(|holder| holder.path()[0].as_str()).collect();
    roots.sort_unstable();
    assert_eq!(roots, ["static holders::EVEN", "static holders::ODD"]);
    assert!(
        site.to_string().contains(
            "    no root holds most of its blocks; the first roots are:\n    held by static"
        ),
        "{site}"
    );
}

#[inline(never)]
fn run_with_a_list(name: &str) -> Report {
    let kept = Mutex::new(Vec::new());
    leaking(name, || (), |(), _| kept.lock().unwrap().push(boxed()))
}

/// What a scenario's closures have by reference is on the stack of whoever runs it.
#[test]
fn a_list_that_the_closures_borrow() {
    let report = run_with_a_list("borrowed");
    let holders = site(&report, "holders::boxed").holders().unwrap();
    let root = &holders[0].path()[0];
    assert_eq!(root, "stack of holders::run_with_a_list");
}

#[test]
fn a_list_that_the_closures_have() {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let report = leaking(
        "captured",
        || (),
        move |(), _| {
            kept.lock().unwrap().push(boxed());
        },
    );
    let holders = site(&report, "holders::boxed").holders().unwrap();
    assert_eq!(holders[0].hold(), Hold::Held);
    let root = &holders[0].path()[0];
    let is_right = ["the scenario's closures", "stack of holders::"];
    // Optimised code hands what they captured to frames of which that can't be told, and a word
    // that is no longer used, such as one in the block of the thread's handle, may come first.
    let is_right = is_right.iter().any(|start| root.starts_with(start));
    assert!(is_right || !cfg!(debug_assertions), "{root}");
}

/// Threads that allocate and free for as long as the run goes on.
struct Busy {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<usize>>,
    kept: Vec<Box<Candle>>,
}

impl Busy {
    fn new() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let work = |stop: Arc<AtomicBool>| {
            let mut made = 0;
            while !stop.load(Relaxed) {
                let blocks: Vec<_> = (1..20).map(|size| vec![0_u8; size * size]).collect();
                made += blocks.len();
            }
            made
        };
        let start = |_| {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || work(stop))
        };
        let threads = (0..16).map(start).collect();
        Self {
            stop,
            threads,
            kept: Vec::new(),
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().unwrap();
        }
    }
}

#[test]
fn threads_that_go_on_meanwhile() {
    let scenario = Scenario::new("busy").steps(20).step_budget(20);
    let report = scenario
        .diagnose(true)
        .run(Busy::new, |busy, _| busy.kept.push(boxed()));
    check(
        &report,
        "holders::boxed",
        "held by state Busy → Vec<Box<Candle>> → Box<Candle>",
    );
    // What they work on is theirs: nothing of it is called lost.
    for site in diagnosis(&report).sites() {
        for holder in site.holders().unwrap() {
            assert!(
                matches!(holder.hold(), Hold::Held | Hold::Unknown),
                "{site}"
            );
        }
    }
}
