//! Stands in for `stack_depth` where threads are not followed, and on other processors than
//! x86-64.

use super::scopes::Record;

/// The most that was used of a stack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct StackDepth {
    pub(crate) bytes: u64,
    pub(crate) is_least: bool,
}

/// A thread that a step started; none is measured.
pub(in crate::alloc) struct Thread;

// Not needed where threads are not followed.
#[allow(dead_code, clippy::unused_self)]
impl Thread {
    pub(in crate::alloc) fn of(_: &'static Record) -> Option<&'static Self> {
        None
    }

    pub(in crate::alloc) fn begin(&'static self, _: usize) {}

    pub(in crate::alloc) fn give_back(&self) {}
}

// Not needed where threads are not followed.
#[allow(dead_code)]
pub(in crate::alloc) fn stack_pointer() -> usize {
    0
}

// Not needed where processes do not fork.
#[allow(dead_code)]
pub(in crate::alloc) fn forked() {}

/// There are none.
pub(crate) enum MeasuredSteps {}

impl MeasuredSteps {
    pub(super) fn begin(_: &'static Record, _: impl FnOnce(&Self)) -> Result<Self, &'static str> {
        Err(
            "not measured: stacks are measured on Linux with glibc on x86-64 alone, with the \
             feature `threads`",
        )
    }

    pub(crate) fn mark(&self) {
        match *self {}
    }

    pub(crate) fn run<F: FnOnce()>(&self, _: F) {
        match *self {}
    }

    pub(crate) fn end(self) -> StackDepth {
        match self {}
    }
}
