//! Threads: which scope they belong to, and that the counts stay exact.
//!
//! Where the very same bytes are demanded, the threads are joined before the
//! figures are read: until then a thread may still be freeing what is its own.

#![forbid(unsafe_code)]
#![cfg(all(target_os = "linux", target_env = "gnu"))]

use highwater::{Scope, ScopeHandle, Usage};
use std::cell::RefCell;
use std::sync::mpsc;
use std::thread;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn live(usage: &Usage) -> (u64, u64) {
    (usage.live_bytes, usage.live_blocks)
}

#[test]
fn what_a_thread_leaves_behind_is_counted() {
    let scope = Scope::enter("parent");
    let left = thread::spawn(|| vec![0_u8; 50_000])
        .join()
        .expect("it ends");
    assert_eq!(live(&scope.usage()), (50_000, 1));
    drop(left);
    assert_eq!(live(&scope.usage()), (0, 0));
}

#[test]
fn threads_of_threads_belong_to_the_scope_too() {
    let scope = Scope::enter("grandparent");
    let left = thread::spawn(|| {
        let child = thread::spawn(|| vec![0_u8; 1_000]);
        (child.join().expect("it ends"), vec![0_u8; 100])
    });
    let left = left.join().expect("it ends");
    assert_eq!(live(&scope.usage()), (1_100, 2));
    drop(left);
}

#[test]
fn scoped_threads_that_are_joined_are_exact() {
    let scope = Scope::enter("scoped");
    let left: Vec<Vec<u8>> = thread::scope(|threads| {
        let handles: Vec<_> = (1..=4)
            .map(|n| threads.spawn(move || vec![0_u8; n * 100]))
            .collect();
        let results = handles.into_iter().map(thread::ScopedJoinHandle::join);
        results.map(|bytes| bytes.expect("it ends")).collect()
    });
    // Four blocks of theirs and the list that holds them.
    assert_eq!(left.len(), 4);
    assert_eq!(scope.usage().live_blocks, 5);
    drop(left);
    assert_eq!(live(&scope.usage()), (0, 0));
}

#[test]
fn an_inner_scope_on_another_thread_counts_outwards() {
    let outer = Scope::enter("outer");
    let left = thread::spawn(|| {
        let inner = Scope::enter("inner");
        let left = vec![0_u8; 700];
        assert_eq!(live(&inner.usage()), (700, 1));
        left
    });
    let left = left.join().expect("it ends");
    assert_eq!(live(&outer.usage()), (700, 1));
    drop(left);
}

#[test]
fn a_detached_thread_may_outlive_its_scope() {
    let (go, going) = mpsc::channel::<()>();
    let (report, reports) = mpsc::channel();
    let scope = Scope::enter("short");
    let handle = scope.handle();
    let detached = thread::spawn(move || {
        let early = vec![0_u8; 1_000];
        report.send(early).expect("somebody listens");
        going.recv().expect("the scope ended");
        report.send(vec![0_u8; 2_000]).expect("somebody listens");
    });
    let early = reports.recv().expect("the thread sends");
    drop(scope);
    let other = Scope::enter("other");
    go.send(()).expect("the thread waits");
    let late = reports.recv().expect("the thread sends");
    detached.join().expect("it ends");
    drop(reports);
    let bytes = handle.usage().live_bytes;
    assert!((3_000..5_000).contains(&bytes), "{bytes}");
    // Nothing of the thread's; waiting for it may cost a few bytes here.
    assert!(other.usage().total_bytes < 1_000);
    drop(early);
    drop(late);
    assert_eq!(handle.usage().live_bytes, bytes - 3_000);
}

#[test]
fn destructors_of_thread_locals_are_counted() {
    /// Leaves a block behind when its thread ends.
    struct Leaver(mpsc::Sender<Vec<u8>>);
    impl Drop for Leaver {
        fn drop(&mut self) {
            self.0.send(vec![0; 4_321]).expect("somebody listens");
        }
    }
    thread_local! {
        static LEAVER: RefCell<Option<Leaver>> = const { RefCell::new(None) };
    }
    let (send, receive) = mpsc::channel();
    let scope = Scope::enter("parent");
    let before = scope.usage();
    let thread = thread::spawn(move || LEAVER.with_borrow_mut(|slot| *slot = Some(Leaver(send))));
    thread.join().expect("it ends");
    let left: Vec<_> = receive.into_iter().collect();
    assert_eq!(left.len(), 1);
    assert!(scope.usage().live_bytes - before.live_bytes >= 4_321);
    drop(left);
    assert_eq!(live(&scope.usage()), (0, 0));
}

#[test]
fn a_thread_that_panics_leaves_nothing() {
    let scope = Scope::enter("parent");
    let failed = thread::spawn(|| {
        let _held = vec![0_u8; 1_000];
        // Unwinds without a message, whose printing would be counted here.
        std::panic::resume_unwind(Box::new(()));
    });
    drop(failed.join());
    assert_eq!(live(&scope.usage()), (0, 0));
}

#[test]
fn with_several_threads_the_peak_has_a_stated_bound() {
    let scope = Scope::enter("peak");
    let threads: Vec<_> = (0..4)
        .map(|_| {
            thread::spawn(|| {
                (0..1_000)
                    .map(|_| Box::new([0_u8; 100]))
                    .collect::<Vec<_>>()
            })
        })
        .collect();
    let left: Vec<_> = threads
        .into_iter()
        .map(|thread| thread.join().expect("it ends"))
        .collect();
    let usage = scope.usage();
    // At most this thread and the four at one time, at least one beside this.
    assert!((2 * 4_096..=5 * 4_096).contains(&usage.peak_error_bytes));
    assert!(usage.live_bytes >= 4 * 1_000 * 100);
    assert!(usage.peak_bytes >= usage.live_bytes);
    drop(left);
}

#[test]
fn a_pool_that_is_built_inside_belongs_to_the_scope() {
    let scope = Scope::enter("pool");
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(2)
        .build()
        .expect("a pool");
    let before = scope.usage().live_bytes;
    let left: Vec<_> = pool.install(|| {
        use rayon::prelude::*;
        (0..100)
            .into_par_iter()
            .map(|_| vec![0_u8; 1_000])
            .collect()
    });
    let grown = scope.usage().live_bytes - before;
    assert!(grown >= 100_000, "{grown}");
    drop(left);
}

#[test]
fn work_for_a_pool_from_outside_is_brought_in() {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(2)
        .build()
        .expect("a pool");
    pool.install(|| ());
    let scope = Scope::enter("job");
    let handle = scope.handle();
    let outside = pool.install(|| vec![0_u8; 5_000]);
    let inside = pool.install(|| handle.in_scope(|| vec![0_u8; 3_000]));
    let bytes = scope.usage().live_bytes;
    assert!((3_000..5_000).contains(&bytes), "{bytes}");
    drop((outside, inside));
}

#[test]
fn a_handle_may_be_used_inside_another_scope() {
    let a = Scope::enter("a");
    let handle = ScopeHandle::from(&a);
    let b = Scope::enter("b");
    let in_a = handle.clone().in_scope(|| vec![0_u8; 10]);
    let in_b = vec![0_u8; 200];
    assert_eq!(live(&b.usage()), (200, 1));
    assert_eq!(live(&handle.usage()), (210, 2));
    drop((in_a, in_b));
}

#[test]
fn ten_thousand_short_threads_leave_nothing() {
    let scope = Scope::enter("storm");
    for _ in 0..1_000 {
        let threads: [_; 10] = std::array::from_fn(|n| thread::spawn(move || vec![0_u8; n * 999]));
        for thread in threads {
            drop(thread.join().expect("it ends"));
        }
    }
    assert_eq!(live(&scope.usage()), (0, 0));
}

#[test]
fn thousands_of_scopes_with_live_blocks_are_told_apart() {
    let outer = Scope::enter("outer");
    let kept: Vec<_> = (1..=3_000_usize)
        .map(|n| {
            let (block, usage) = highwater::measure(|| vec![0_u8; n]);
            assert_eq!(live(&usage), (n as u64, 1));
            block
        })
        .collect();
    let held: usize = kept.iter().map(Vec::len).sum();
    let usage = outer.usage();
    assert_eq!(usage.live_blocks, 3_001);
    assert!(usage.live_bytes > held as u64);
    drop(kept);
    assert_eq!(live(&outer.usage()), (0, 0));
}
