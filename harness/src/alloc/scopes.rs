//! The table of scopes: a tag's number is the place of its scope in here.
//!
//! Records live in chunks that are mapped on demand and never unmapped, so an
//! allocator hook reaches one with two loads and no lock. A record is used again
//! only when its scope has ended, no thread stands in it, no handle or child scope
//! refers to it and every block that it owns was freed; until then late frees still
//! find their owner. The lock in here serves the opening and closing of scopes alone;
//! `fork` holds it while the process is copied.

use super::counters::{Counters, Totals};
use super::footer::TAG_LIMIT;
use super::memory;
use super::sync::atomic::{
    AtomicBool, AtomicI64, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};
use super::sync::{Mutex, MutexGuard, PoisonError};
use std::ptr;

const RECORDS_PER_CHUNK: usize = 256;
const CHUNKS: usize = 4096;

/// How many scopes may be open, or ended with live blocks, at one time.
pub(crate) const SCOPE_LIMIT: usize = RECORDS_PER_CHUNK * CHUNKS;
const _: () = assert!(SCOPE_LIMIT < TAG_LIMIT as usize);

/// How many ended scopes are examined for reuse when one is opened.
const REUSE_CANDIDATES: usize = 8;

/// One scope. All zero is the state of a record that was never used.
pub(crate) struct Record {
    /// What threads have flushed, this scope's and its inner scopes'.
    pub(super) counters: Counters,
    /// The maximum of the live bytes, as far as it was flushed.
    peak_bytes: AtomicI64,
    /// Live bytes that large allocations may not pass; zero is none.
    limit_bytes: AtomicU64,
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
    next_retired: AtomicPtr<Record>,
    overruns: AtomicU64,
    overrun_size: AtomicUsize,
    overrun_tag_bits: AtomicU32,
    name: KeptName,
}

/// A scope's name as its record keeps it. It changes only when the record is used
/// again, so who refers to the scope reads it whole.
struct KeptName {
    words: [AtomicU64; NAME_WORDS],
    len: AtomicUsize,
}

const NAME_WORDS: usize = 8;

/// A copy of a scope's name, cut to what fits, so that naming allocates nothing.
#[derive(Clone, Copy)]
pub(super) struct Name {
    words: [[u8; 8]; NAME_WORDS],
    len: usize,
}

/// The most bytes of a name that are kept.
const NAME_BYTES: usize = 60;

/// The first block whose footer was found damaged, and how many there were.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Overruns {
    pub(crate) count: u64,
    pub(crate) first_size_bytes: usize,
    /// The scope that allocated it, where the tag was still readable.
    pub(crate) first_owner: Option<String>,
}

/// Outside every scope. Its counters are never read, so they may be wrong.
pub(super) static ROOT: Record = Record::new();

static TABLE: [AtomicPtr<Record>; CHUNKS] = [const { AtomicPtr::new(ptr::null_mut()) }; CHUNKS];

/// Tags handed out so far, the root's zero among them.
static TAGS: AtomicU32 = AtomicU32::new(1);

/// Ended scopes in the order in which they are looked at for reuse.
struct Retired {
    first: *const Record,
    last: *const Record,
}

// SAFETY: the pointers are to records, which are `Sync` and live for ever.
unsafe impl Send for Retired {}

static RETIRED: Mutex<Retired> = Mutex::new(Retired {
    first: ptr::null(),
    last: ptr::null(),
});

impl Record {
    const fn new() -> Self {
        Self {
            counters: Counters::new(),
            peak_bytes: AtomicI64::new(0),
            limit_bytes: AtomicU64::new(0),
            parent: AtomicPtr::new(ptr::null_mut()),
            tag: AtomicU32::new(0),
            threads: AtomicU32::new(0),
            most_threads: AtomicU32::new(0),
            children: AtomicU32::new(0),
            handles: AtomicU32::new(0),
            ended: AtomicBool::new(false),
            traced: AtomicBool::new(false),
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

    /// The enclosing scope, if that is not the root.
    pub(super) fn parent(&self) -> Option<&'static Record> {
        let parent = self.parent.load(Acquire);
        // SAFETY: null, or one of our records, which are never unmapped.
        unsafe { parent.as_ref() }
    }

    /// This scope and those around it, innermost first, without the root.
    pub(super) fn chain(&'static self) -> impl Iterator<Item = &'static Record> {
        let first = (!self.is_root()).then_some(self);
        std::iter::successors(first, |record| record.parent())
    }

    /// Those of the [`chain`](Self::chain) that `other` is not within.
    fn chain_outside(&'static self, other: &'static Self) -> impl Iterator<Item = &'static Record> {
        self.chain().take_while(|record| !other.is_within(record))
    }

    /// Whether `outer` is this scope or one around it.
    pub(super) fn is_within(&'static self, outer: &Record) -> bool {
        self.chain().any(|record| ptr::eq(record, outer))
    }

    /// The nearest scope around this one that has not ended; the root if none.
    pub(super) fn nearest_open(&'static self) -> &'static Record {
        self.chain()
            .find(|record| !record.ended.load(Relaxed))
            .unwrap_or(&ROOT)
    }

    /// Adds what a thread gathered: its counts, and the highest live bytes that
    /// it saw since its last flush, relative to that flush.
    pub(super) fn absorb(&'static self, totals: &Totals, highest: i64) {
        for record in self.chain() {
            let before = record.counters.absorb(totals);
            record.peak_bytes.fetch_max(before + highest, Relaxed);
        }
    }

    /// Credits a free by a thread that stands in another scope. The chain has read
    /// a record's parent before the record is credited, and thereby let go.
    pub(super) fn freed_elsewhere(&'static self, size: usize) {
        for record in self.chain() {
            record.counters.freed_elsewhere(size);
        }
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

    /// Keeps the record from being used again until it is [let go](Self::let_go).
    pub(super) fn hold(&self) {
        self.handles.fetch_add(1, AcqRel);
    }

    pub(super) fn let_go(&self) {
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

    pub(super) fn set_limit(&self, bytes: u64) {
        self.limit_bytes.store(bytes, Relaxed);
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
        self.limit_bytes.store(0, Relaxed);
        self.tag.store(tag, Relaxed);
        self.most_threads.store(0, Relaxed);
        self.overruns.store(0, Relaxed);
        self.next_retired.store(ptr::null_mut(), Relaxed);
        self.ended.store(false, Relaxed);
        self.traced.store(parent.is_traced(), Relaxed);
        self.name.store(&Name::cut(name));
        let parent = if parent.is_root() {
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

impl Name {
    pub(super) fn text(&self) -> &[u8] {
        &self.words.as_flattened()[..self.len]
    }

    fn cut(name: &str) -> Self {
        let mut words = [[0; 8]; NAME_WORDS];
        let mut len = name.len().min(NAME_BYTES);
        while !name.is_char_boundary(len) {
            len -= 1;
        }
        words.as_flattened_mut()[..len].copy_from_slice(&name.as_bytes()[..len]);
        Self { words, len }
    }
}

impl KeptName {
    const fn new() -> Self {
        Self {
            words: [const { AtomicU64::new(0) }; NAME_WORDS],
            len: AtomicUsize::new(0),
        }
    }

    fn store(&self, name: &Name) {
        for (kept, word) in self.words.iter().zip(&name.words) {
            kept.store(u64::from_ne_bytes(*word), Relaxed);
        }
        self.len.store(name.len, Relaxed);
    }

    fn load(&self) -> Name {
        Name {
            words: self
                .words
                .each_ref()
                .map(|word| word.load(Relaxed).to_ne_bytes()),
            len: self.len.load(Relaxed),
        }
    }
}

fn lock() -> MutexGuard<'static, Retired> {
    RETIRED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The scope of a tag that was handed out; none for any other number.
pub(super) fn lookup(tag: u32) -> Option<&'static Record> {
    if tag == 0 {
        return Some(&ROOT);
    }
    if tag >= TAGS.load(Acquire) {
        return None;
    }
    let place = tag as usize;
    let chunk = TABLE[place / RECORDS_PER_CHUNK].load(Acquire);
    // SAFETY: a tag below `TAGS` has its chunk in the table, complete and mapped
    // for ever, and the remainder is below the chunk's length.
    Some(unsafe { &*chunk.add(place % RECORDS_PER_CHUNK) })
}

/// Opens a scope inside `parent`; none when the table is full.
pub(super) fn open(name: &str, parent: &'static Record) -> Option<&'static Record> {
    let mut retired = lock();
    if let Some(record) = retired.take_reusable() {
        record.release_parent();
        record.start(record.tag(), parent, name);
        return Some(record);
    }
    let tag = TAGS.load(Relaxed);
    let place = tag as usize;
    if place >= SCOPE_LIMIT {
        return None;
    }
    let slot = &TABLE[place / RECORDS_PER_CHUNK];
    if slot.load(Relaxed).is_null() {
        let chunk = memory::zeroed(size_of::<[Record; RECORDS_PER_CHUNK]>())?;
        slot.store(chunk.cast(), Release);
    }
    // SAFETY: the chunk is mapped for ever, aligned to a page, and the place is
    // inside. The record is written before it is used; nobody knows its tag yet.
    let record: &'static Record = unsafe {
        let record = slot.load(Relaxed).add(place % RECORDS_PER_CHUNK);
        record.write(Record::new());
        &*record
    };
    record.start(tag, parent, name);
    TAGS.store(tag + 1, Release);
    Some(record)
}

/// Ends a scope. Its blocks may outlive it; frees still find it.
pub(super) fn close(record: &'static Record) {
    let mut retired = lock();
    record.ended.store(true, Relaxed);
    retired.push(record);
}

/// Keeps scopes from being opened and closed until the guard is dropped.
#[cfg(all(unix, not(highwater_portable)))]
pub(super) fn pause() -> Pause {
    Pause { _guard: lock() }
}

#[cfg(all(unix, not(highwater_portable)))]
pub(super) struct Pause {
    _guard: MutexGuard<'static, Retired>,
}

/// Makes the counts of threads right where this thread is the only one, and stands in
/// `scope`. Nothing may be opened meanwhile.
#[cfg(all(unix, not(highwater_portable)))]
pub(super) fn only_thread_stands_in(scope: &'static Record) {
    for record in (1..TAGS.load(Acquire)).filter_map(lookup) {
        record.threads.store(0, Relaxed);
    }
    scope.thread_enters(&ROOT);
}

/// As if no scope had ever been opened, so that a model's runs are alike.
#[cfg(all(test, highwater_shuttle))]
pub(super) fn forget_all() {
    TAGS.store(1, Relaxed);
    let mut retired = lock();
    retired.first = ptr::null();
    retired.last = ptr::null();
}

impl Retired {
    fn push(&mut self, record: &'static Record) {
        record.next_retired.store(ptr::null_mut(), Relaxed);
        // SAFETY: null, or a record, which lives for ever.
        match unsafe { self.last.as_ref() } {
            None => self.first = record,
            Some(last) => last
                .next_retired
                .store(ptr::from_ref(record).cast_mut(), Relaxed),
        }
        self.last = record;
    }

    fn pop(&mut self) -> Option<&'static Record> {
        // SAFETY: null, or a record, which lives for ever.
        let record = unsafe { self.first.as_ref() }?;
        self.first = record.next_retired.load(Relaxed);
        if self.first.is_null() {
            self.last = ptr::null();
        }
        Some(record)
    }

    /// Looks at the oldest few; those still in use go to the back.
    fn take_reusable(&mut self) -> Option<&'static Record> {
        for _ in 0..REUSE_CANDIDATES {
            let record = self.pop()?;
            if record.is_reusable() {
                return Some(record);
            }
            self.push(record);
        }
        None
    }
}
