//! The table of allocation sites: call stacks, each with what is live of it.
//!
//! Sites are found by the hash of their stack in a table of slots that is never full
//! by more than a quarter, and added without a lock: a thread writes a site that nobody
//! knows yet, and publishes its number. One table serves one trace after the other.
//!
//! A slot has the number of a site in its lowest bits, and above them the lower bits of the
//! hash. The upper bits of the hash are the place of the slot that it asks for first; so
//! such a slot alone says which stack it is.
//!
//! Each thread counts for itself; see [`Follower`](ledger::Follower). Beside the sites are the
//! counts of threads that have no place of their own, by atomic additions: close together, since
//! all of them are looked at after every step.

use super::stack::{DEPTH, Stack};
use crate::alloc::ledger::{self, Amount, Counts};
use std::ptr;
use std::sync::atomic::{
    AtomicI64, AtomicU32, AtomicU64, AtomicUsize,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
    fence,
};

/// How many stacks are told apart. The first is for all that are not.
pub(super) const LIMIT: usize = ledger::SITES;
const SLOTS: usize = 4 * LIMIT;

const _: () = assert!(LIMIT.is_power_of_two() && SLOTS.is_power_of_two());

type Slots = [AtomicU64; SLOTS];

/// One call stack.
#[repr(C, align(64))]
pub(super) struct Site {
    hash: AtomicU64,
    depth: AtomicUsize,
    peak_bytes: AtomicI64,
    peak_blocks: AtomicI64,
    frames: [AtomicUsize; DEPTH],
}

/// The place of the slot that the hash asks for first.
#[inline(always)]
const fn home(hash: u64) -> usize {
    (hash >> (64 - SLOTS.ilog2())) as usize
}

/// What is beside the number in a slot. With the place of the first slot, it is all of the
/// hash.
#[inline(always)]
const fn rest(hash: u64) -> u64 {
    hash << LIMIT.ilog2()
}
const _: () = assert!(LIMIT <= SLOTS);

/// The number in a slot, if what is beside it is the hash's.
#[inline(always)]
const fn number_in(slot: u64, hash: u64) -> Option<u32> {
    let differing = slot ^ rest(hash);
    // 0 is no slot's.
    if differing.wrapping_sub(1) < LIMIT as u64 - 1 {
        Some(differing as u32)
    } else {
        None
    }
}

/// The number of the site with the stack of this hash, if it is known and its slot is the
/// first that the hash asks for.
///
/// # Safety
/// `slots` is [that of sites](Sites::slots).
#[inline(always)]
pub(super) unsafe fn at_home(slots: *const (), hash: u64) -> Option<u32> {
    // SAFETY: the caller's promise; the slots live for ever.
    let slots = unsafe { &*slots.cast::<Slots>() };
    number_in(slots[home(hash)].load(Acquire), hash)
}

/// Where a site is in the tables.
const fn place_of(number: u32) -> usize {
    let place = number as usize;
    if place < LIMIT { place } else { 0 }
}

/// All sites of a trace.
pub(super) struct Sites {
    slots: &'static Slots,
    all: Box<[Site]>,
    /// Of each, what threads without counts of their own did with its blocks.
    counts: Box<[Counts]>,
    /// The number of the next one.
    next: AtomicU32,
    /// How many there were in the trace that had the most.
    most: AtomicUsize,
}

/// Of a site, at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Live {
    pub(crate) bytes: i64,
    pub(crate) blocks: i64,
}

/// All that a site allocated so far; a block that is resized counts again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Total {
    pub(crate) bytes: u64,
    pub(crate) blocks: u64,
}

impl Site {
    const fn new() -> Self {
        Self {
            hash: AtomicU64::new(0),
            depth: AtomicUsize::new(0),
            peak_bytes: AtomicI64::new(0),
            peak_blocks: AtomicI64::new(0),
            frames: [const { AtomicUsize::new(0) }; DEPTH],
        }
    }

    pub(super) fn at_peak(&self) -> Live {
        Live {
            bytes: self.peak_bytes.load(Relaxed),
            blocks: self.peak_blocks.load(Relaxed),
        }
    }

    /// The return addresses, innermost first. Allocates.
    pub(super) fn frames(&self) -> Vec<usize> {
        let depth = self.depth.load(Relaxed);
        let frames = self.frames.iter().take(depth);
        frames.map(|frame| frame.load(Relaxed)).collect()
    }

    /// That two stacks have one hash by chance has odds of one in 10^11 for as many as
    /// there is room for.
    #[inline(always)]
    fn is(&self, hash: u64) -> bool {
        self.hash.load(Relaxed) == hash
    }

    fn start(&self, hash: u64, stack: &Stack) {
        self.hash.store(hash, Relaxed);
        self.depth.store(stack.frames().len(), Relaxed);
        for (known, frame) in self.frames.iter().zip(stack.frames()) {
            known.store(*frame, Relaxed);
        }
    }

    fn forget(&self) {
        self.peak_bytes.store(0, Relaxed);
        self.peak_blocks.store(0, Relaxed);
    }
}

impl Sites {
    /// Allocates; not for the allocator's hooks. There is one for all traces.
    pub(super) fn new() -> Self {
        let slots: Box<[AtomicU64]> = (0..SLOTS).map(|_| AtomicU64::new(0)).collect();
        let slots: *mut Slots = Box::into_raw(slots).cast();
        Self {
            // SAFETY: as many as there are, and never given back.
            slots: unsafe { &*slots },
            all: (0..LIMIT).map(|_| Site::new()).collect(),
            counts: (0..LIMIT).map(|_| Counts::new()).collect(),
            next: AtomicU32::new(1),
            most: AtomicUsize::new(0),
        }
    }

    /// As if it were new. No block of an earlier trace may be followed any more.
    pub(super) fn clear(&self) {
        for slot in self.slots {
            slot.store(0, Relaxed);
        }
        for (site, counts) in self.all.iter().zip(&self.counts).take(self.count()) {
            site.forget();
            counts.clear();
        }
        self.most.fetch_max(self.count(), Relaxed);
        self.next.store(1, Release);
    }

    /// The table, for [`at_home`].
    pub(super) fn slots(&self) -> *const () {
        ptr::from_ref(self.slots).cast()
    }

    /// The most that there were in a trace before this one.
    pub(super) fn most(&self) -> usize {
        self.most.load(Relaxed)
    }

    /// How many there are, with the first, which is for the stacks that are not told
    /// apart.
    pub(super) fn count(&self) -> usize {
        (self.next.load(Acquire) as usize).min(LIMIT)
    }

    pub(super) fn get(&self, number: u32) -> &Site {
        &self.all[place_of(number)]
    }

    /// For threads that have no counts of their own.
    pub(super) fn counts(&self, number: u32) -> &Counts {
        &self.counts[place_of(number)]
    }

    /// The site with the stack of this hash, if it is known.
    #[inline(always)]
    pub(super) fn find(&self, hash: u64) -> Option<u32> {
        let mut place = home(hash);
        loop {
            let slot = self.slots[place].load(Acquire);
            if slot == 0 {
                return None;
            }
            let number = number_in(slot, hash);
            if let Some(number) = number.filter(|number| self.get(*number).is(hash)) {
                return Some(number);
            }
            place = (place + 1) % SLOTS;
        }
    }

    /// The site with this stack, added now if it is not known; 0 if there is no more
    /// room.
    #[cold]
    #[inline(never)]
    pub(super) fn find_or_add(&self, stack: &Stack) -> u32 {
        let hash = stack.hash();
        let mut place = home(hash);
        let mut own = None;
        loop {
            let cell = &self.slots[place];
            let mut slot = cell.load(Acquire);
            if slot == 0 {
                let Some(fresh) = own.or_else(|| self.take_number()) else {
                    return 0;
                };
                own = Some(fresh);
                self.get(fresh).start(hash, stack);
                let filled = rest(hash) | u64::from(fresh);
                match cell.compare_exchange(0, filled, AcqRel, Acquire) {
                    Ok(_) => return fresh,
                    // Another thread's came first; ours is lost if it is the same.
                    Err(first) => slot = first,
                }
            }
            let number = number_in(slot, hash);
            if let Some(number) = number.filter(|number| self.get(*number).is(hash)) {
                return number;
            }
            place = (place + 1) % SLOTS;
        }
    }

    fn take_number(&self) -> Option<u32> {
        let number = self.next.fetch_add(1, AcqRel);
        if (number as usize) < LIMIT {
            return Some(number);
        }
        self.next
            .store(u32::try_from(LIMIT).unwrap_or(u32::MAX), Release);
        None
    }

    /// What is live of a site in this trace, by all threads.
    pub(super) fn live(&self, number: u32, trace: u64) -> Live {
        // A block is counted when it comes before it is when it goes, so by this order no
        // thread that goes on meanwhile makes a level too low.
        let freed = self.sum(number, trace, Counts::all_freed);
        fence(Acquire);
        let total = self.sum(number, trace, Counts::total);
        Live {
            bytes: total.bytes.wrapping_sub(freed.bytes) as i64,
            blocks: total.blocks.wrapping_sub(freed.blocks) as i64,
        }
    }

    /// All that a site allocated in this trace, by all threads.
    pub(super) fn total(&self, number: u32, trace: u64) -> Total {
        let Amount { bytes, blocks } = self.sum(number, trace, Counts::total);
        Total { bytes, blocks }
    }

    fn sum(&self, number: u32, trace: u64, of: fn(&Counts) -> Amount) -> Amount {
        let mut sum = of(self.counts(number));
        for follower in ledger::all_followers().filter(|follower| follower.trace() == trace) {
            sum.add(of(follower.counts(number)));
        }
        sum
    }

    /// Notes what is live of each site as its share of the peak.
    pub(super) fn note_peak(&self, trace: u64) {
        for (number, site) in (0..).zip(self.all.iter().take(self.count())) {
            let live = self.live(number, trace);
            site.peak_bytes.store(live.bytes, Relaxed);
            site.peak_blocks.store(live.blocks, Relaxed);
        }
    }
}
