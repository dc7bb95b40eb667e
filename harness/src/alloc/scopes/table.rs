//! The table that records live in, and which of them can be used again.

use super::{FIRST_TAG, OWN, OWN_TAG, ROOT, Record, SCOPE_LIMIT};
use crate::alloc::memory;
use crate::alloc::sync::atomic::{
    AtomicPtr, AtomicU32,
    Ordering::{Acquire, Relaxed, Release},
};
use crate::alloc::sync::{Mutex, MutexGuard, PoisonError};
use std::ptr;

pub(super) const RECORDS_PER_CHUNK: usize = 256;
pub(super) const CHUNKS: usize = 4096;

/// How many ended scopes are examined for reuse when one is opened.
const REUSE_CANDIDATES: usize = 8;

static TABLE: [AtomicPtr<Record>; CHUNKS] = [const { AtomicPtr::new(ptr::null_mut()) }; CHUNKS];

/// Tags handed out so far, those of the two records above among them.
static TAGS: AtomicU32 = AtomicU32::new(FIRST_TAG);

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

fn lock() -> MutexGuard<'static, Retired> {
    RETIRED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The scope of a tag that was handed out; none for any other number.
pub(in crate::alloc) fn lookup(tag: u32) -> Option<&'static Record> {
    match tag {
        0 => return Some(&ROOT),
        OWN_TAG => return Some(&OWN),
        _ => {}
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
pub(in crate::alloc) fn open(name: &str, parent: &'static Record) -> Option<&'static Record> {
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
        record.write(Record::new(tag));
        &*record
    };
    record.start(tag, parent, name);
    TAGS.store(tag + 1, Release);
    Some(record)
}

/// Ends a scope. Its blocks may outlive it; frees still find it.
pub(in crate::alloc) fn close(record: &'static Record) {
    let mut retired = lock();
    record.ended.store(true, Relaxed);
    retired.push(record);
}

/// Marks all scopes as traced or not, but for the harness's own; with them, those that are
/// opened in them later.
// Not needed where call stacks can't be taken.
#[allow(dead_code)]
pub(in crate::alloc) fn trace_all(is_traced: bool) {
    // One that is being opened takes the mark over from the scope around it.
    let _guard = lock();
    for record in all().filter(|record| !record.is_own()) {
        record.traced.store(is_traced, Relaxed);
    }
}

/// Keeps scopes from being opened and closed until the guard is dropped.
#[cfg(highwater_unix)]
pub(in crate::alloc) fn pause() -> Pause {
    Pause { _guard: lock() }
}

#[cfg(highwater_unix)]
pub(in crate::alloc) struct Pause {
    _guard: MutexGuard<'static, Retired>,
}

/// Makes the counts of threads right where this thread is the only one, and stands in
/// `scope`. Nothing may be opened meanwhile.
#[cfg(highwater_unix)]
pub(in crate::alloc) fn only_thread_stands_in(scope: &'static Record) {
    for record in all() {
        record.threads.store(0, Relaxed);
    }
    scope.thread_starts();
}

/// Every record that was ever used, those of the root and of the harness among them.
pub(in crate::alloc) fn all() -> impl Iterator<Item = &'static Record> {
    (0..TAGS.load(Acquire)).filter_map(lookup)
}

/// As if no scope had ever been opened, so that a model's runs are alike.
#[cfg(all(test, highwater_shuttle))]
pub(in crate::alloc) fn forget_all() {
    TAGS.store(FIRST_TAG, Relaxed);
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
