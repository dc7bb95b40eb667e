//! Call stacks can't be taken here: another system or processor than Linux or macOS on x86-64 or
//! `AArch64`, or without the feature `diagnosis`.

use super::ledger::{self, Own};
use super::scopes::Record;
use super::slowly;
use super::{RecordError, Recorded};

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

    #[allow(dead_code)]
    pub(crate) fn is_cheap() -> bool {
        false
    }

    pub(crate) fn is_of_process() -> bool {
        false
    }

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

/// Nobody follows a whole process.
pub(crate) enum Recorder {}

impl Recorder {
    pub(crate) fn start() -> Result<Self, RecordError> {
        Err(RecordError::NoStacks)
    }

    pub(crate) fn read(&self) -> Vec<Recorded> {
        match *self {}
    }

    pub(crate) fn lost(&self) -> u64 {
        match *self {}
    }
}

pub(crate) fn with_stacks_from<R>(_mark: usize, work: impl FnOnce() -> R) -> R {
    work()
}

/// Counts a new block, writes its footer and returns it. Null if the allocation is to fail:
/// then the block is lost, for the process is there for that failure alone.
///
/// # Safety
/// `block` was just allocated with room for `size` bytes and the footer.
#[cold]
#[inline(never)]
pub(super) unsafe fn allocated(block: *mut u8, size: usize, _own: Own) -> *mut u8 {
    if slowly::refuses(size, false) {
        return std::ptr::null_mut();
    }
    // SAFETY: the caller's promises are passed on.
    unsafe { slowly::allocated(block, size) };
    if ledger::is_traced() {
        slowly::note(size, false);
    }
    block
}

pub(super) fn try_freed(_block: *mut u8, _size: usize, _owner: u32, _own: Own) -> bool {
    false
}

pub(super) fn freed_slowly(_block: *mut u8, _owner: u32) {}

/// A block that is about to be resized, and may move.
pub(super) struct Resize {
    old_size: usize,
    new_size: usize,
    /// Its footer.
    owner: u32,
}

impl Resize {
    pub(super) fn of(_block: *mut u8, old_size: usize, new_size: usize, owner: u32) -> Self {
        Self {
            old_size,
            new_size,
            owner,
        }
    }
}

/// Counts a block that was resized and is now at `block`, and writes its footer; or, if that
/// is null, leaves everything as it was. Returns `block`.
///
/// # Safety
/// `block` is null, or live with room for the new size and the footer.
pub(super) unsafe fn resized(block: *mut u8, resize: &Resize) -> *mut u8 {
    let Resize {
        old_size,
        new_size,
        owner,
    } = *resize;
    if !block.is_null() {
        // SAFETY: the caller's promises are passed on.
        unsafe { slowly::resized(block, owner, old_size, new_size) };
        if ledger::is_traced() {
            slowly::note(new_size, true);
        }
    }
    block
}
