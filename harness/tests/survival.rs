//! What a counting allocator must live through: forks, signals, re-entrancy,
//! allocations before `main` and after it.
//!
//! Most of this is beyond what Rust promises for safe code, so the tests call the
//! system directly; beside `foreign_threads` they are the only code outside `alloc/`
//! that needs to.

#![deny(unsafe_code)]
#![cfg(target_os = "linux")]

use highwater::{Alloc, Scope, measure};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::thread;

#[global_allocator]
static ALLOC: Alloc = Alloc::system();

/// Children belong to the process, so tests that make some take turns.
static PROCESS: Mutex<()> = Mutex::new(());

/// What the constructor below saw: the length of a string that it allocated.
static BEFORE_MAIN: AtomicUsize = AtomicUsize::new(0);

extern "C" fn allocate_early() {
    BEFORE_MAIN.store(black_box(String::from("early")).len(), SeqCst);
}

#[used]
#[allow(unsafe_code)]
// SAFETY: the section holds pointers to functions of this type, which the system
// calls once each before `main`.
#[unsafe(link_section = ".init_array")]
static EARLY: extern "C" fn() = allocate_early;

#[test]
fn allocating_before_main_is_harmless() {
    assert_eq!(BEFORE_MAIN.load(SeqCst), 5);
    let (kept, usage) = measure(|| vec![0_u8; 10]);
    assert_eq!((usage.live_bytes, usage.live_blocks), (10, 1));
    drop(kept);
}

/// Runs `work` in a forked child and returns the child's exit code.
fn in_child(work: impl FnOnce() -> i32) -> i32 {
    let status = status_of_child(work);
    assert!(libc::WIFEXITED(status), "the child was killed: {status:x}");
    libc::WEXITSTATUS(status)
}

/// The same, but returns how the child ended, as `waitpid` says it; zero is well.
#[allow(unsafe_code)]
fn status_of_child(work: impl FnOnce() -> i32) -> i32 {
    // SAFETY: the child goes on with this thread alone. What it calls, our own
    // code and glibc's allocator, is prepared for that.
    match unsafe { libc::fork() } {
        0 => {
            // A child that waits or spins for what never comes is killed: by an alarm,
            // or for its processor time, which does not depend on who else runs.
            let seconds = libc::rlimit {
                rlim_cur: 2,
                rlim_max: 2,
            };
            // SAFETY: both concern this child alone; nothing handles the signals.
            unsafe {
                libc::setrlimit(libc::RLIMIT_CPU, &raw const seconds);
                libc::alarm(60);
            }
            let code = work();
            // SAFETY: ends the child with its `atexit` handlers.
            unsafe { libc::exit(code) }
        }
        child => {
            assert!(child > 0, "fork failed");
            let mut status = 0;
            // SAFETY: waits for our own child.
            assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
            status
        }
    }
}

#[test]
fn a_child_counts_exactly_while_its_parent_allocates() {
    let _turn = PROCESS.lock();
    let stop = AtomicBool::new(false);
    thread::scope(|threads| {
        for _ in 0..3 {
            threads.spawn(|| {
                while !stop.load(SeqCst) {
                    drop(black_box(vec![0_u8; 5_000]));
                }
            });
        }
        for _ in 0..50 {
            let outer = Scope::enter("forked");
            let held = vec![0_u8; 1_000];
            let code = in_child(|| {
                let (kept, usage) = measure(|| vec![0_u8; 300]);
                let outside = outer.usage().live_bytes;
                drop(kept);
                i32::from((usage.live_bytes, outside) != (300, 1_300))
            });
            assert_eq!(code, 0);
            drop(held);
        }
        stop.store(true, SeqCst);
    });
}

/// Runs `child` in many children, beside threads that do `busy` without a pause.
fn fork_beside(busy: impl Fn() + Sync, child: impl Fn() -> i32) {
    let _turn = PROCESS.lock();
    let (busy, stop) = (&busy, &AtomicBool::new(false));
    let bad = thread::scope(|threads| {
        for _ in 0..3 {
            threads.spawn(move || {
                while !stop.load(SeqCst) {
                    busy();
                }
            });
        }
        let mut statuses = (0..200).map(|_| status_of_child(&child));
        let bad = statuses.find(|status| *status != 0);
        stop.store(true, SeqCst);
        bad
    });
    assert_eq!(bad, None);
}

#[test]
fn a_child_opens_scopes_while_its_parent_does() {
    fork_beside(
        || drop(Scope::enter("in the parent")),
        || {
            let (kept, usage) = measure(|| vec![0_u8; 300]);
            drop(kept);
            i32::from(usage.live_bytes != 300)
        },
    );
}

#[test]
fn a_child_reads_a_name_while_its_parent_does() {
    let scope = Scope::enter("the scope of both");
    let handle = scope.handle();
    fork_beside(
        || drop(black_box(format!("{handle:?}"))),
        || i32::from(!format!("{handle:?}").contains("the scope of both")),
    );
}

#[test]
fn a_child_reads_a_scope_while_its_parent_counts_in_it() {
    let scope = Scope::enter("shared");
    let handle = scope.handle();
    fork_beside(
        || handle.in_scope(|| drop(black_box(vec![0_u8; 5_000]))),
        || {
            for _ in 0..20 {
                black_box(handle.usage());
            }
            let before = handle.usage().total_bytes;
            let kept = handle.in_scope(|| vec![0_u8; 300]);
            let after = handle.usage().total_bytes;
            drop(kept);
            i32::from(after != before + 300)
        },
    );
}

#[test]
#[allow(unsafe_code)]
fn allocating_at_exit_is_harmless() {
    extern "C" fn at_exit() {
        drop(black_box(vec![0_u8; 100]));
        let (kept, usage) = measure(|| vec![0_u8; 20]);
        if usage.live_bytes != 20 {
            // SAFETY: ends the process at once.
            unsafe { libc::_exit(9) };
        }
        drop(kept);
    }
    let _turn = PROCESS.lock();
    let code = in_child(|| {
        // SAFETY: the function may be called at the end of the process.
        unsafe { libc::atexit(at_exit) }
    });
    assert_eq!(code, 0);
}

/// Has one word for each request and takes none back: it may be called in a
/// signal handler, as no real allocator may.
struct Slots {
    memory: [AtomicU64; 4_096],
    used: AtomicUsize,
}

#[allow(unsafe_code)]
// SAFETY: each request for up to 8 bytes gets a word of its own, and words are
// used again only after 4,096 requests; the test holds one block at a time.
unsafe impl GlobalAlloc for Slots {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        let index = self.used.fetch_add(1, SeqCst) % self.memory.len();
        self.memory[index].as_ptr().cast()
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

static SLOTS: Alloc<Slots> = Alloc::new(Slots {
    memory: [const { AtomicU64::new(0) }; 4_096],
    used: AtomicUsize::new(0),
});

static SIGNALS: AtomicU64 = AtomicU64::new(0);

#[allow(unsafe_code)]
fn allocate_and_free_a_slot() {
    // With the footer, eight bytes.
    let layout = Layout::new::<[u8; 4]>();
    // SAFETY: the layout is not empty, and the block is freed as allocated.
    unsafe {
        let block = SLOTS.alloc(layout);
        SLOTS.dealloc(black_box(block), layout);
    }
}

extern "C" fn on_signal(_: libc::c_int) {
    allocate_and_free_a_slot();
    SIGNALS.fetch_add(1, SeqCst);
}

#[test]
#[allow(unsafe_code)]
fn signals_that_land_in_the_allocator_lose_no_live_bytes() {
    let handler: extern "C" fn(libc::c_int) = on_signal;
    let scope = Scope::enter("interrupted");
    // SAFETY: names this thread, which outlives the one that signals it.
    let this = unsafe { libc::pthread_self() };
    // SAFETY: the handler calls nothing but our counting and `Slots`, which are
    // made for it.
    unsafe { libc::signal(libc::SIGUSR1, handler as *const () as libc::sighandler_t) };
    let stop = AtomicBool::new(false);
    thread::scope(|threads| {
        let sender = threads.spawn(|| {
            while !stop.load(SeqCst) {
                // SAFETY: the thread is there until this one was joined.
                unsafe { libc::pthread_kill(this, libc::SIGUSR1) };
            }
        });
        while SIGNALS.load(SeqCst) < 2_000 {
            for _ in 0..100 {
                allocate_and_free_a_slot();
            }
        }
        stop.store(true, SeqCst);
        sender.join().expect("it ends");
    });
    let usage = scope.usage();
    assert_eq!((usage.live_bytes, usage.overruns), (0, 0));
}

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Allocates through the global allocator while it serves a request.
struct Reentrant;

#[allow(unsafe_code)]
// SAFETY: passes everything on to `System`.
unsafe impl GlobalAlloc for Reentrant {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if DEPTH.replace(1) == 0 {
            drop(black_box(vec![0_u8; 100]));
            DEPTH.set(0);
        }
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(block, layout) };
    }
}

#[test]
#[cfg_attr(
    feature = "c-heap",
    ignore = "what it has from `System` is C's, and counts"
)]
#[allow(unsafe_code)]
fn an_allocator_beneath_that_allocates_is_counted_too() {
    static NESTED: Alloc<Reentrant> = Alloc::new(Reentrant);
    let layout = Layout::new::<[u8; 50]>();
    let scope = Scope::enter("nested");
    // SAFETY: the layout is not empty, and the block is freed as allocated.
    let block = unsafe { NESTED.alloc(layout) };
    let usage = scope.usage();
    assert_eq!((usage.live_bytes, usage.live_blocks), (50, 1));
    assert_eq!((usage.total_bytes, usage.total_blocks), (150, 2));
    // SAFETY: as above.
    unsafe { NESTED.dealloc(block, layout) };
    assert_eq!(scope.usage().live_blocks, 0);
}
