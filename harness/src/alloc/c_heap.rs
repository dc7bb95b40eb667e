//! C's heap, counted like Rust's: the feature `c-heap` (Linux with glibc on x86-64 or
//! `AArch64`).
//!
//! `family.rs` defines C's `malloc` family in the finished program and forwards to glibc's.
//! `blocks.rs` counts by the ledgers that count Rust's blocks. `system.rs` is what
//! [`Alloc::system`](super::Alloc::system) passes Rust's requests to: glibc's functions behind
//! the family, so that they are not counted twice.
//!
//! C's requests are counted once the program is known to have [`Alloc`](super::Alloc) as its
//! global allocator, and that to reach glibc past the family; [`probe`] finds out before the
//! first scope is opened. Until then, and in programs where that is not so, they are passed
//! on unchanged. A thread's own requests are also passed on while it is in the middle of
//! counting one, since the unwinder may make some.

mod blocks;
mod family;
mod system;

use std::cell::Cell;
use std::ffi::c_void;
// Not a model's: the first scope is opened once.
use std::sync::atomic::{
    AtomicU8,
    Ordering::{Relaxed, Release, SeqCst},
    compiler_fence,
};
pub(super) use system::System;

// SAFETY: these are glibc's signatures.
unsafe extern "C" {
    fn __libc_malloc(size: usize) -> *mut c_void;
    fn __libc_calloc(count: usize, size: usize) -> *mut c_void;
    fn __libc_realloc(block: *mut c_void, size: usize) -> *mut c_void;
    fn __libc_memalign(alignment: usize, size: usize) -> *mut c_void;
    fn __libc_free(block: *mut c_void);
}

/// Whether C's requests are counted. Read before any thread-local is, because the loader calls
/// the family before these are there.
static PHASE: AtomicU8 = AtomicU8::new(UNKNOWN);
/// Nobody has found out yet, or [`Alloc`](super::Alloc) is not the global allocator.
const UNKNOWN: u8 = 0;
/// Some thread is about to find out.
const PROBED: u8 = 1;
/// Yes.
const COUNTED: u8 = 2;
/// No: Rust's own blocks come through the family, and count already.
const SHARED: u8 = 3;

/// What this thread's requests are.
#[derive(Clone, Copy, PartialEq)]
enum Requests {
    /// C's.
    OfProgram,
    /// Passed on and not counted.
    Uncounted,
    /// The same, and there should be none.
    Unexpected,
    /// There was one.
    Seen,
}

thread_local! {
    /// Const-initialised and without a destructor, so it is there until the thread is gone.
    static REQUESTS: Cell<Requests> = const { Cell::new(Requests::OfProgram) };
}

/// Whether a request of this thread is to be counted now.
#[inline]
fn is_counting() -> bool {
    match PHASE.load(Relaxed) {
        UNKNOWN | SHARED => false,
        phase => phase == COUNTED && REQUESTS.get() == Requests::OfProgram || is_unexpected(),
    }
}

/// Notes a request that should not have come. Such a one is not counted: always false.
#[cold]
fn is_unexpected() -> bool {
    if REQUESTS.get() == Requests::Unexpected {
        REQUESTS.set(Requests::Seen);
    }
    false
}

/// Runs `work`, in which C's requests of this thread are passed on and not counted.
// Not needed where neither threads are followed nor call stacks taken.
#[allow(dead_code)]
pub(super) fn uncounted<R>(work: impl FnOnce() -> R) -> R {
    as_requests(Requests::Uncounted, work).0
}

/// Runs `work`, in which this thread's requests are `requests`. Returns what they are behind it.
fn as_requests<R>(requests: Requests, work: impl FnOnce() -> R) -> (R, Requests) {
    let before = REQUESTS.replace(requests);
    // The compiler takes allocating functions for ones that look at nothing of the program's.
    compiler_fence(SeqCst);
    let result = work();
    compiler_fence(SeqCst);
    (result, REQUESTS.replace(before))
}

/// Runs `work`, which allocates by the global allocator, and notes whether that used the
/// family.
pub(super) fn probe(work: impl FnOnce()) {
    let _ = PHASE.compare_exchange(UNKNOWN, PROBED, Relaxed, Relaxed);
    if as_requests(Requests::Unexpected, work).1 == Requests::Seen {
        PHASE.store(SHARED, Relaxed);
    }
}

/// After [`probe`]: from now on C's requests are counted, if the global allocator
/// `is_installed` and does not use the family itself.
pub(super) fn begin(is_installed: bool) {
    let next = if is_installed { COUNTED } else { UNKNOWN };
    let _ = PHASE.compare_exchange(PROBED, next, Release, Relaxed);
}

/// Why C's heap is not counted; none if it is.
pub(crate) fn why_uncounted() -> Option<&'static str> {
    match PHASE.load(Relaxed) {
        COUNTED => None,
        SHARED => Some(
            "the allocator beneath calls C's malloc itself, so Rust's blocks would count \
             twice; use `Alloc::system()`",
        ),
        _ => Some("only what Rust's global allocator serves is counted"),
    }
}
