//! The table of scopes: a tag's number is the place of its scope in here.
//!
//! Two records are no scope that anybody opened. [`ROOT`] is outside of all: it counts what
//! no scope does, or, where a process belongs to one scenario, everything. [`OWN`] is the
//! harness's: its notes, and what a panic prints, are nobody's memory.
//!
//! Records live in chunks that are mapped on demand and never unmapped, so an
//! allocator hook reaches one with two loads and no lock. A record is used again
//! only when its scope has ended, no thread stands in it, no handle or child scope
//! refers to it and every block that it owns was freed; until then late frees still
//! find their owner. The lock in here serves the opening and closing of scopes alone;
//! `fork` holds it while the process is copied.

mod table;

use super::counters::{Counters, FLUSH_BYTES, Totals};
use super::footer::TAG_LIMIT;
use super::name::{KeptName, Name};
use super::notes::Notes;
use super::sync::atomic::{
    AtomicBool, AtomicI64, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};
use std::ptr;
#[cfg(all(test, highwater_shuttle))]
pub(super) use table::forget_all;
#[cfg(highwater_stacks)]
pub(super) use table::trace_all;
use table::{CHUNKS, RECORDS_PER_CHUNK};
#[cfg(highwater_unix)]
pub(super) use table::{Pause, only_thread_stands_in, pause};
pub(super) use table::{all, close, lookup, open};

/// How many scopes may be open, or ended with live blocks, at one time.
pub(crate) const SCOPE_LIMIT: usize = RECORDS_PER_CHUNK * CHUNKS;
const _: () = assert!(SCOPE_LIMIT < TAG_LIMIT as usize);

/// The tag of [`OWN`]; that of [`ROOT`] is zero.
const OWN_TAG: u32 = 1;

/// The first tag of a scope that is opened.
const FIRST_TAG: u32 = 2;

/// One scope. All zero is the state of a record that was never used.
pub(crate) struct Record {
    /// What threads have flushed, this scope's and its inner scopes'.
    pub(super) counters: Counters,
    /// The maximum of the live bytes, as far as it was flushed.
    peak_bytes: AtomicI64,
    /// The most that the maximum can be, for blocks that went between two flushes;
    /// below `peak_bytes` if there were none that matter.
    peak_bound: AtomicI64,
    /// Blocks of this scope that were freed by threads outside of it.
    freed_outside: AtomicU64,
    /// Blocks of others that were freed by threads in this scope.
    freed_for_others: AtomicU64,
    /// Those of either kind that went between this scope and threads of a scope beside it.
    exchanged: AtomicU64,
    /// Live bytes that large allocations may not pass; zero is none.
    limit_bytes: AtomicU64,
    /// Live bytes above which it is noted what passed them; zero is none.
    budget_bytes: AtomicU64,
    /// The enclosing scope; null for the root and for scopes right below it.
    parent: AtomicPtr<Record>,
    tag: AtomicU32,
    /// Threads that stand in this scope or in one inside it.
    threads: AtomicU32,
    most_threads: AtomicU32,
    /// Scopes directly inside this one that still have a record.
    children: AtomicU32,
    /// Handles, and threads that will come back to this scope.
    handles: AtomicU32,
    ended: AtomicBool,
    /// Whether the call stacks of its blocks are taken; inner scopes inherit it.
    traced: AtomicBool,
    /// Whether allocations are noted, here or in a scope around; inner scopes inherit it.
    noted: AtomicBool,
    /// Whether it is here, and where.
    has_notes: AtomicBool,
    notes: AtomicPtr<Notes>,
    next_retired: AtomicPtr<Record>,
    overruns: AtomicU64,
    overrun_size: AtomicUsize,
    overrun_tag_bits: AtomicU32,
    name: KeptName,
}

/// The first block whose footer was found damaged, and how many there were.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Overruns {
    pub(crate) count: u64,
    pub(crate) first_size_bytes: usize,
    /// The scope that allocated it, where the tag was still readable.
    pub(crate) first_owner: Option<String>,
}

/// Outside every scope.
pub(super) static ROOT: Record = Record::new(0);

/// Where the harness allocates for itself.
pub(super) static OWN: Record = Record::new(OWN_TAG);

/// Whether scopes that are opened lie in [`ROOT`], which then counts all of the process.
static ROOT_COUNTS_ALL: AtomicBool = AtomicBool::new(false);

/// From now on the root counts what is in scopes too. Scopes that are open already
/// stay outside.
pub(super) fn count_all_in_root() {
    ROOT_COUNTS_ALL.store(true, Relaxed);
}

pub(super) fn root_counts_all() -> bool {
    ROOT_COUNTS_ALL.load(Relaxed)
}

impl Record {
    const fn new(tag: u32) -> Self {
        Self {
            counters: Counters::new(),
            peak_bytes: AtomicI64::new(0),
            peak_bound: AtomicI64::new(0),
            freed_outside: AtomicU64::new(0),
            freed_for_others: AtomicU64::new(0),
            exchanged: AtomicU64::new(0),
            limit_bytes: AtomicU64::new(0),
            budget_bytes: AtomicU64::new(0),
            parent: AtomicPtr::new(ptr::null_mut()),
            tag: AtomicU32::new(tag),
            threads: AtomicU32::new(0),
            most_threads: AtomicU32::new(0),
            children: AtomicU32::new(0),
            handles: AtomicU32::new(0),
            ended: AtomicBool::new(false),
            traced: AtomicBool::new(false),
            noted: AtomicBool::new(false),
            has_notes: AtomicBool::new(false),
            notes: AtomicPtr::new(ptr::null_mut()),
            next_retired: AtomicPtr::new(ptr::null_mut()),
            overruns: AtomicU64::new(0),
            overrun_size: AtomicUsize::new(0),
            overrun_tag_bits: AtomicU32::new(0),
            name: KeptName::new(),
        }
    }

    pub(super) fn tag(&self) -> u32 {
        self.tag.load(Relaxed)
    }

    pub(super) fn is_root(&self) -> bool {
        ptr::eq(self, &raw const ROOT)
    }

    pub(super) fn is_own(&self) -> bool {
        ptr::eq(self, &raw const OWN)
    }

    /// The enclosing scope; the root only where that counts everything.
    pub(super) fn parent(&self) -> Option<&'static Record> {
        let parent = self.parent.load(Acquire);
        // SAFETY: null, or one of our records, which are never unmapped.
        unsafe { parent.as_ref() }
    }

    /// This scope and those around it, innermost first.
    pub(super) fn chain(&'static self) -> impl Iterator<Item = &'static Record> {
        std::iter::successors(Some(self), |record| record.parent())
    }

    /// Those of the [`chain`](Self::chain) that `other` is not within.
    fn chain_outside(&'static self, other: &'static Self) -> impl Iterator<Item = &'static Record> {
        self.chain().take_while(|record| !other.is_within(record))
    }

    /// Whether `outer` is this scope or one around it.
    pub(super) fn is_within(&'static self, outer: &Record) -> bool {
        self.chain().any(|record| ptr::eq(record, outer))
    }

    /// The outermost scope around this one, or itself.
    pub(super) fn outermost(&'static self) -> &'static Self {
        self.chain().last().unwrap_or(self)
    }

    /// Whether both are scopes, and no scope is around both.
    fn is_beside(&'static self, other: &'static Self) -> bool {
        let is_scope = |record: &Self| !record.is_root() && !record.is_own();
        let (own, others) = (self.outermost(), other.outermost());
        is_scope(own) && is_scope(others) && !ptr::eq(own, others)
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Relaxed)
    }

    /// Adds what a thread gathered: its counts, and the highest live bytes that
    /// it saw since its last flush, relative to that flush.
    pub(super) fn absorb(&'static self, totals: &Totals, highest: i64) {
        for record in self.chain() {
            let before = record.counters.absorb(totals);
            record.peak_bytes.fetch_max(before + highest, Relaxed);
        }
    }

    /// Credits a free by a thread that stands in another scope, `by`, and has flushed its
    /// ledger. The chain has read a record's parent before the record is credited, and
    /// thereby let go.
    pub(super) fn freed_elsewhere(&'static self, size: usize, by: &'static Self) {
        // What a scope left behind when it ended may be freed by anyone.
        if self.is_beside(by) && !self.has_ended() {
            for record in self.chain().chain(by.chain()) {
                record.exchanged.fetch_add(1, Relaxed);
            }
        }
        for record in self.chain() {
            let others = record.threads_without(by);
            if !by.is_within(record) {
                record.freed_outside.fetch_add(1, Relaxed);
            }
            if others > 0 {
                // What they hold back may have made a higher maximum before this free.
                let live = record.counters.live_after(0);
                let bound = live.saturating_add(i64::from(others) * FLUSH_BYTES);
                if bound > record.peak_bytes.load(Relaxed) {
                    record.peak_bound.fetch_max(bound, Relaxed);
                }
            }
            record.counters.freed_elsewhere(size);
        }
        for record in by.chain_outside(self) {
            record.freed_for_others.fetch_add(1, Relaxed);
        }
    }

    /// Counts the new size of a block of this scope that was resized by a thread which
    /// stands in `by` and has flushed its ledger. The block changes hands only if `by` lies
    /// inside of this scope: then the inner scopes have one block more. Those around both
    /// count the net change, once. Returns whose it is now.
    pub(super) fn resized_elsewhere(
        &'static self,
        old_size: usize,
        new_size: usize,
        by: &'static Self,
    ) -> &'static Self {
        let moves = !by.is_own() && (self.is_root() || by.is_within(self));
        for record in self.chain() {
            if moves && !by.is_within(record) {
                record.counters.freed_elsewhere(old_size);
            } else {
                let live = record.counters.resized_elsewhere(old_size, new_size);
                record.note_level(live, by);
            }
        }
        if !moves {
            return self;
        }
        for record in by.chain_outside(self) {
            record.counters.reallocated_elsewhere(new_size);
            let live = record.counters.allocated_elsewhere(new_size);
            record.note_level(live, by);
        }
        by
    }

    /// Counts a block for a thread that has no ledger.
    pub(super) fn allocated_without_ledger(&'static self, size: usize) {
        for record in self.chain() {
            let live = record.counters.allocated_elsewhere(size);
            record.note_level(live, self);
        }
    }

    /// Live bytes became `live` by a thread in `by`, past every ledger.
    fn note_level(&'static self, live: i64, by: &'static Self) {
        self.peak_bytes.fetch_max(live, Relaxed);
        let others = self.threads_without(by);
        if others > 0 {
            let bound = live.saturating_add(i64::from(others) * FLUSH_BYTES);
            self.peak_bound.fetch_max(bound, Relaxed);
        }
    }

    /// Threads in this scope, without the calling one, which stands in `by`.
    fn threads_without(&'static self, by: &'static Self) -> u32 {
        let threads = self.threads.load(Relaxed);
        threads.saturating_sub(u32::from(by.is_within(self)))
    }

    /// From now on the peak is that of what follows; live bytes are `live`.
    pub(super) fn restart_peak(&self, live: i64) {
        self.peak_bytes.store(live, Relaxed);
        self.peak_bound.store(i64::MIN, Relaxed);
        self.most_threads.store(self.threads.load(Acquire), Relaxed);
    }

    /// How many blocks of it were freed outside, and how many of others inside.
    pub(super) fn cross_frees(&self) -> (u64, u64) {
        let outside = self.freed_outside.load(Relaxed);
        (outside, self.freed_for_others.load(Relaxed))
    }

    /// How many blocks of it were freed in a scope beside it, and of such a scope in it.
    pub(super) fn exchanged(&self) -> u64 {
        self.exchanged.load(Relaxed)
    }

    /// Notes a block freed by a thread in this scope whose footer was damaged.
    pub(super) fn note_overrun(&'static self, size: usize, tag_bits: u32) {
        for record in self.chain() {
            if record.overruns.fetch_add(1, Relaxed) == 0 {
                record.overrun_size.store(size, Relaxed);
                record.overrun_tag_bits.store(tag_bits, Relaxed);
            }
        }
    }

    /// Counts a thread that starts in this scope.
    pub(super) fn thread_starts(&'static self) {
        for record in self.chain() {
            let now = record.threads.fetch_add(1, AcqRel) + 1;
            record.most_threads.fetch_max(now, Relaxed);
        }
    }

    /// The reverse, for a thread that ends in it.
    pub(super) fn thread_ends(&'static self) {
        for record in self.chain() {
            record.threads.fetch_sub(1, AcqRel);
        }
    }

    /// Counts a thread that comes `from` another scope. Where it stands in both, it was
    /// counted before: one thread is never taken for two.
    pub(super) fn thread_enters(&'static self, from: &'static Self) {
        for record in self.chain_outside(from) {
            let now = record.threads.fetch_add(1, AcqRel) + 1;
            record.most_threads.fetch_max(now, Relaxed);
        }
    }

    /// The reverse, for a thread that goes `to` another scope.
    pub(super) fn thread_leaves(&'static self, to: &'static Self) {
        for record in self.chain_outside(to) {
            record.threads.fetch_sub(1, AcqRel);
        }
    }

    /// Keeps the record from being used again until it is [let go](Self::release).
    pub(super) fn hold(&self) {
        self.handles.fetch_add(1, AcqRel);
    }

    pub(super) fn release(&self) {
        self.handles.fetch_sub(1, AcqRel);
    }

    // Not needed where call stacks can't be taken.
    #[allow(dead_code)]
    pub(super) fn set_traced(&self) {
        self.traced.store(true, Relaxed);
    }

    pub(super) fn is_traced(&self) -> bool {
        self.traced.load(Relaxed)
    }

    /// From now on allocations in this scope are noted. Allocates, if the record never had
    /// notes.
    pub(super) fn note_allocations(&self) {
        // SAFETY: null, or what was leaked for ever.
        match unsafe { self.notes.load(Acquire).as_ref() } {
            Some(notes) => notes.reset(),
            None => self.notes.store(Box::leak(Box::new(Notes::new())), Release),
        }
        self.has_notes.store(true, Release);
        self.noted.store(true, Release);
    }

    /// Whether allocations are noted, here or in a scope around.
    pub(super) fn is_noted(&self) -> bool {
        self.noted.load(Acquire)
    }

    /// What is noted here, if anything is to be.
    pub(super) fn notes(&self) -> Option<&Notes> {
        let notes = self.has_notes.load(Acquire);
        // SAFETY: as above.
        unsafe { self.notes.load(Acquire).as_ref() }.filter(|_| notes)
    }

    /// Returns both as they were.
    pub(super) fn set_limits(&self, budget: u64, limit: u64) -> (u64, u64) {
        let budget = self.budget_bytes.swap(budget, Relaxed);
        (budget, self.limit_bytes.swap(limit, Relaxed))
    }

    pub(super) fn budget_bytes(&self) -> u64 {
        self.budget_bytes.load(Relaxed)
    }

    /// The limit, if there is one.
    pub(super) fn limit_bytes(&self) -> Option<u64> {
        Some(self.limit_bytes.load(Relaxed)).filter(|limit| *limit > 0)
    }

    /// Threads that stand in the scope now.
    pub(super) fn threads(&self) -> u32 {
        self.threads.load(Acquire)
    }

    pub(super) fn peak_bytes(&self) -> i64 {
        self.peak_bytes.load(Relaxed)
    }

    /// The most that the maximum can be.
    pub(super) fn peak_bound(&self) -> i64 {
        self.peak_bound.load(Relaxed)
    }

    /// The largest number of threads that stood in the scope at one time.
    pub(super) fn most_threads(&self) -> u32 {
        self.most_threads.load(Relaxed)
    }

    /// Allocates, so not for the allocator's hooks.
    pub(super) fn name(&self) -> String {
        String::from_utf8_lossy(self.short_name().text()).into_owned()
    }

    /// The name without an allocation.
    pub(super) fn short_name(&self) -> Name {
        self.name.load()
    }

    pub(super) fn overrun_count(&self) -> u64 {
        self.overruns.load(Relaxed)
    }

    /// Allocates, so not for the allocator's hooks.
    pub(super) fn overruns(&self) -> Option<Overruns> {
        let count = self.overruns.load(Relaxed);
        (count > 0).then(|| Overruns {
            count,
            first_size_bytes: self.overrun_size.load(Relaxed),
            first_owner: lookup(self.overrun_tag_bits.load(Relaxed))
                .filter(|record| !record.is_root())
                .map(Record::name),
        })
    }

    /// Whether nothing refers to this record any more.
    fn is_reusable(&self) -> bool {
        self.threads.load(Acquire) == 0
            && self.children.load(Acquire) == 0
            && self.handles.load(Acquire) == 0
            && self.counters.totals().live_blocks() == 0
    }

    fn start(&'static self, tag: u32, parent: &'static Record, name: &str) {
        self.counters.reset();
        self.peak_bytes.store(0, Relaxed);
        self.peak_bound.store(i64::MIN, Relaxed);
        self.freed_outside.store(0, Relaxed);
        self.freed_for_others.store(0, Relaxed);
        self.exchanged.store(0, Relaxed);
        self.set_limits(0, 0);
        self.tag.store(tag, Relaxed);
        self.most_threads.store(0, Relaxed);
        self.overruns.store(0, Relaxed);
        self.next_retired.store(ptr::null_mut(), Relaxed);
        self.ended.store(false, Relaxed);
        self.traced.store(parent.is_traced(), Relaxed);
        self.noted.store(parent.is_noted(), Relaxed);
        self.has_notes.store(false, Relaxed);
        self.name.store(&Name::cut(name));
        let parent = if parent.is_own() || parent.is_root() && !root_counts_all() {
            ptr::null()
        } else {
            parent.children.fetch_add(1, AcqRel);
            ptr::from_ref(parent)
        };
        self.parent.store(parent.cast_mut(), Release);
    }

    /// Lets go of the parent, once nothing can be credited to it through us.
    fn release_parent(&self) {
        if let Some(parent) = self.parent() {
            parent.children.fetch_sub(1, AcqRel);
        }
    }
}
