//! The counting library that `cargo highwater sweep` preloads into test binaries.
//!
//! The tool compiles this folder on its own, without dependencies; it is no module of the tool.
//! It defines C's `malloc` family and forwards to glibc's, so it sees what a dynamically linked
//! program allocates, Rust's `System` and C libraries alike. It counts requested bytes: each
//! block is longer than requested, and the last sixteen bytes of its usable area, the footer, hold
//! the requested size, a check, and the number of a call stack. A block without a valid footer
//! is foreign: glibc gave it out by another way. It is passed on and not counted.
//!
//! Nothing here allocates, takes a lock or panics. When the process ends by `exit` or by a return
//! from `main`, the figures are written to the file that the environment names.
//!
//! - `family` has C's functions; `blocks` knows the blocks that they give out.
//! - `process` is what happens at the start and at the end.
//! - `stacks` has the call stacks that allocate, if they are asked for.
//! - `limit` ends a process that takes too much memory.
//! - `check` finds out whether all of this holds on this machine.
//! - `system` declares what is called of C, and `output` writes files with it.

#![deny(unsafe_op_in_unsafe_fn)]

mod blocks;
mod check;
mod family;
mod limit;
mod output;
mod process;
mod stacks;
mod system;

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use system::pthread_self;

// Of all threads that count.
static LIVE_BYTES: AtomicUsize = AtomicUsize::new(0);
static LIVE_BLOCKS: AtomicUsize = AtomicUsize::new(0);
static PEAK_BYTES: AtomicUsize = AtomicUsize::new(0);
static TOTAL_BYTES: AtomicUsize = AtomicUsize::new(0);
static TOTAL_BLOCKS: AtomicUsize = AtomicUsize::new(0);
/// The blocks of the main thread, by which the tool sees whether the program can be seen.
static MAIN_BLOCKS: AtomicUsize = AtomicUsize::new(0);
/// The main thread, or [`NOBODY`] if it counts too; 0 before the start, when nothing counts.
static MAIN: AtomicUsize = AtomicUsize::new(0);
/// No thread's number, which is an address.
const NOBODY: usize = 1;

/// Whether this thread's allocations count.
fn is_counted() -> bool {
    let main = MAIN.load(Relaxed);
    // SAFETY: it takes nothing and always answers.
    main != 0 && main != unsafe { pthread_self() }
}

/// Adds to what is live, and raises the peak. Ends the process if that is above the limit.
fn rise(bytes: usize) {
    let live = LIVE_BYTES.fetch_add(bytes, Relaxed).wrapping_add(bytes);
    PEAK_BYTES.fetch_max(live, Relaxed);
    TOTAL_BYTES.fetch_add(bytes, Relaxed);
    stacks::rose(live);
    if live > limit::LIMIT.load(Relaxed) {
        limit::pass(bytes, live);
    }
}
