//! A thread's ledger: what it allocated and freed since it last told its scope.
//!
//! Counting is a few plain additions on memory that only this thread writes. The
//! ledger is flushed to the scope when the thread's net change passes 4 KiB
//! either way, when it changes scope, and when it ends. It carries along the
//! highest level that it saw, so one thread's peak is exact, and with several
//! threads a peak is off by at most [`FLUSH_BYTES`] for each of them.
//!
//! Ledgers come from pools that are never freed. A thread takes one at its first
//! allocation and gives it back, empty, when it ends.

#[cfg(highwater_stacks)]
mod bounds;
mod call;
#[cfg_attr(not(highwater_stacks), path = "ledger/no_follower.rs")]
mod follower;
mod own;
mod pools;
mod thread_end;

use super::counters::{Counters, FLUSH_BYTES};
use super::footer;
use super::limit;
use super::memory;
use super::scopes::{self, ROOT, Record};
use super::sync::atomic::{
    AtomicBool, AtomicI64, AtomicPtr, AtomicU32, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
    fence,
};
use super::sync::thread_local;
#[cfg(highwater_stacks)]
pub(super) use bounds::{Bounds, learn as learn_bounds};
#[cfg(highwater_stacks)]
pub(super) use call::{call_all, call_off};
#[cfg(all(test, highwater_stacks))]
pub(super) use follower::THERE_ARE_NONE;
#[cfg(highwater_stacks)]
pub(super) use follower::{
    Amount, Counts, Follower, Near, SITES, all as all_followers, own as own_follower, set_bounds,
};
pub(super) use own::{Own, own};
pub(crate) use pools::Seen;
#[cfg(all(test, not(highwater_shuttle)))]
pub(super) use pools::count;
#[cfg(highwater_unix)]
pub(super) use pools::give_back_others;
use pools::take_free;
pub(super) use pools::{leave_to_harness, ledgers, restart_peaks, totals_of};
use std::cell::Cell;
use std::ptr;

/// Above every footer, which has 32 bits: what is marked by it counts no block of the
/// fast paths, whatever stands behind that block.
const NO_FOOTER: u64 = 1 << 32;

/// One thread's counts since its last flush. Aligned so that no two threads
/// share a cache line, nor the pair of lines that prefetching takes together.
#[repr(align(128))]
pub(crate) struct Ledger {
    /// The footer of blocks that this thread allocates now, or [`NO_FOOTER`] and the
    /// footer of blocks that it allocates without counting.
    footer: AtomicU64,
    counters: Counters,
    /// The maximum of `counters.live_bytes` since the last flush, at least 0.
    highest: AtomicI64,
    /// The scope that the thread stands in; null is the root.
    scope: AtomicPtr<Record>,
    /// Odd while counts are being moved from here to the scope, or the thread
    /// to another scope; see [`totals_of`].
    version: AtomicU32,
    taken: AtomicBool,
    /// Which thread it is, as the system numbers them; 0 where that is not known.
    thread: AtomicU32,
    /// Whether the thread was started by the one that runs `main`.
    is_of_main: AtomicBool,
    /// What it flushed in the root.
    root_bytes: AtomicI64,
    root_blocks: AtomicI64,
    /// What it flushed in the scope that it stands in.
    scope_bytes: AtomicI64,
    scope_blocks: AtomicI64,
}

// Shuttle's atomics are larger.
#[cfg(not(all(test, highwater_shuttle)))]
const _: () = assert!(size_of::<Ledger>() == 128);

/// For threads that have ended, or for which there is no memory: what they allocate
/// belongs to no scope, and is counted in the root by atomic additions. Nothing is ever
/// counted in the ledger itself, by the means of [`NONE`].
static SPILL: Ledger = Ledger::sentinel();

/// What a thread has before its first allocation. Nothing is ever counted in it:
/// no block can have its footer, and it always looks as if it had to be flushed, so
/// the fast paths below need no check of their own for it.
static NONE: Ledger = Ledger::sentinel();

thread_local! {
    /// Const-initialised and without a destructor: reading it is one load, and
    /// works before `main` and while the thread's other values are dropped. Always a
    /// ledger that lives for ever.
    static LEDGER: Cell<*const Ledger> = const { Cell::new(&raw const NONE) };

    /// The ledger of a thread that stands in a scope that is traced. In its place is then
    /// a stand-in, or [`NONE`], in which nothing is ever counted.
    static TRACED: Cell<Option<&'static Ledger>> = const { Cell::new(None) };

    /// The scope that a handle put this thread into. It stands there, ended or not, until
    /// the handle's work is done.
    static HELD: Cell<Option<&'static Record>> = const { Cell::new(None) };
}

/// Notes that a handle put this thread into `scope`; none if none did. Returns what was
/// noted before.
pub(super) fn hold_in(scope: Option<&'static Record>) -> Option<&'static Record> {
    // Fails only where thread-locals are a model's, and end.
    HELD.try_with(|held| held.replace(scope)).ok().flatten()
}

/// The nearest scope around `scope` and with it that this thread may stand in.
pub(super) fn nearest_open(scope: &'static Record) -> &'static Record {
    let held = HELD.try_with(Cell::get).ok().flatten();
    let is_held = |record: &Record| held.is_some_and(|held| ptr::eq(held, record));
    scope
        .chain()
        .find(|record| !record.has_ended() || is_held(record))
        .unwrap_or(&ROOT)
}

/// The current thread's ledger, taken now if it has none.
#[cfg_attr(not(debug_assertions), inline)]
pub(super) fn current() -> &'static Ledger {
    let own = own();
    if own.ledger().is_sentinel() {
        behind_sentinel(own.ledger())
    } else {
        own.ledger()
    }
}

#[cold]
#[inline(never)]
fn behind_sentinel(ledger: &'static Ledger) -> &'static Ledger {
    if ledger.is_spill() {
        ledger
    } else if ledger.is_called() {
        ledger.answer();
        ledger
    } else {
        traced().unwrap_or_else(attach)
    }
}

/// Whether the blocks that this thread allocates now are followed to their sites.
pub(super) fn is_traced() -> bool {
    traced().is_some()
}

/// The ledger of this thread, if its blocks are followed.
fn traced() -> Option<&'static Ledger> {
    // Fails only where thread-locals are a model's, and end.
    TRACED.try_with(Cell::get).ok().flatten()
}

/// Sends this thread back to the fast path, if nothing is to be followed or noted where it stands.
// Not needed where call stacks can't be taken.
#[allow(dead_code)]
pub(super) fn leave_trace() {
    let is_over = |ledger: &&Ledger| !ledger.scope().is_traced() && !ledger.scope().is_noted();
    if let Some(ledger) = traced().filter(is_over) {
        ledger.choose_path();
    }
}

/// Whether this thread's allocations have ever come through the counting
/// allocator.
pub(super) fn is_attached() -> bool {
    !ptr::eq(own().ledger(), &raw const NONE) || is_traced()
}

#[cold]
#[inline(never)]
fn attach() -> &'static Ledger {
    let ledger = take();
    if !ledger.is_spill() {
        ROOT.thread_starts();
        ledger.choose_path();
    }
    ledger
}

/// Takes a ledger for a thread that starts in `scope`, where it is counted already.
// Not needed without the feature `threads`.
#[allow(dead_code)]
pub(super) fn start_in(scope: &'static Record, is_of_main: bool) {
    let ledger = take();
    if ledger.is_spill() {
        scope.thread_ends();
    } else {
        ledger.is_of_main.store(is_of_main, Relaxed);
        ledger.move_to(scope);
    }
}

fn take() -> &'static Ledger {
    let ledger = take_free().unwrap_or(&SPILL);
    // Before `notify`, which may allocate where there are no pthreads.
    LEDGER.with(|own| own.set(ptr::from_ref(ledger)));
    if !ledger.is_spill() {
        ledger.thread.store(memory::thread_id(), Relaxed);
        ledger.is_of_main.store(false, Relaxed);
        ledger.root_bytes.store(0, Relaxed);
        ledger.root_blocks.store(0, Relaxed);
        ledger.forget_scope();
        thread_end::notify(ledger);
    }
    ledger
}

/// Gives the ledger of an ending thread back. What the thread allocates from
/// now on belongs to no scope.
pub(super) fn detach(ledger: &'static Ledger) {
    ledger.switch_to(&ROOT);
    ROOT.thread_ends();
    // Fail only where thread-locals are a model's, and end.
    let _ = TRACED.try_with(|traced| traced.set(None));
    let _ = LEDGER.try_with(|own| own.set(&raw const SPILL));
    follower::give_back();
    ledger.taken.store(false, Release);
}

/// Adds without a locked instruction: right where one thread writes.
fn add(counter: &AtomicI64, by: i64) {
    counter.store(counter.load(Relaxed).wrapping_add(by), Relaxed);
}

impl Ledger {
    const fn new() -> Self {
        Self::starting_with(footer::seal(0) as u64, 0)
    }

    /// Looks as if it had to be flushed at any allocation, and fits no block.
    const fn sentinel() -> Self {
        Self::starting_with(NO_FOOTER | footer::seal(0) as u64, FLUSH_BYTES)
    }

    const fn starting_with(footer: u64, live_bytes: i64) -> Self {
        Self {
            footer: AtomicU64::new(footer),
            counters: Counters::with_live_bytes(live_bytes),
            highest: AtomicI64::new(0),
            scope: AtomicPtr::new(ptr::null_mut()),
            version: AtomicU32::new(0),
            taken: AtomicBool::new(false),
            thread: AtomicU32::new(0),
            is_of_main: AtomicBool::new(false),
            root_bytes: AtomicI64::new(0),
            root_blocks: AtomicI64::new(0),
            scope_bytes: AtomicI64::new(0),
            scope_blocks: AtomicI64::new(0),
        }
    }

    /// Whether this is the ledger of threads that have none of their own.
    pub(super) fn is_spill(&self) -> bool {
        ptr::eq(self, &raw const SPILL)
    }

    pub(super) fn scope(&self) -> &'static Record {
        // SAFETY: null, or a record, which is never unmapped.
        unsafe { self.scope.load(Acquire).as_ref() }.unwrap_or(&ROOT)
    }

    /// Whether nothing is ever counted in it, or its thread is [called](call).
    #[inline(always)]
    fn is_sentinel(&self) -> bool {
        self.footer.load(Relaxed) & !u64::from(u32::MAX) != 0
    }

    /// The footer for a block that this thread allocates now.
    #[inline(always)]
    // The lower half is the footer.
    #[allow(clippy::cast_possible_truncation)]
    pub(super) fn footer(&self) -> u32 {
        self.footer.load(Relaxed) as u32
    }

    /// Whether a block with `footer` is of the scope that this thread stands in.
    #[inline(always)]
    fn has(&self, footer: u32) -> bool {
        self.footer.load(Relaxed) == u64::from(footer)
    }

    /// Counts a new block of `size` bytes.
    pub(super) fn allocated(&'static self, size: usize) {
        if self.is_spill() {
            return ROOT.allocated_without_ledger(size);
        }
        let live = self.counters.live_after(size as i64);
        self.counters.allocated(size, live);
        self.moved_to(live);
    }

    /// Counts the free of a block with `footer` and `size` bytes.
    pub(super) fn freed(&'static self, footer: u32, size: usize) {
        if self.has(footer) {
            let live = self.counters.live_after(-(size as i64));
            self.counters.freed(live);
            self.moved_to(live);
        } else {
            self.freed_for_another(footer, size);
        }
    }

    /// Counts a block with `footer` that was resized, and returns the footer that it has
    /// from now on.
    #[cfg_attr(not(debug_assertions), inline)]
    pub(super) fn resized(&'static self, footer: u32, old_size: usize, new_size: usize) -> u32 {
        if self.has(footer) {
            let live = self.counters.resized(old_size, new_size);
            self.moved_to(live);
            footer
        } else {
            self.resized_for_another(footer, old_size, new_size)
        }
    }

    #[cold]
    #[inline(never)]
    fn resized_for_another(&'static self, footer: u32, old_size: usize, new_size: usize) -> u32 {
        if let Some(owner) = footer::open(footer).and_then(scopes::lookup) {
            self.flush();
            let owner = owner.resized_elsewhere(old_size, new_size, self.scope());
            footer::seal(owner.tag())
        } else {
            self.scope()
                .note_overrun(old_size, footer::tag_bits(footer));
            // Nobody knows whose it was; from now on it is ours.
            self.allocated(new_size);
            self.footer()
        }
    }

    /// Keeps the highest level, and flushes when the level is far from the last
    /// flush.
    #[inline(always)]
    fn moved_to(&'static self, live: i64) {
        if live > self.highest.load(Relaxed) {
            self.highest.store(live, Relaxed);
        }
        if live.abs() >= FLUSH_BYTES {
            self.flush_and_leave_ended();
        }
    }

    #[cold]
    #[inline(never)]
    fn freed_for_another(&self, footer: u32, size: usize) {
        match footer::open(footer).and_then(scopes::lookup) {
            // Flushed first: scopes around both would otherwise see this free
            // before what the thread did earlier, and miss a peak.
            Some(owner) => {
                self.flush();
                owner.freed_elsewhere(size, self.scope());
            }
            None => self.scope().note_overrun(size, footer::tag_bits(footer)),
        }
    }

    /// Tells the scope, and those around it, what this thread did.
    #[cold]
    #[inline(never)]
    pub(super) fn flush(&self) {
        let totals = self.counters.totals();
        if totals.is_nothing() || self.is_spill() {
            return;
        }
        let (bytes, blocks) = if self.scope().is_root() {
            (&self.root_bytes, &self.root_blocks)
        } else {
            (&self.scope_bytes, &self.scope_blocks)
        };
        add(bytes, totals.live_bytes);
        add(blocks, totals.live_blocks());
        self.while_moving(|| {
            let highest = self.highest.load(Relaxed);
            self.counters.reset();
            self.highest.store(0, Relaxed);
            self.scope().absorb(&totals, highest);
        });
    }

    /// Makes those who read meanwhile read again, by the rule of a sequence lock
    /// (H.-J. Boehm, "Can seqlocks get along with programming language memory
    /// models?", 2012).
    #[inline(always)]
    fn while_moving(&self, change: impl FnOnce()) {
        let version = self.version.load(Relaxed);
        self.version.store(version.wrapping_add(1), Relaxed);
        fence(Release);
        change();
        self.version.store(version.wrapping_add(2), Release);
    }

    /// Flushes. Whoever still stands in a scope that has ended leaves it then.
    #[cold]
    #[inline(never)]
    fn flush_and_leave_ended(&'static self) {
        self.flush();
        let scope = self.scope();
        limit::hold(scope);
        if scope.has_ended() {
            let open = nearest_open(scope);
            if !ptr::eq(open, scope) {
                self.switch_to(open);
            }
        }
    }

    /// Moves the thread to another scope.
    pub(super) fn switch_to(&'static self, scope: &'static Record) {
        if self.is_spill() {
            return;
        }
        let before = self.scope();
        scope.thread_enters(before);
        self.move_to(scope);
        before.thread_leaves(scope);
    }

    fn move_to(&'static self, scope: &'static Record) {
        self.point_to(scope);
        self.choose_path();
    }

    fn point_to(&'static self, scope: &'static Record) {
        self.flush();
        let pointer = if scope.is_root() {
            ptr::null()
        } else {
            ptr::from_ref(scope)
        };
        self.forget_scope();
        self.while_moving(|| self.scope.store(pointer.cast_mut(), Release));
        self.footer.store(footer::seal(scope.tag()).into(), Relaxed);
    }

    /// Sends this thread's allocations by the fast path, or, if its scope is traced or notes
    /// are made in it, by the slow one.
    pub(super) fn choose_path(&'static self) {
        let scope = self.scope();
        if scope.is_traced() || scope.is_noted() {
            let followed = scope.is_traced().then(|| follower::stand_in(self));
            let followed = followed.filter(|_| !scope.is_noted());
            let stand_in = followed.unwrap_or(&raw const NONE);
            // Fails only where thread-locals are a model's, and end.
            let _ = TRACED.try_with(|traced| traced.set(Some(self)));
            let _ = LEDGER.try_with(|own| own.set(stand_in));
        } else if is_traced() {
            TRACED.with(|traced| traced.set(None));
            LEDGER.with(|own| own.set(ptr::from_ref(self)));
        }
    }

    fn forget_scope(&self) {
        self.scope_bytes.store(0, Relaxed);
        self.scope_blocks.store(0, Relaxed);
    }

    /// How many blocks this thread has allocated since its last flush.
    pub(super) fn blocks(&self) -> u64 {
        self.counters.totals().total_blocks
    }

    /// What this thread has not told its scope yet.
    // Not needed where call stacks can't be taken.
    #[allow(dead_code)]
    pub(super) fn unflushed_bytes(&self) -> i64 {
        self.counters.live_after(0)
    }
}
