//! The allocator under a scheduler that decides at every atomic access which
//! thread goes on: flushes, hand-overs, threads that end and records that are
//! used again, in orders that a real machine shows once in a million runs.
//!
//! The code is the real one, footers included; only its atomics, locks and
//! thread-locals are shuttle's, and it is not the program's allocator. Shuttle
//! takes every ordering for sequentially consistent, so it finds wrong orders of
//! steps, not missing barriers. A failing schedule is printed, and replayed by
//! `shuttle::replay`.

use super::scopes::ROOT;
use super::*;
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::sync::{Arc, Mutex, mpsc};
use shuttle::{Config, Runner, thread};

/// Not the global one: what shuttle allocates is not counted.
static ALLOC: Alloc = Alloc::system();

/// A block that any thread may free.
struct Block {
    start: *mut u8,
    layout: Layout,
}

// SAFETY: a block is memory; nobody looks at who allocated it but the allocator.
unsafe impl Send for Block {}

impl Block {
    fn new(size: usize) -> Self {
        let layout = Layout::from_size_align(size, 8).expect("a small size");
        // SAFETY: zero-sized requests are given a footer's room too.
        let start = unsafe { ALLOC.alloc(layout) };
        assert!(!start.is_null());
        Self { start, layout }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: the block came from `ALLOC` for this layout, and is gone now.
        unsafe { ALLOC.dealloc(self.start, self.layout) };
    }
}

/// Opens a scope as a program does whose allocator counts.
fn enter(name: &str) -> OpenScope {
    OpenScope::open(name).expect("few scopes are open")
}

/// Starts a thread that belongs to `scope`, as our `pthread_create` does.
fn spawn_in<R: Send + 'static>(
    scope: OpenScope,
    work: impl FnOnce() -> R + Send + 'static,
) -> thread::JoinHandle<R> {
    scope.0.thread_enters(&ROOT);
    thread::spawn(move || {
        ledger::start_in(scope.0, false);
        work()
    })
}

/// Explores `model` in random orders, and in orders with few changes of thread,
/// which find other mistakes sooner. Each run begins with an empty table.
/// `HIGHWATER_INTERLEAVINGS` asks for fewer of each.
fn explore(model: fn()) {
    /// The models share the tables of the process.
    static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());

    let _alone = ONE_AT_A_TIME.lock();
    let from_nothing = move || {
        scopes::forget_all();
        model();
    };
    let asked = std::env::var("HIGHWATER_INTERLEAVINGS");
    let runs = asked.map_or(10_000, |asked| asked.parse().expect("a number"));
    let mut config = Config::new();
    // Shuttle's atomics are large, and so are pools of ledgers.
    config.stack_size = 1 << 20;
    config.silence_warnings = true;
    Runner::new(RandomScheduler::new(runs), config.clone()).run(from_nothing);
    Runner::new(PctScheduler::new(3, runs), config).run(from_nothing);
}

fn assert_reading(scope: OpenScope, live_bytes: i64, live_blocks: i64, total_bytes: u64) {
    let totals = scope.read().totals;
    assert_eq!(
        (totals.live_bytes, totals.live_blocks(), totals.total_bytes),
        (live_bytes, live_blocks, total_bytes),
        "{totals:?}"
    );
}

#[test]
fn blocks_that_change_hands_are_counted_once() {
    explore(|| {
        let scope = enter("scope");
        let shared = Arc::new(Mutex::new(vec![Block::new(100)]));
        let threads: Vec<_> = [3000, 5000]
            .map(|size| {
                let shared = Arc::clone(&shared);
                spawn_in(scope, move || {
                    let blocks = [Block::new(size), Block::new(size)];
                    shared.lock().unwrap().extend(blocks);
                    let others = shared.lock().unwrap().remove(0);
                    drop(others);
                })
            })
            .into();
        for thread in threads {
            thread.join().unwrap();
        }
        let kept: i64 = (shared.lock().unwrap().iter())
            .map(|block| block.layout.size() as i64)
            .sum();
        assert_reading(scope, kept, 3, 16_100);
        scope.leave();
        drop(shared.lock().unwrap().split_off(0));
        assert_reading(scope, 0, 0, 16_100);
    });
}

#[test]
fn a_record_is_used_again_only_when_nothing_is_owed_to_it() {
    explore(|| {
        let block = {
            let outer = enter("outer");
            let inner = enter("inner");
            let block = Block::new(700);
            inner.leave();
            outer.leave();
            block
        };
        let freeing = thread::spawn(move || drop(block));
        let opening: Vec<_> = [40, 50]
            .map(|size| {
                thread::spawn(move || {
                    let outer = enter("next outer");
                    let inner = enter("next inner");
                    let block = Block::new(size);
                    assert_reading(inner, size as i64, 1, size as u64);
                    inner.leave();
                    assert_reading(outer, size as i64, 1, size as u64);
                    drop(block);
                    assert_reading(outer, 0, 0, size as u64);
                    outer.leave();
                })
            })
            .into();
        freeing.join().unwrap();
        for thread in opening {
            thread.join().unwrap();
        }
        // All are free by now: nobody is owed anything.
        let scopes = [(); 6].map(|()| enter("again"));
        assert!(scopes.iter().all(|scope| scope.0.tag() <= 8));
        for scope in scopes.iter().rev() {
            assert_reading(*scope, 0, 0, 0);
            scope.leave();
        }
    });
}

#[test]
fn a_record_stays_with_those_who_will_come_back_to_it() {
    /// What comes back to a scope that has ended: a thread, a handle, or the
    /// end of an inner scope.
    type ComesBack = fn(OpenScope) -> thread::JoinHandle<Block>;
    const THREAD: ComesBack = |scope| spawn_in(scope, || Block::new(30));
    const HANDLE: ComesBack = |scope| {
        let held = HeldScope::new(scope);
        thread::spawn(move || held.run(|| Block::new(30)))
    };
    const INNER: ComesBack = |_| {
        let inner = enter("inner");
        let thread = spawn_in(inner, || Block::new(30));
        inner.leave();
        thread
    };
    fn check(comes_back: ComesBack) {
        let ended = enter("ended");
        let late = comes_back(ended);
        ended.leave();
        let next = enter("next");
        let own = Block::new(4);
        assert_reading(next, 4, 1, 4);
        let late = late.join().unwrap();
        assert_reading(next, 4, 1, 4);
        drop((late, own));
        assert_reading(next, 0, 0, 4);
        next.leave();
    }
    explore(|| check(THREAD));
    explore(|| check(HANDLE));
    explore(|| check(INNER));
}

#[test]
fn a_reading_misses_nothing_of_a_thread_that_counts_on() {
    explore(|| {
        let scope = enter("scope");
        let (send, receive) = mpsc::channel();
        let thread = spawn_in(scope, move || {
            send.send(Block::new(100)).unwrap();
            // Takes the ledger to the scope and back.
            drop(Block::new(5000));
            drop(Block::new(5000));
        });
        let block = receive.recv().unwrap();
        let (bytes, blocks) = scope.live();
        assert!(bytes == 100 || bytes == 5100, "{bytes}");
        assert!(blocks == 1 || blocks == 2, "{blocks}");
        thread.join().unwrap();
        assert_reading(scope, 100, 1, 10_100);
        drop(block);
        scope.leave();
    });
}

#[test]
fn a_thread_that_leaves_takes_nothing_along() {
    explore(|| {
        let scope = enter("scope");
        let held = HeldScope::new(scope);
        let thread = thread::spawn(move || {
            let kept = held.run(|| Block::new(300));
            // Counted nowhere.
            let _outside = Block::new(900);
            held.run(|| drop(Block::new(20)));
            kept
        });
        for _ in 0..3 {
            let (bytes, blocks) = scope.live();
            assert!([0, 300, 320].contains(&bytes), "{bytes}");
            assert!(blocks <= 2, "{blocks}");
        }
        let kept = thread.join().unwrap();
        assert_reading(scope, 300, 1, 320);
        drop(kept);
        assert_reading(scope, 0, 0, 320);
        scope.leave();
    });
}

#[test]
fn ledgers_of_ended_threads_come_back_empty() {
    explore(|| {
        let scope = enter("scope");
        for _ in 0..2 {
            let threads = [1, 2].map(|size| spawn_in(scope, move || drop(Block::new(size))));
            for thread in threads {
                thread.join().unwrap();
            }
        }
        assert_reading(scope, 0, 0, 6);
        assert!(scope.0.most_threads() <= 3);
        let other = thread::spawn(|| {
            let own = enter("own");
            assert_reading(own, 0, 0, 0);
            own.leave();
        });
        other.join().unwrap();
        scope.leave();
    });
}

#[test]
fn a_peak_is_off_by_a_flush_for_each_thread_at_most() {
    use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

    /// Kept by the model itself: between the two, the blocks are there for sure.
    static LIVE: AtomicU64 = AtomicU64::new(0);
    static PEAK: AtomicU64 = AtomicU64::new(0);

    explore(|| {
        LIVE.store(0, SeqCst);
        PEAK.store(0, SeqCst);
        let scope = enter("scope");
        let threads = [[4000, 60], [2000, 3000], [50_000, 10]].map(|sizes| {
            spawn_in(scope, move || {
                for size in sizes {
                    let inner = enter("inner");
                    let block = Block::new(size);
                    let live = LIVE.fetch_add(size as u64, SeqCst) + size as u64;
                    PEAK.fetch_max(live, SeqCst);
                    LIVE.fetch_sub(size as u64, SeqCst);
                    drop(block);
                    inner.leave();
                }
            })
        });
        for thread in threads {
            thread.join().unwrap();
        }
        let reading = scope.read();
        assert!(reading.peak_error_bytes <= 4 * 4096, "{reading:?}");
        let seen = PEAK.load(SeqCst);
        assert!(
            reading.peak_bytes + reading.peak_error_bytes >= seen,
            "{reading:?}, and there were {seen} B"
        );
        assert!(reading.peak_bytes <= 57_000, "{reading:?}");
        scope.leave();
    });
}
