//! Counting: the allocator, the footer behind each block, a ledger for each
//! thread and the table of scopes.
//!
//! This is the only part of the crate with `unsafe` in it. Nothing that runs
//! inside an allocation may lock, allocate, panic or format. What the hooks
//! share is atomic; what grows is bounded by the most threads and the most
//! scopes alive at one time.

#![allow(unsafe_code)]
// Measured, not guessed: these few lines run inside every allocation.
#![allow(clippy::inline_always)]
// A layout's size never passes `isize::MAX`, so sizes and their differences fit.
#![allow(clippy::cast_possible_wrap)]

#[cfg_attr(not(highwater_linux), path = "no_beneath.rs")]
pub(crate) mod beneath;
#[cfg_attr(not(highwater_c_heap), path = "no_c_heap.rs")]
mod c_heap;
mod counters;
mod elsewhere;
mod footer;
mod fork;
mod inner;
#[cfg_attr(not(highwater_interpose), path = "no_interpose.rs")]
mod interpose;
mod ledger;
mod limit;
mod memory;
mod name;
mod notes;
mod open;
#[cfg(any(highwater_stacks, highwater_stack_depth))]
mod own_stack;
#[cfg_attr(not(highwater_linux), path = "no_refuse.rs")]
mod refuse;
mod scopes;
mod slowly;
#[cfg_attr(not(highwater_stack_depth), path = "no_stack_depth.rs")]
mod stack_depth;
mod sync;
#[cfg(highwater_unix)]
mod thread_key;
#[cfg_attr(not(highwater_stacks), path = "no_trace.rs")]
mod trace;
#[cfg_attr(not(highwater_unix), path = "no_unwind.rs")]
mod unwind;

pub(crate) use c_heap::why_uncounted as why_c_heap_is_uncounted;
pub(crate) use counters::Totals;
pub(crate) use elsewhere::{Elsewhere, has_neighbours, live_in_process};
pub(crate) use inner::name as inner_name;
pub(crate) use interpose::random::AnsweredThread;
pub(crate) use ledger::Seen;
#[cfg(highwater_glibc)]
pub(crate) use memory::{heap, own_bytes, trim_heap};
// Not needed where tests are not given processes of their own.
#[allow(unused_imports)]
pub(crate) use limit::{Watcher, watch};
pub(crate) use memory::{print, thread_id};
pub(crate) use name::cut;
pub(crate) use notes::Noted;
pub(crate) use open::{
    HeldScope, OpenError, OpenScope, Reading, is_in_scope, is_whole_process, unscoped,
};
pub(crate) use refuse::Plan;
#[cfg(highwater_linux)]
pub(crate) use refuse::Refused;
pub(crate) use scopes::{Overruns, SCOPE_LIMIT};
pub(crate) use stack_depth::{MeasuredSteps, StackDepth};
pub(crate) use trace::{Live, Recorder, Stopped, Total, Trace, with_stacks_from};
pub(crate) use unwind::frames;

// Not needed where tests are not given processes of their own.
#[allow(unused_imports)]
pub(crate) use {interpose::random::answer as answer_randomness, open::watch_whole_process};

use c_heap::System;
use interpose::spawn;
use ledger::Own;
use std::alloc::{GlobalAlloc, Layout};

/// A global allocator that counts, exactly, what each scope allocates.
///
/// It passes every request on to the allocator beneath, with four bytes added
/// to remember the owner, and counts the bytes that the program asked for, so
/// the figures are the same above every allocator.
///
/// ```
/// #[global_allocator]
/// static ALLOC: highwater::Alloc = highwater::Alloc::system();
/// # fn main() {}
/// ```
///
/// Without such a line every measurement fails with a message that shows it.
#[derive(Debug, Default)]
pub struct Alloc<A: GlobalAlloc = System> {
    inner: A,
}

impl Alloc {
    /// Counts above the system's allocator.
    pub const fn system() -> Self {
        Self::new(System)
    }
}

impl<A: GlobalAlloc> Alloc<A> {
    /// Counts above `inner`, which may be any allocator.
    pub const fn new(inner: A) -> Self {
        Self { inner }
    }
}

// SAFETY: every method passes the request on to `inner`, an allocator, with the
// size enlarged by the footer and the same alignment, both when allocating and
// when freeing, so `inner` sees consistent layouts. The caller gets the first
// `layout.size()` bytes, which the footer behind them does not touch. Nothing
// in here unwinds: the counting functions have no panicking operation.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Alloc<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(with_room) = footer::with_room(layout) else {
            return std::ptr::null_mut();
        };
        if with_room.align() > PLAIN_ALIGN || with_room.align() > with_room.size() {
            // SAFETY: the caller's promises are passed on.
            return unsafe { self.alloc_aligned(with_room, layout) };
        }
        // SAFETY: `with_room` is at least the footer's size, so not zero.
        let block = unsafe { self.inner.alloc(with_room) };
        // SAFETY: `block` is null or was just allocated for `with_room`.
        unsafe { self.counted(block, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let Some(with_room) = footer::with_room(layout) else {
            return std::ptr::null_mut();
        };
        // SAFETY: `with_room` is at least the footer's size, so not zero.
        let block = unsafe { self.inner.alloc_zeroed(with_room) };
        // SAFETY: `block` is null or was just allocated for `with_room`.
        unsafe { self.counted(block, layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller promises that `block` came from this allocator for
        // this layout and is live until we free it below.
        let owner = unsafe { footer::read(block, layout.size()) };
        let own = ledger::own();
        if !own.try_freed(owner, layout.size()) {
            // SAFETY: as above.
            return unsafe { self.dealloc_followed(block, layout, owner, own) };
        }
        // SAFETY: as above, and it is not used again.
        unsafe { self.inner.dealloc(block, enlarged(layout)) };
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let Some(new_with_room) = footer::room_for(new_size, layout.align()) else {
            return std::ptr::null_mut();
        };
        if limit::refuses(new_size.saturating_sub(layout.size()), scope) {
            return std::ptr::null_mut();
        }
        // Read before the inner call, which may hand the old place to another
        // thread. Until the call succeeds nothing is changed, so a failure
        // leaves the block, its footer and the counts as they were.
        //
        // SAFETY: the caller promises a live block of ours with this layout.
        let owner = unsafe { footer::read(block, layout.size()) };
        if ledger::own().is_slow(owner) {
            // SAFETY: as above; the new size with the footer was found to be valid.
            return unsafe { self.realloc_slowly(block, layout, new_size, owner) };
        }
        // SAFETY: the block has the enlarged layout, and the new size with the
        // footer was found to be valid.
        let resized = unsafe { self.inner.realloc(block, enlarged(layout), new_with_room) };
        if !resized.is_null() {
            // SAFETY: it was just made for `new_with_room`.
            unsafe { slowly::resized(resized, owner, layout.size(), new_size) };
        }
        resized
    }
}

/// The most alignment that `malloc` has. For more, `System` has a variable on the stack whose
/// address it passes on, and a function with such a one cannot jump to the next, but calls it.
/// So these blocks have a function of their own.
const PLAIN_ALIGN: usize = 16;

impl<A: GlobalAlloc> Alloc<A> {
    /// Allocates what is aligned to more than most blocks, or to more than its size.
    ///
    /// # Safety
    /// As for `alloc`; `with_room` is `layout` with room for the footer.
    #[cold]
    #[inline(never)]
    unsafe fn alloc_aligned(&self, with_room: Layout, layout: Layout) -> *mut u8 {
        // SAFETY: `with_room` is at least the footer's size, so not zero.
        let block = unsafe { self.inner.alloc(with_room) };
        // SAFETY: `block` is null or was just allocated for `with_room`.
        unsafe { self.counted(block, layout) }
    }

    /// Counts a new block, writes its footer and returns it; does nothing with
    /// null.
    ///
    /// # Safety
    /// `block` is null, or was just allocated by `inner` for `layout` with room for
    /// the footer.
    #[cfg_attr(not(debug_assertions), inline)]
    unsafe fn counted(&self, block: *mut u8, layout: Layout) -> *mut u8 {
        if block.is_null() {
            return block;
        }
        let own = ledger::own();
        let Some(footer) = own.try_allocated(layout.size()) else {
            if layout.size() >= limit::LARGE_BYTES {
                // SAFETY: the caller's promises are passed on.
                return unsafe { self.counted_if_allowed(block, layout) };
            }
            // SAFETY: the caller promises the room.
            return unsafe { trace::allocated(block, layout.size(), own) };
        };
        // SAFETY: the caller promises the room.
        unsafe { footer::write(block, layout.size(), footer) };
        block
    }

    /// # Safety
    /// As for `counted`; `block` is not null.
    #[cold]
    #[inline(never)]
    unsafe fn counted_if_allowed(&self, block: *mut u8, layout: Layout) -> *mut u8 {
        if limit::refuses(layout.size(), scope) {
            // SAFETY: the caller promises the enlarged layout; nobody has seen
            // the block.
            unsafe { self.inner.dealloc(block, enlarged(layout)) };
            return std::ptr::null_mut();
        }
        inner::note::<A>();
        let own = ledger::own();
        // SAFETY: the caller promises the room.
        unsafe { trace::allocated(block, layout.size(), own) }
    }

    /// Kept apart, so that `dealloc` itself saves no registers.
    ///
    /// # Safety
    /// As for `dealloc`; `owner` is the block's footer, `own` the calling thread's.
    #[cold]
    #[inline(never)]
    unsafe fn dealloc_followed(&self, block: *mut u8, layout: Layout, owner: u32, own: Own) {
        if !trace::try_freed(block, layout.size(), owner, own) {
            // SAFETY: the caller's promises are passed on.
            return unsafe { self.dealloc_slowly(block, layout, owner) };
        }
        // SAFETY: as above.
        unsafe { self.inner.dealloc(block, enlarged(layout)) };
    }

    /// # Safety
    /// As for `dealloc`; `owner` is the block's footer.
    #[cold]
    #[inline(never)]
    unsafe fn dealloc_slowly(&self, block: *mut u8, layout: Layout, owner: u32) {
        trace::freed_slowly(block, owner);
        ledger::current().freed(owner, layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { self.inner.dealloc(block, enlarged(layout)) };
    }

    /// # Safety
    /// As for `realloc`; `owner` is the block's footer, and `new_size` is valid with one.
    #[cold]
    #[inline(never)]
    unsafe fn realloc_slowly(
        &self,
        block: *mut u8,
        layout: Layout,
        new_size: usize,
        owner: u32,
    ) -> *mut u8 {
        if slowly::refuses(new_size, true) {
            return std::ptr::null_mut();
        }
        let resize = trace::Resize::of(block, layout.size(), new_size, owner);
        let new_with_room = new_size + footer::FOOTER_BYTES;
        // SAFETY: the block has the enlarged layout, and the new size with the
        // footer is valid.
        let resized = unsafe { self.inner.realloc(block, enlarged(layout), new_with_room) };
        // SAFETY: `resized` is null or was just made with room for the footer.
        unsafe { trace::resized(resized, &resize) }
    }
}

/// The layout that a block of `layout` was allocated with.
///
/// # Safety
/// Such a block must exist: then its enlarged layout was found to be valid.
#[cfg_attr(not(debug_assertions), inline)]
unsafe fn enlarged(layout: Layout) -> Layout {
    // SAFETY: the caller promises that the sum is a valid size.
    unsafe {
        Layout::from_size_align_unchecked(layout.size() + footer::FOOTER_BYTES, layout.align())
    }
}

/// The scope that this thread stands in.
#[inline(always)]
fn scope() -> &'static scopes::Record {
    ledger::current().scope()
}

/// Why the allocations of the process cannot be recorded.
// Not all are constructed where call stacks can't be taken.
#[cfg_attr(not(highwater_stacks), allow(dead_code))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordError {
    /// The allocator of the program is not [`Alloc`].
    NotInstalled,
    /// Call stacks are taken on Linux and macOS alone, on x86-64 and `AArch64`, with the feature
    /// `diagnosis`.
    NoStacks,
    /// Somebody else takes call stacks: another recording, or a scenario.
    Busy,
}

/// A call stack, and what was allocated at it since a recording began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recorded {
    /// Return addresses, innermost first; empty for what is not told apart.
    pub(crate) frames: Vec<usize>,
    pub(crate) live: Live,
    pub(crate) total: Total,
}

/// An allocator's own figures. What it does not tell is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beneath {
    /// `glibc`, `jemalloc` or `mimalloc`.
    pub name: &'static str,
    /// What it has from the system: resident, or, of glibc and mimalloc, what may be.
    pub held_bytes: u64,
    /// What it has handed out and not got back.
    pub used_bytes: Option<u64>,
    /// What is free on pages that are in use in part, so that it cannot go back to the system.
    pub fragmented_bytes: Option<u64>,
}

/// Whether threads that are started in a scope belong to it.
pub(crate) fn follows_threads() -> bool {
    spawn::FOLLOWS_THREADS
}

/// Says at the end of the process what was found damaged outside of every scope, where no
/// report says it.
#[cfg(highwater_linux)]
mod at_exit {
    use super::scopes::ROOT;

    #[used]
    #[unsafe(link_section = ".fini_array")]
    static SAY: extern "C" fn() = say;

    extern "C" fn say() {
        if !super::is_whole_process()
            && let Some(overruns) = ROOT.overruns()
        {
            super::memory::print(
                format!("highwater: outside of every scope, {overruns}\n").as_bytes(),
            );
        }
    }
}

#[cfg(all(test, highwater_shuttle))]
mod model;
#[cfg(all(test, not(highwater_shuttle)))]
mod tests;
