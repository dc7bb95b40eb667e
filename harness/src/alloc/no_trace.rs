//! Call stacks can't be taken here: another system or processor than Linux on x86-64, or
//! without the feature `diagnosis`.

use super::scopes::Record;

/// The right to trace one scope, which nobody has.
pub(crate) enum Trace {}

/// What is live of a site.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Live {
    pub(crate) bytes: i64,
    pub(crate) blocks: i64,
}

/// All that a site allocated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Total {
    pub(crate) bytes: u64,
    pub(crate) blocks: u64,
}

/// The allocation that passed the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stopped {
    pub(crate) site: usize,
    pub(crate) size: u64,
    pub(crate) live_bytes: i64,
}

/// A site, as it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Traced {
    pub(crate) frames: Vec<usize>,
    pub(crate) live: Live,
    pub(crate) at_peak: Live,
}

impl Trace {
    pub(crate) fn start() -> Option<Self> {
        None
    }

    // Not needed where tests are not given processes of their own.
    #[allow(dead_code)]
    pub(crate) fn whole_process() {}

    pub(super) fn follow(&self, _scope: &'static Record) {
        match *self {}
    }

    pub(crate) fn note_peak_at(&self, _peak_bytes: u64) {
        match *self {}
    }

    pub(crate) fn stop_above(&self, _limit: u64) {
        match *self {}
    }

    pub(crate) fn stopped(&self) -> Option<Stopped> {
        match *self {}
    }

    pub(crate) fn has_peak(&self) -> bool {
        match *self {}
    }

    pub(crate) fn lost(&self) -> u64 {
        match *self {}
    }

    pub(crate) fn count(&self) -> usize {
        match *self {}
    }

    pub(crate) fn live(&self, _number: usize) -> Live {
        match *self {}
    }

    pub(crate) fn total(&self, _number: usize) -> Total {
        match *self {}
    }

    pub(crate) fn read(&self, _number: usize) -> Traced {
        match *self {}
    }
}

pub(crate) fn with_stacks_from<R>(_mark: usize, work: impl FnOnce() -> R) -> R {
    work()
}

pub(super) mod stack {
    pub(in crate::alloc) fn learn_bounds() {}
}

pub(super) fn allocated(_block: *mut u8, _size: usize) {}

/// What was known of a block, which is nothing.
pub(super) enum Taken {}

pub(super) fn take_if_traced(_block: *mut u8, _owner: u32) -> Option<Taken> {
    None
}

pub(super) fn resized(
    _old: *mut u8,
    _new: *mut u8,
    _new_size: usize,
    _footer: u32,
    _taken: Option<Taken>,
) {
}
