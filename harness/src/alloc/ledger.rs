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

use super::counters::{Counters, Totals};
use super::footer;
use super::memory;
use super::scopes::{self, ROOT, Record};
use super::sync::atomic::{
    AtomicBool, AtomicI64, AtomicPtr, AtomicU32,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
    fence,
};
use super::sync::{thread_local, yield_now};
use super::thread_end;
use super::trace;
use std::cell::Cell;
use std::ptr;

/// The net change at which a thread tells its scope.
pub(crate) const FLUSH_BYTES: i64 = 4096;

const LEDGERS_PER_POOL: usize = 64;

/// One thread's counts since its last flush. Aligned so that no two threads
/// share a cache line, nor the pair of lines that prefetching takes together.
#[repr(align(128))]
pub(crate) struct Ledger {
    /// The footer of blocks that this thread allocates now.
    footer: AtomicU32,
    counters: Counters,
    /// The maximum of `counters.live_bytes` since the last flush, at least 0.
    highest: AtomicI64,
    /// The scope that the thread stands in; null is the root.
    scope: AtomicPtr<Record>,
    /// Odd while counts are being moved from here to the scope, or the thread
    /// to another scope; see [`totals_of`].
    version: AtomicU32,
    taken: AtomicBool,
}

struct Pool {
    ledgers: [Ledger; LEDGERS_PER_POOL],
    next: AtomicPtr<Pool>,
}

static POOL: Pool = Pool::new();

/// For threads that have ended, or for which there is no memory: they allocate
/// outside every scope, where counts are never read, so sharing it is harmless.
/// Frees are still credited to the owner.
static SPILL: Ledger = Ledger::new();

/// What a thread has before its first allocation. Nothing is ever counted in it:
/// no block has its footer, and it always looks as if it had to be flushed, so
/// the quick ways below need no check of their own for it.
static NONE: Ledger = Ledger::starting_with(0, FLUSH_BYTES);

thread_local! {
    /// Const-initialised and without a destructor: reading it is one load, and
    /// works before `main` and while the thread's other values are dropped.
    static LEDGER: Cell<&'static Ledger> = const { Cell::new(&NONE) };

    /// The ledger of a thread that stands in a scope that is traced. Its quick one is
    /// then [`NONE`], so that every allocation goes the slow way.
    static TRACED: Cell<Option<&'static Ledger>> = const { Cell::new(None) };
}

/// The current thread's ledger, taken now if it has none.
#[cfg_attr(not(debug_assertions), inline)]
pub(super) fn current() -> &'static Ledger {
    let ledger = LEDGER.with(Cell::get);
    if ptr::eq(ledger, &raw const NONE) {
        traced().unwrap_or_else(attach)
    } else {
        ledger
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

/// Whether no quick way is open for a block with this footer: it belongs to another
/// scope than this thread's, or this thread's is traced.
#[inline(always)]
pub(super) fn is_slow(footer: u32) -> bool {
    footer != LEDGER.with(Cell::get).footer()
}

/// Counts a new block and returns the footer to write behind it. Does nothing
/// and returns none where more is to be done than a few additions: the thread
/// has no ledger yet, or must flush it. Then [`Ledger::allocated`] is for it.
#[inline(always)]
pub(super) fn try_allocated(size: usize) -> Option<u32> {
    let ledger = LEDGER.with(Cell::get);
    let live = ledger.counters.live_after(size as i64);
    if live > ledger.highest.load(Relaxed) {
        if live >= FLUSH_BYTES {
            return None;
        }
        ledger.highest.store(live, Relaxed);
    }
    ledger.counters.allocated(size, live);
    Some(ledger.footer())
}

/// Counts a free by the rule of [`try_allocated`]: false, and nothing is done,
/// also where the block belongs to another scope. Then [`Ledger::freed`] is for
/// it.
#[inline(always)]
pub(super) fn try_freed(footer: u32, size: usize) -> bool {
    let ledger = LEDGER.with(Cell::get);
    let live = ledger.counters.live_after(-(size as i64));
    if footer != ledger.footer() || live <= -FLUSH_BYTES {
        return false;
    }
    ledger.counters.freed(live);
    true
}

/// Whether this thread's allocations have ever come through the counting
/// allocator.
pub(super) fn is_attached() -> bool {
    !ptr::eq(LEDGER.with(Cell::get), &raw const NONE) || is_traced()
}

#[cold]
#[inline(never)]
fn attach() -> &'static Ledger {
    let ledger = take_free().unwrap_or(&SPILL);
    // Before `notify`, which may allocate where there are no pthreads.
    LEDGER.with(|own| own.set(ledger));
    if !ledger.is_spill() {
        thread_end::notify(ledger);
    }
    ledger
}

/// Gives the ledger of an ending thread back. What the thread allocates from
/// now on belongs to no scope.
pub(super) fn detach(ledger: &'static Ledger) {
    ledger.stand_in(&ROOT);
    // Fails only where thread-locals are a model's, and end.
    let _ = LEDGER.try_with(|own| own.set(&SPILL));
    ledger.taken.store(false, Release);
}

fn take_free() -> Option<&'static Ledger> {
    loop {
        let mut last = &POOL;
        for pool in pools() {
            last = pool;
            let free = pool
                .ledgers
                .iter()
                .find(|ledger| !ledger.taken.load(Relaxed) && !ledger.taken.swap(true, AcqRel));
            if free.is_some() {
                return free;
            }
        }
        let fresh: *mut Pool = memory::zeroed(size_of::<Pool>())?.cast();
        // SAFETY: the memory is ours, large enough, and aligned to 128 or more.
        unsafe { fresh.write(Pool::new()) };
        // When another thread was first with a pool, ours goes behind it.
        let mut end = last;
        while let Err(next) = end
            .next
            .compare_exchange(ptr::null_mut(), fresh, AcqRel, Acquire)
        {
            // SAFETY: not null, so a pool that was published complete.
            end = unsafe { &*next };
        }
    }
}

fn pools() -> impl Iterator<Item = &'static Pool> {
    std::iter::successors(Some(&POOL), |pool| {
        // SAFETY: null, or a pool that was published complete and is never
        // unmapped.
        unsafe { pool.next.load(Acquire).as_ref() }
    })
}

/// How many ledgers there are, taken or not.
#[cfg(all(test, not(highwater_shuttle)))]
pub(super) fn count() -> usize {
    pools().count() * LEDGERS_PER_POOL
}

/// All that was counted in `scope`: what was flushed, and what the threads that
/// stand in it have not flushed yet. Exact for everything that happened before,
/// also while other threads count on, unless they flush without a pause.
pub(super) fn totals_of(scope: &'static Record) -> Totals {
    /// Rounds until it is taken as it is. Each gives way to a thread that was
    /// put to sleep in the middle of a flush; after a fork nobody wakes it.
    const ROUNDS: usize = 10_000;
    let mut sum = Totals::default();
    for _ in 0..ROUNDS {
        let before = stamp(scope);
        sum = scope.counters.totals();
        for ledger in ledgers().filter(|ledger| ledger.scope().is_within(scope)) {
            sum.add(&ledger.counters.totals());
        }
        fence(Acquire);
        if before.is_some() && before == stamp(scope) {
            break;
        }
        yield_now();
    }
    sum
}

/// A number that is another after a thread in `scope` has moved counts or left;
/// none while one is about to.
fn stamp(scope: &'static Record) -> Option<u64> {
    let mut stamp = 0_u64;
    for (place, ledger) in ledgers().enumerate() {
        let version = ledger.version.load(Acquire);
        if ledger.scope().is_within(scope) {
            if version & 1 == 1 {
                return None;
            }
            let own = (place as u64) << 32 | u64::from(version);
            stamp = stamp.wrapping_mul(0x0100_0000_01B3).wrapping_add(own + 1);
        }
    }
    Some(stamp)
}

fn ledgers() -> impl Iterator<Item = &'static Ledger> {
    pools().flat_map(|pool| &pool.ledgers)
}

impl Pool {
    const fn new() -> Self {
        Self {
            ledgers: [const { Ledger::new() }; LEDGERS_PER_POOL],
            next: AtomicPtr::new(ptr::null_mut()),
        }
    }
}

impl Ledger {
    const fn new() -> Self {
        Self::starting_with(footer::seal(0), 0)
    }

    const fn starting_with(footer: u32, live_bytes: i64) -> Self {
        Self {
            footer: AtomicU32::new(footer),
            counters: Counters::with_live_bytes(live_bytes),
            highest: AtomicI64::new(0),
            scope: AtomicPtr::new(ptr::null_mut()),
            version: AtomicU32::new(0),
            taken: AtomicBool::new(false),
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

    /// The footer for a block that this thread allocates now.
    #[inline(always)]
    pub(super) fn footer(&self) -> u32 {
        self.footer.load(Relaxed)
    }

    /// Counts a new block of `size` bytes.
    pub(super) fn allocated(&self, size: usize) {
        let live = self.counters.live_after(size as i64);
        self.counters.allocated(size, live);
        self.moved_to(live);
    }

    /// Counts the free of a block with `footer` and `size` bytes.
    pub(super) fn freed(&self, footer: u32, size: usize) {
        if footer == self.footer() {
            let live = self.counters.live_after(-(size as i64));
            self.counters.freed(live);
            self.moved_to(live);
        } else {
            self.freed_for_another(footer, size);
        }
    }

    /// Counts a block with `footer` that was resized and is this thread's now.
    #[cfg_attr(not(debug_assertions), inline)]
    pub(super) fn resized(&self, footer: u32, old_size: usize, new_size: usize) {
        if footer == self.footer() {
            let live = self.counters.resized(old_size, new_size);
            self.moved_to(live);
        } else {
            // The same as a new block, a copy, and a free of the old one; in
            // the order that makes no peak of holding both.
            self.freed_for_another(footer, old_size);
            self.counters.note_reallocation(new_size);
            self.allocated(new_size);
        }
    }

    /// Keeps the highest level, and flushes when the level is far from the last
    /// flush.
    #[inline(always)]
    fn moved_to(&self, live: i64) {
        if live > self.highest.load(Relaxed) {
            self.highest.store(live, Relaxed);
        }
        if live.abs() >= FLUSH_BYTES {
            self.flush();
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
                owner.freed_elsewhere(size);
            }
            None => self.scope().note_overrun(size, footer::tag_bits(footer)),
        }
    }

    /// Tells the scope, and those around it, what this thread did.
    #[cold]
    #[inline(never)]
    pub(super) fn flush(&self) {
        let totals = self.counters.totals();
        if totals.is_nothing() {
            return;
        }
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

    /// Moves the thread to another scope.
    pub(super) fn stand_in(&'static self, scope: &'static Record) {
        if self.is_spill() {
            return;
        }
        let before = self.scope();
        scope.thread_enters(before);
        self.move_to(scope);
        before.thread_leaves(scope);
    }

    /// The same, for a thread outside every scope that is counted in `scope` already.
    // Not needed without the feature `threads`.
    #[allow(dead_code)]
    pub(super) fn start_in(&'static self, scope: &'static Record) {
        if self.is_spill() {
            scope.thread_leaves(&ROOT);
        } else {
            self.move_to(scope);
        }
    }

    fn move_to(&'static self, scope: &'static Record) {
        self.point_to(scope);
        self.take_route();
    }

    fn point_to(&'static self, scope: &'static Record) {
        self.flush();
        let pointer = if scope.is_root() {
            ptr::null()
        } else {
            ptr::from_ref(scope)
        };
        self.while_moving(|| self.scope.store(pointer.cast_mut(), Release));
        self.footer.store(footer::seal(scope.tag()), Relaxed);
    }

    /// Sends this thread's allocations the quick way, or, if its scope is traced, the
    /// slow one.
    pub(super) fn take_route(&'static self) {
        if self.scope().is_traced() {
            trace::prepare_thread();
            // Fails only where thread-locals are a model's, and end.
            let _ = TRACED.try_with(|traced| traced.set(Some(self)));
            let _ = LEDGER.try_with(|own| own.set(&NONE));
        } else if is_traced() {
            TRACED.with(|traced| traced.set(None));
            LEDGER.with(|own| own.set(self));
        }
    }

    /// What this thread has not told its scope yet.
    // Not needed where call stacks can't be taken.
    #[allow(dead_code)]
    pub(super) fn unflushed_bytes(&self) -> i64 {
        self.counters.live_after(0)
    }
}

/// Gives back the ledgers of all threads but this one, which are not there any more;
/// what they counted is kept. Returns the scope that this thread stands in.
///
/// A thread that was in the middle of a flush has told its scope a part of it.
#[cfg(all(unix, not(highwater_portable)))]
pub(super) fn give_back_others() -> &'static Record {
    let own = traced().unwrap_or_else(|| LEDGER.with(Cell::get));
    let others = ledgers().filter(|ledger| !ptr::eq(*ledger, own));
    for ledger in others.filter(|ledger| ledger.taken.load(Acquire)) {
        let version = ledger.version.load(Relaxed);
        ledger
            .version
            .store(version.wrapping_add(version & 1), Relaxed);
        ledger.point_to(&ROOT);
        ledger.taken.store(false, Release);
    }
    own.scope()
}
