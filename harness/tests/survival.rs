//! What a counting allocator must live through: forks, signals, re-entrancy,
//! allocations before `main` and after it.
//!
//! Most of this is beyond what Rust promises for safe code, so the tests call the
//! system directly; they are the only code outside `alloc/` that needs to.

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
#[allow(unsafe_code)]
fn in_child(work: impl FnOnce() -> i32) -> i32 {
    // SAFETY: the child goes on with this thread alone. What it calls, our own
    // code and glibc's allocator, is prepared for that.
    match unsafe { libc::fork() } {
        0 => {
            let code = work();
            // SAFETY: ends the child with its `atexit` handlers.
            unsafe { libc::exit(code) }
        }
        child => {
            assert!(child > 0, "fork failed");
            let mut status = 0;
            // SAFETY: waits for our own child.
            assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
            assert!(libc::WIFEXITED(status), "the child was killed: {status:x}");
            libc::WEXITSTATUS(status)
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
        let place = self.used.fetch_add(1, SeqCst) % self.memory.len();
        self.memory[place].as_ptr().cast()
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

#[test]
#[allow(unsafe_code)]
fn threads_of_c_belong_to_the_scope_too() {
    extern "C" fn leave_a_block(_: *mut libc::c_void) -> *mut libc::c_void {
        Box::into_raw(Box::new([0_u8; 321])).cast()
    }
    let scope = Scope::enter("c");
    let mut thread = 0;
    let mut block = std::ptr::null_mut();
    // SAFETY: the thread's function takes nothing and returns a block of ours,
    // which is taken back here, once.
    let block = unsafe {
        let (null, nothing) = (std::ptr::null(), std::ptr::null_mut());
        assert_eq!(
            libc::pthread_create(&raw mut thread, null, leave_a_block, nothing),
            0
        );
        assert_eq!(libc::pthread_join(thread, &raw mut block), 0);
        Box::from_raw(block.cast::<[u8; 321]>())
    };
    let follows = cfg!(all(target_env = "gnu", feature = "threads"));
    let expected = if follows { 321 } else { 0 };
    assert_eq!(scope.usage().live_bytes, expected);
    drop(block);
}
