//! Functions that stand before libc's of the same name in the finished program.
//!
//! `spawn.rs` has those that start a thread, and `random.rs` those that give random numbers.
//! They pass calls on to libc by `next.rs`. Where they can't stand before libc's, or
//! something else may want these names, `no_interpose.rs` takes their place.

mod next;
pub(super) mod random;
pub(super) mod spawn;
