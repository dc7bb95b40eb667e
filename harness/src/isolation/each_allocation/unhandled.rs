//! What the parent knows of the runs: the failures that were not handled.

use crate::alloc::Refused;
use std::time::Duration;

/// All that was tried.
pub(super) struct Tried {
    pub(super) allocations: u64,
    /// How many of them were failed, each in a run.
    pub(super) runs: u64,
    /// Live bytes and blocks after the run without a failure.
    pub(super) left: (u64, u64),
    pub(super) unhandled: Vec<Unhandled>,
}

/// A failure that was not handled.
pub(super) struct Unhandled {
    /// Of the allocation, from 1 on.
    pub(super) number: u64,
    /// None if the run did not come to it.
    pub(super) refused: Option<Refused>,
    pub(super) outcome: Outcome,
}

/// What became of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// By `SIGABRT`, with what was printed last.
    Aborted(Option<String>),
    Signal(i32, Option<String>),
    Exited(i32),
    OverTime(Duration),
    Panicked(String),
    Broken(String),
    /// So much more is live than after the run without a failure.
    Leaked {
        bytes: u64,
        blocks: u64,
    },
    /// It returned without coming to the allocation.
    NotReached,
}
