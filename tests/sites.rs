//! Where memory comes from: each way of holding on to it, and the line that a failure
//! names first.
//!
//! Functions that allocate are kept out of line: debug and release name the same ones.

#![forbid(unsafe_code)]
// Boxes are blocks of their own, which is what is to be told.
#![allow(clippy::vec_box)]

use highwater::{ByteSize, Diagnosis, Holder, Report, Scenario, Site};
use highwater_tests::{alone, in_its_own_process};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::rc::Rc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, LazyLock, Mutex, OnceLock, RwLock};

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

/// The sites that grow, each as its type and its first function.
#[track_caller]
fn check(report: &Report, expected: &[&str]) {
    let diagnosis = diagnosis(report);
    assert_eq!(
        diagnosis.explained_bytes(),
        diagnosis.growth_bytes(),
        "{diagnosis}"
    );
    assert_eq!(diagnosis.lost_blocks(), 0);
    let growing = diagnosis
        .sites()
        .iter()
        .filter(|site| site.verdict().is_growing());
    let told = |site: &Site| {
        let kind = site.type_name().unwrap_or("type unknown");
        let frame = site.frames().first().expect("its stack is known");
        assert_eq!(frame.file(), Some("tests/sites.rs"), "{diagnosis}");
        assert!(frame.line().is_some());
        format!("{kind} in {}", frame.function())
    };
    let told: Vec<_> = growing.map(told).collect();
    assert_eq!(told, expected, "{diagnosis}");
    check_holders(report, usize::MAX);
}

/// Who holds what grows, of the first sites, as a snapshot. Nine of ten blocks must agree: some may
/// seem to be held by what once held another in their place.
#[track_caller]
fn check_holders(report: &Report, first: usize) {
    let diagnosis = diagnosis(report);
    if cfg!(not(target_arch = "x86_64")) {
        return assert!(diagnosis.holders_obstacle().is_some(), "{diagnosis}");
    }
    assert_eq!(diagnosis.holders_obstacle(), None);
    let mut told = String::new();
    let growing = |site: &&Site| site.verdict().is_growing();
    for site in diagnosis.sites().iter().filter(growing).take(first) {
        let holders = site.holders().expect("they were looked for");
        let all: u64 = holders.iter().map(Holder::blocks).sum();
        assert_eq!(i64::try_from(all).ok(), Some(site.live_blocks()), "{site}");
        let first = holders.first().unwrap_or_else(|| panic!("{diagnosis}"));
        assert!(first.blocks() * 10 >= all * 9, "{holders:?}");
        let kind = site.type_name().unwrap_or("type unknown");
        told += &format!("{kind}\n  {first}\n");
    }
    insta::assert_snapshot!(report.name(), told);
}

#[derive(Clone)]
struct Candle {
    _prices: [f64; 4],
}

#[inline(never)]
fn candle() -> Candle {
    Candle { _prices: [1.0; 4] }
}

#[inline(never)]
fn text(i: u64) -> String {
    format!("{i:020}")
}

#[inline(never)]
fn boxed() -> Box<Candle> {
    Box::new(candle())
}

#[derive(Default)]
struct Store {
    candles: Vec<Candle>,
}

impl Store {
    #[inline(never)]
    fn add(&mut self) {
        self.candles.push(candle());
    }
}

#[test]
fn a_list_in_the_state() {
    in_its_own_process!();
    let report = leaking("list", Store::default, |store, _| store.add());
    check(&report, &["Vec<Candle> in <Store>::add"]);
}

static PRICES: LazyLock<Mutex<HashMap<u64, String>>> = LazyLock::new(Default::default);

#[inline(never)]
fn remember(i: u64) {
    PRICES.lock().unwrap().insert(i, text(i));
}

#[test]
fn a_map_in_a_static() {
    in_its_own_process!();
    let report = leaking("static-map", || (), |(), i| remember(i));
    check(&report, &["String in sites::text"]);
    // The first run left the map full, so that the same steps do not make its table grow
    // again. In a process of its own the second run starts with an empty one.
    let obstacle = report.diagnosis_obstacle().expect("it is told");
    let expected = "the second run, with call stacks, grew by 6,400 B and the first by ";
    assert!(obstacle.starts_with(expected), "{obstacle}");
    assert!(
        obstacle.contains("by `#[highwater::test]`, they are alike"),
        "{obstacle}"
    );
}

static ORDERS: OnceLock<Mutex<Vec<Box<Candle>>>> = OnceLock::new();

#[inline(never)]
fn order() {
    ORDERS
        .get_or_init(Mutex::default)
        .lock()
        .unwrap()
        .push(boxed());
}

#[test]
fn a_list_of_boxes_in_a_static() {
    in_its_own_process!();
    let report = leaking("static-list", || (), |(), _| order());
    check(&report, &["Box<Candle> in sites::boxed"]);
}

thread_local! {
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

#[inline(never)]
fn line(i: u64) {
    LINES.with_borrow_mut(|lines| lines.push(text(i)));
}

#[test]
fn a_list_in_a_thread_local() {
    in_its_own_process!();
    let report = leaking("thread-local", || (), |(), i| line(i));
    check(&report, &["String in sites::text"]);
}

struct Node {
    next: RefCell<Option<Rc<Node>>>,
}

#[inline(never)]
fn cycle() {
    let node = Rc::new(Node {
        next: RefCell::new(None),
    });
    *node.next.borrow_mut() = Some(Rc::clone(&node));
}

#[test]
fn a_cycle() {
    in_its_own_process!();
    let report = leaking("cycle", || (), |(), _| cycle());
    check(&report, &["Rc<Node> in sites::cycle"]);
}

#[test]
fn what_is_leaked_and_forgotten() {
    in_its_own_process!();
    let report = leaking("leak", || (), |(), _| drop(Box::leak(boxed()).clone()));
    check(&report, &["Box<Candle> in sites::boxed"]);
    let report = leaking("forget", || (), |(), i| std::mem::forget(text(i)));
    check(&report, &["String in sites::text"]);
}

#[inline(never)]
fn send(channel: &Sender<Box<Candle>>) {
    channel.send(boxed()).unwrap();
}

#[test]
fn a_channel_that_nobody_drains() {
    in_its_own_process!();
    let report = leaking(
        "channel",
        mpsc::channel,
        |(sender, _receiver): &mut (Sender<_>, Receiver<_>), _| send(sender),
    );
    let growing = diagnosis(&report).sites().iter();
    let growing: Vec<_> = growing.filter(|site| site.verdict().is_growing()).collect();
    assert_eq!(growing.len(), 2, "{}", diagnosis(&report));
    let functions: Vec<_> = growing
        .iter()
        .map(|site| site.frames()[0].function())
        .collect();
    assert_eq!(functions, ["sites::boxed", "sites::send"]);
    check_holders(&report, usize::MAX);
}

type Shared = Arc<RwLock<HashMap<u64, Arc<Candle>>>>;

#[inline(never)]
fn share(shared: &Shared, i: u64) {
    shared.write().unwrap().insert(i, Arc::new(candle()));
}

#[test]
fn a_map_behind_a_lock() {
    in_its_own_process!();
    let report = leaking("shared", Shared::default, |shared, i| share(shared, i));
    check(
        &report,
        &[
            "Arc<Candle> in sites::share",
            "HashMap<u64, Arc<Candle>> in sites::share",
        ],
    );
}

#[inline(never)]
fn sort_in(map: &mut BTreeMap<u64, Candle>, i: u64) {
    map.insert(i, candle());
}

#[test]
fn a_tree() {
    in_its_own_process!();
    let report = leaking("tree", BTreeMap::new, sort_in);
    let top = &diagnosis(&report).sites()[0];
    assert_eq!(top.frames()[0].function(), "sites::sort_in");
    assert!(
        top.type_name().is_some_and(|name| name.contains("Candle")),
        "{top}"
    );
    check_holders(&report, usize::MAX);
}

#[inline(never)]
fn queue_up(queue: &mut VecDeque<Candle>) {
    queue.push_back(candle());
}

#[test]
fn a_queue() {
    in_its_own_process!();
    let report = leaking("queue", VecDeque::new, |queue, _| queue_up(queue));
    check(&report, &["VecDeque<Candle> in sites::queue_up"]);
}

#[inline(never)]
fn on_task(kept: &mut Vec<Box<Candle>>) {
    kept.push(boxed());
}

/// A task that keeps what it makes each time it is asked.
async fn collector(mut asked: tokio::sync::mpsc::Receiver<tokio::sync::oneshot::Sender<()>>) {
    let mut kept = Vec::new();
    while let Some(done) = asked.recv().await {
        on_task(&mut kept);
        let _ = done.send(());
    }
}

type Ask = tokio::sync::mpsc::Sender<tokio::sync::oneshot::Sender<()>>;

async fn ask(channel: &Ask) {
    let (done, waiting) = tokio::sync::oneshot::channel();
    channel.send(done).await.unwrap();
    waiting.await.unwrap();
}

#[test]
fn a_task_on_this_thread() {
    in_its_own_process!();
    let report = Scenario::new("task").steps(STEPS).run_async(
        async || {
            let (channel, asked) = tokio::sync::mpsc::channel(1);
            tokio::spawn(collector(asked));
            channel
        },
        async |channel, _| ask(channel).await,
    );
    assert!(report.verdict().is_growing(), "{report}");
    check(
        &report,
        &[
            "Box<Candle> in sites::boxed",
            "Vec<Box<Candle>> in sites::on_task",
        ],
    );
}

#[test]
fn a_task_on_other_threads() {
    in_its_own_process!();
    let setup = || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .build()
            .unwrap();
        let (channel, asked) = tokio::sync::mpsc::channel(1);
        runtime.spawn(collector(asked));
        (runtime, channel)
    };
    let report = leaking("worker", setup, |(runtime, channel), _| {
        runtime.block_on(ask(channel));
    });
    let growing = diagnosis(&report).sites().iter();
    let growing = growing.filter(|site| site.verdict().is_growing());
    let functions: Vec<_> = growing.map(|site| site.frames()[0].function()).collect();
    assert!(
        functions.contains(&"sites::boxed"),
        "{}",
        diagnosis(&report)
    );
    // The runtime polls a task from several lines, so the vector may be resized at several call
    // stacks, of which none grows for long.
    check_holders(&report, 1);
}

/// A few bytes a step under megabytes that come and go.
#[test]
fn a_small_leak_under_churn() {
    let report = leaking(
        "churn",
        || (Vec::new(), Store::default()),
        |(kept, store), i| {
            if i % 10 == 0 {
                kept.push(boxed());
            }
            store.candles = Vec::with_capacity(10_000 + usize::try_from(i % 7).unwrap());
        },
    );
    let top = &diagnosis(&report).sites()[0];
    assert_eq!(
        top.frames()[0].function(),
        "sites::boxed",
        "{}",
        diagnosis(&report)
    );
}

#[inline(never)]
fn unpack() -> Vec<u64> {
    vec![1; 10_000]
}

#[test]
fn a_peak_that_leaves_nothing_behind() {
    let report = Scenario::new("peak-alone")
        .steps(STEPS)
        .peak_ceiling(ByteSize::kb(40))
        .run(Vec::new, |state, i| {
            let work = (i == 50).then(unpack);
            *state = text(i).into_bytes();
            drop(work);
        });
    assert!(report.verdict().is_bounded(), "{report}");
    let diagnosis = diagnosis(&report);
    let first = &diagnosis.sites()[0];
    assert_eq!(first.frames()[0].function(), "sites::unpack");
    assert_eq!(first.peak_bytes(), Some(80_000));
    let shown = diagnosis.to_string();
    let expected =
        "sites, by what they held at the peak of 80,064 B\n  80,000 B, 1 block  Vec<u64>\n";
    assert!(shown.starts_with(expected), "{shown}");
    assert!(shown.contains("  64 B, 2 blocks  String\n"), "{shown}");
}

#[test]
fn what_does_not_fail_is_not_diagnosed() {
    let report = Scenario::new("sound")
        .steps(STEPS)
        .run(|| (), |(), i| drop(text(i)));
    assert!(report.diagnosis().is_none());
}

#[test]
fn a_trap_shows_the_allocation_that_passes_its_limit() {
    let report = Scenario::new("trap")
        .steps(1_000)
        .stop_at(ByteSize::kib(4))
        .run(Vec::new, |kept, _| on_task(kept));
    let trap = diagnosis(&report).trap().expect("it was passed");
    // A list of 128 boxes, and 97 of them.
    assert_eq!(trap.live_bytes(), 4_128);
    assert_eq!(
        (trap.size_bytes(), trap.type_name()),
        (32, Some("Box<Candle>"))
    );
    assert_eq!(trap.frames()[0].function(), "sites::boxed");
    let message = report.explanation();
    for part in [
        "  stop at: 4,128 B, 32 B above its ceiling of 4 KiB\n",
        "stopped at a block of 32 B, Box<Candle>, with which live memory was 4,128 B\n",
    ] {
        assert!(message.contains(part), "{message}");
    }
    let sound = Scenario::new("untouched")
        .steps(STEPS)
        .stop_at(ByteSize::kib(4));
    let report = sound.run(|| (), |(), i| drop(text(i)));
    assert!(!report.is_failure(), "{report}");
    assert!(diagnosis(&report).trap().is_none());
}

/// A thread that the first run left behind allocates on, while another scenario is
/// diagnosed.
#[test]
fn threads_that_are_left_over_are_no_sites_of_others() {
    in_its_own_process!();
    let kept = Arc::new(Mutex::new(Vec::new()));
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let report = Scenario::new("leaves-threads")
        .steps(8)
        .step_budget(8)
        .growth_ceiling(ByteSize::b(0))
        .run(
            || (),
            |(), _| {
                let (kept, stop) = (Arc::clone(&kept), Arc::clone(&stop));
                std::thread::spawn(move || {
                    while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                        let mut kept = kept.lock().unwrap();
                        kept.push(text(1));
                        if kept.len() > 1_000 {
                            kept.clear();
                        }
                    }
                });
            },
        );
    assert!(report.diagnosis().is_some(), "{report}");
    let report = leaking("beside-them", Store::default, |store, _| store.add());
    check(&report, &["Vec<Candle> in <Store>::add"]);
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
}

#[test]
fn deep_stacks_are_cut() {
    #[inline(never)]
    fn deep(levels: u64, kept: &mut Vec<Box<Candle>>) -> u64 {
        if levels == 0 {
            kept.push(boxed());
            return 0;
        }
        deep(levels - 1, kept) + 1
    }
    let report = leaking("deep", Vec::new, |kept, i| {
        std::hint::black_box(deep(200 + i % 3, kept));
    });
    let first = &diagnosis(&report).sites()[0];
    assert_eq!(first.frames()[0].function(), "sites::boxed", "{first}");
}

#[test]
fn the_environment_says_when() {
    let with_sites = |test, sites| alone::run(test, "HIGHWATER_SITES", sites).1;
    let never = with_sites("a_list_in_the_state", "never");
    assert!(never.contains("it failed, on Linux"), "{never}");
    let always = with_sites("what_does_not_fail_is_not_diagnosed", "always");
    assert!(
        always.contains("assertion failed: report.diagnosis().is_none()"),
        "{always}"
    );
    let wrong = with_sites("a_list_in_the_state", "sometimes");
    let message = "highwater: HIGHWATER_SITES is \"sometimes\"; it may be `auto`, `always`, \
                   `replay`, `on-failure` or `never`\n";
    assert!(wrong.contains(message), "{wrong}");
}
