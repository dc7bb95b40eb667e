//! What a thread whose blocks are followed to their call stacks has beside its ledger:
//! where its stack lies, and its counts for each call site.
//!
//! Only the thread writes to it, with plain additions; whoever wants a site's figures adds
//! up those of all threads. It stands in the place of the thread's ledger and looks as if it
//! had to be flushed at any allocation, so the paths that only count need no check of
//! their own for it. Like ledgers, followers are never unmapped, and a thread gives its own
//! back when it ends; what it counted stays in there.

use super::bounds::{self, Bounds};
use super::{Ledger, NO_FOOTER, NONE};
use crate::alloc::memory;
use crate::alloc::scopes::Record;
use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU64, AtomicUsize,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};

/// How many call sites there are.
pub(in crate::alloc) const SITES: usize = 16_384;

/// Beside the footer of a stand-in for a thread whose scope was found to be followed.
/// The highest bit, so that a test of the sign tells it.
const FOLLOWED: u64 = 1 << 63 | NO_FOOTER;

#[repr(C, align(128))]
pub(in crate::alloc) struct Follower {
    /// What the thread's ledger is taken for. First, so that a pointer to it is one to the
    /// follower.
    stand_in: Ledger,
    /// The thread's own.
    ledger: AtomicPtr<Ledger>,
    /// The trace that the counts are of.
    trace: AtomicU64,
    /// The address above the last on the stack that a frame may have, and how far the start
    /// of the stack is from there, which wraps around.
    above: AtomicUsize,
    lowest: AtomicUsize,
    /// What the trace finds call sites by, in a type of its own; there where the thread was
    /// found to be followed.
    sites: AtomicPtr<()>,
    /// Where the last block was, as in [`Near`]; there where the thread was found to be
    /// followed.
    near_start: AtomicUsize,
    near_region: AtomicPtr<()>,
    /// A scope in which the thread is followed whenever it stands there.
    scope: AtomicPtr<Record>,
    taken: AtomicBool,
    next: AtomicPtr<Follower>,
    counts: [Counts; SITES],
}

/// A region of blocks: the first of its addresses, and what the trace finds their entries by,
/// in a type of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::alloc) struct Near {
    pub(in crate::alloc) start: usize,
    pub(in crate::alloc) region: *const (),
}

/// What was allocated of one site, and freed.
#[repr(C, align(32))]
pub(in crate::alloc) struct Counts {
    total_bytes: AtomicU64,
    total_blocks: AtomicU64,
    freed_bytes: AtomicU64,
    freed_blocks: AtomicU64,
}

/// A number of blocks, and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::alloc) struct Amount {
    pub(in crate::alloc) bytes: u64,
    pub(in crate::alloc) blocks: u64,
}

/// All that there are, the newest first.
static FIRST: AtomicPtr<Follower> = AtomicPtr::new(ptr::null_mut());

thread_local! {
    static OWN: Cell<Option<&'static Follower>> = const { Cell::new(None) };
}

#[cfg(test)]
thread_local! {
    /// As if all were taken, and the system had no memory for another one.
    pub(in crate::alloc) static THERE_ARE_NONE: Cell<bool> = const { Cell::new(false) };
}

#[inline(always)]
fn add(counter: &AtomicU64, by: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(by), Relaxed);
}

impl Counts {
    pub(in crate::alloc) const fn new() -> Self {
        Self {
            total_bytes: AtomicU64::new(0),
            total_blocks: AtomicU64::new(0),
            freed_bytes: AtomicU64::new(0),
            freed_blocks: AtomicU64::new(0),
        }
    }

    /// Own thread only.
    #[inline(always)]
    pub(in crate::alloc) fn allocated(&self, size: usize) {
        add(&self.total_bytes, size as u64);
        add(&self.total_blocks, 1);
    }

    /// Own thread only.
    #[inline(always)]
    pub(in crate::alloc) fn freed(&self, size: usize) {
        add(&self.freed_bytes, size as u64);
        add(&self.freed_blocks, 1);
    }

    /// Any thread.
    pub(in crate::alloc) fn allocated_by_any(&self, size: usize) {
        self.total_bytes.fetch_add(size as u64, Relaxed);
        self.total_blocks.fetch_add(1, Relaxed);
    }

    /// Any thread.
    pub(in crate::alloc) fn freed_by_any(&self, size: usize) {
        self.freed_bytes.fetch_add(size as u64, Relaxed);
        self.freed_blocks.fetch_add(1, Relaxed);
    }

    pub(in crate::alloc) fn total(&self) -> Amount {
        Amount {
            bytes: self.total_bytes.load(Relaxed),
            blocks: self.total_blocks.load(Relaxed),
        }
    }

    pub(in crate::alloc) fn all_freed(&self) -> Amount {
        Amount {
            bytes: self.freed_bytes.load(Relaxed),
            blocks: self.freed_blocks.load(Relaxed),
        }
    }

    pub(in crate::alloc) fn clear(&self) {
        self.total_bytes.store(0, Relaxed);
        self.total_blocks.store(0, Relaxed);
        self.freed_bytes.store(0, Relaxed);
        self.freed_blocks.store(0, Relaxed);
    }
}

impl Amount {
    pub(in crate::alloc) fn add(&mut self, other: Self) {
        self.bytes = self.bytes.wrapping_add(other.bytes);
        self.blocks = self.blocks.wrapping_add(other.blocks);
    }
}

/// Whether a stand-in whose footer this is has the mark.
#[inline(always)]
const fn is_followed(word: u64) -> bool {
    word.cast_signed() < 0
}

impl Follower {
    /// The one that `ledger` is the stand-in of; none if it is no stand-in, or not known to
    /// be of a thread that is followed.
    ///
    /// # Safety
    /// `ledger` is a live ledger, or the start of a follower.
    #[inline(always)]
    pub(super) unsafe fn of(ledger: *const Ledger) -> Option<&'static Self> {
        // SAFETY: the caller's promise; a follower starts with a ledger.
        let word = unsafe { (*ledger).footer.load(Relaxed) };
        // SAFETY: no ledger but the stand-in of a follower ever has this mark, and the
        // pointer was made from one to the whole follower, which is never unmapped.
        is_followed(word).then(|| unsafe { &*ledger.cast::<Self>() })
    }

    /// The one that `ledger` is the stand-in of, if blocks with `footer` are of the scope
    /// that the thread stands in, and that is known to be followed.
    ///
    /// # Safety
    /// As for [`of`](Self::of).
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation)]
    pub(super) unsafe fn with(ledger: *const Ledger, footer: u32) -> Option<&'static Self> {
        // SAFETY: the caller's promise.
        let word = unsafe { (*ledger).footer.load(Relaxed) };
        // The lower half is the footer.
        let is_it = word as u32 == footer && is_followed(word);
        // SAFETY: as in `of`.
        is_it.then(|| unsafe { &*ledger.cast::<Self>() })
    }

    /// The footer for a block that the thread allocates now.
    #[inline(always)]
    pub(in crate::alloc) fn footer(&self) -> u32 {
        self.stand_in.footer()
    }

    /// What the trace finds call sites by.
    #[inline(always)]
    pub(in crate::alloc) fn sites(&self) -> *const () {
        self.sites.load(Relaxed)
    }

    /// The region in which the thread last had a block.
    #[inline(always)]
    pub(in crate::alloc) fn near(&self) -> Near {
        Near {
            start: self.near_start.load(Relaxed),
            region: self.near_region.load(Relaxed),
        }
    }

    /// Own thread only: it has a block in this region, which lives for ever.
    #[inline(always)]
    pub(in crate::alloc) fn set_near(&self, near: Near) {
        self.near_start.store(near.start, Relaxed);
        self.near_region.store(near.region.cast_mut(), Relaxed);
    }

    /// The thread's own ledger.
    #[inline(always)]
    pub(in crate::alloc) fn ledger(&self) -> &'static Ledger {
        // SAFETY: a follower is given to a thread with its ledger, which lives for ever.
        unsafe { &*self.ledger.load(Relaxed) }
    }

    #[inline(always)]
    pub(in crate::alloc) fn trace(&self) -> u64 {
        self.trace.load(Acquire)
    }

    /// The address above the last on the stack that a frame may have, and how far the start
    /// of the stack is from there, which wraps around.
    #[inline(always)]
    pub(in crate::alloc) fn stack(&self) -> (usize, usize) {
        (self.above.load(Relaxed), self.lowest.load(Relaxed))
    }

    #[inline(always)]
    pub(in crate::alloc) fn counts(&self, site: u32) -> &Counts {
        &self.counts[site as usize % SITES]
    }

    /// The calling thread, whose it is, counts in this trace. `most` is how many sites any
    /// trace had.
    pub(in crate::alloc) fn count_in(&self, trace: u64, most: usize) {
        if self.trace() != trace {
            self.counts.iter().take(most).for_each(Counts::clear);
            self.trace.store(trace, Release);
        }
    }

    /// The calling thread, whose it is, was found to be followed where it stands, by this
    /// table of sites and with a block in this region, which both live for ever. If `stays`,
    /// that is so whenever it stands there in this trace; another scope's record may come to
    /// be a scope that is not followed.
    pub(in crate::alloc) fn follow_with(&self, sites: *const (), near: Near, stays: bool) {
        self.sites.store(sites.cast_mut(), Relaxed);
        self.set_near(near);
        let scope = ptr::from_ref(self.ledger().scope()).cast_mut();
        let kept = if stays { scope } else { ptr::null_mut() };
        self.scope.store(kept, Relaxed);
        self.mark_as(FOLLOWED);
    }

    /// Marks the stand-in by whether the thread is where it is known to be followed.
    fn mark(&self) {
        let is_known = ptr::eq(self.scope.load(Relaxed), self.ledger().scope());
        self.mark_as(if is_known { FOLLOWED } else { NO_FOOTER });
    }

    fn mark_as(&self, mark: u64) {
        let word = mark | u64::from(self.ledger().footer());
        self.stand_in.footer.store(word, Relaxed);
    }

    fn learn_stack(&self) {
        let bounds = Bounds::now();
        let above = bounds.last_frame() + 1;
        self.above.store(above, Relaxed);
        self.lowest.store(bounds.start.wrapping_sub(above), Relaxed);
    }
}

/// What is taken for the ledger of the calling thread, whose own is `ledger`: the scope that
/// it stands in is traced.
pub(super) fn stand_in(ledger: &'static Ledger) -> *const Ledger {
    bounds::learn();
    let Some(follower) = own().or_else(take) else {
        return &raw const NONE;
    };
    OWN.set(Some(follower));
    follower
        .ledger
        .store(ptr::from_ref(ledger).cast_mut(), Relaxed);
    follower.learn_stack();
    follower.mark();
    ptr::from_ref(follower).cast()
}

/// That of the calling thread, if it has one.
pub(in crate::alloc) fn own() -> Option<&'static Follower> {
    OWN.get()
}

/// Sets where the stack of this thread lies, or the part of it that counts. Returns what it
/// was.
pub(in crate::alloc) fn set_bounds(bounds: Bounds) -> Bounds {
    let before = Bounds::now();
    bounds.set();
    if let Some(own) = own() {
        own.learn_stack();
    }
    before
}

/// All that there are, of threads and of those that have ended.
pub(in crate::alloc) fn all() -> impl Iterator<Item = &'static Follower> {
    let follower = |pointer: &AtomicPtr<Follower>| {
        // SAFETY: null, or a follower that was published complete and is never unmapped.
        unsafe { pointer.load(Acquire).as_ref() }
    };
    std::iter::successors(follower(&FIRST), move |last| follower(&last.next))
}

fn take() -> Option<&'static Follower> {
    #[cfg(test)]
    if THERE_ARE_NONE.get() {
        return None;
    }
    let is_free =
        |follower: &&Follower| !follower.taken.load(Relaxed) && !follower.taken.swap(true, AcqRel);
    if let Some(free) = all().find(is_free) {
        free.scope.store(ptr::null_mut(), Relaxed);
        return Some(free);
    }
    let fresh: *mut Follower = memory::zeroed(size_of::<Follower>())?.cast();
    // SAFETY: the memory is ours, large enough, and aligned to 128 or more. All zero is a
    // value of everything else in it.
    let follower = unsafe {
        (&raw mut (*fresh).stand_in).write(Ledger::sentinel());
        &*fresh
    };
    follower.taken.store(true, Relaxed);
    let mut first = FIRST.load(Acquire);
    loop {
        follower.next.store(first, Relaxed);
        match FIRST.compare_exchange(first, fresh, AcqRel, Acquire) {
            Ok(_) => return Some(follower),
            Err(now) => first = now,
        }
    }
}

/// The calling thread ends.
pub(super) fn give_back() {
    if let Some(own) = OWN.take() {
        own.taken.store(false, Release);
    }
}

/// Other threads than this one are not there any more.
pub(super) fn give_back_others() {
    let own = own();
    let others = all().filter(|follower| !own.is_some_and(|own| ptr::eq(own, *follower)));
    for other in others {
        other.taken.store(false, Release);
    }
}
