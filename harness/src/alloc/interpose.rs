//! Functions that stand before libc's of the same name in the finished program.
//!
//! `spawn.rs` has those that start a thread, `random.rs` those that give random numbers, and
//! `thread_locals.rs` the one that notes destructors. They pass calls on to libc by `next.rs`.
//! Where they can't stand before libc's, or something else may want these names,
//! `no_interpose.rs` takes their place.

mod next;
pub(super) mod random;
pub(super) mod spawn;
#[cfg(highwater_c_heap)]
mod thread_locals;
