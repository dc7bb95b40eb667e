//! Where the allocator takes its atomics, locks and thread-locals from.
//!
//! In tests built with `--cfg highwater_shuttle` they are shuttle's, which decides at
//! each of them which thread goes on, so that `model.rs` sees the real code in
//! interleavings that a real machine shows once in a million runs.

#[cfg(all(test, highwater_shuttle))]
pub(super) use shuttle::{sync::*, thread::yield_now, thread_local};
#[cfg(not(all(test, highwater_shuttle)))]
pub(super) use std::{sync::*, thread::yield_now, thread_local};
