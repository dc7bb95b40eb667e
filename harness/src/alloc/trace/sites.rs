//! The table of allocation sites: call stacks, each with what is live of it.
//!
//! Sites are found by the hash of their stack in a table of numbers that is never full
//! by more than a quarter, and added without a lock: a thread writes a site that nobody
//! knows yet, and publishes its number. One table serves one trace after the other.

use super::stack::{DEPTH, Stack};
use std::sync::atomic::{
    AtomicI64, AtomicU32, AtomicU64, AtomicUsize,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};

/// How many stacks are told apart. The first is for all that are not.
pub(super) const LIMIT: usize = 16_384;
const SLOTS: usize = 4 * LIMIT;

/// One call stack, and what it allocated. What each allocation needs is in the first cache
/// line, up to the innermost frame.
#[repr(C, align(64))]
pub(super) struct Site {
    hash: AtomicU64,
    depth: AtomicUsize,
    /// What one thread counted while it was alone in the scope, by plain additions.
    alone: Counts,
    frames: [AtomicUsize; DEPTH],
    /// What threads counted while there were several.
    together: Counts,
    peak_bytes: AtomicI64,
    peak_blocks: AtomicI64,
}

struct Counts {
    live_bytes: AtomicI64,
    live_blocks: AtomicI64,
    total_blocks: AtomicI64,
    total_bytes: AtomicI64,
}

impl Counts {
    const fn new() -> Self {
        Self {
            live_bytes: AtomicI64::new(0),
            live_blocks: AtomicI64::new(0),
            total_blocks: AtomicI64::new(0),
            total_bytes: AtomicI64::new(0),
        }
    }

    fn all(&self) -> [&AtomicI64; 4] {
        [
            &self.live_bytes,
            &self.live_blocks,
            &self.total_blocks,
            &self.total_bytes,
        ]
    }
}

/// Whether the calling thread is the only one that counts now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sharing {
    Exclusive,
    Shared,
}

#[inline(always)]
fn add(counter: &AtomicI64, by: i64, sharing: Sharing) {
    match sharing {
        Sharing::Exclusive => counter.store(counter.load(Relaxed) + by, Relaxed),
        Sharing::Shared => {
            counter.fetch_add(by, Relaxed);
        }
    }
}

/// All sites of a trace.
pub(super) struct Sites {
    slots: Box<[AtomicU32]>,
    all: Box<[Site]>,
    /// The number of the next one.
    next: AtomicU32,
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
            alone: Counts::new(),
            frames: [const { AtomicUsize::new(0) }; DEPTH],
            together: Counts::new(),
            peak_bytes: AtomicI64::new(0),
            peak_blocks: AtomicI64::new(0),
        }
    }

    #[inline(always)]
    fn counts(&self, sharing: Sharing) -> &Counts {
        match sharing {
            Sharing::Exclusive => &self.alone,
            Sharing::Shared => &self.together,
        }
    }

    #[inline(always)]
    pub(super) fn allocated(&self, size: usize, sharing: Sharing) {
        let counts = self.counts(sharing);
        add(&counts.live_bytes, size as i64, sharing);
        add(&counts.live_blocks, 1, sharing);
        add(&counts.total_blocks, 1, sharing);
        add(&counts.total_bytes, size as i64, sharing);
    }

    #[inline(always)]
    pub(super) fn freed(&self, size: usize, sharing: Sharing) {
        let counts = self.counts(sharing);
        add(&counts.live_bytes, -(size as i64), sharing);
        add(&counts.live_blocks, -1, sharing);
    }

    fn sum(&self, of: fn(&Counts) -> &AtomicI64) -> i64 {
        of(&self.alone).load(Relaxed) + of(&self.together).load(Relaxed)
    }

    pub(super) fn live(&self) -> Live {
        Live {
            bytes: self.sum(|counts| &counts.live_bytes),
            blocks: self.sum(|counts| &counts.live_blocks),
        }
    }

    pub(super) fn at_peak(&self) -> Live {
        Live {
            bytes: self.peak_bytes.load(Relaxed),
            blocks: self.peak_blocks.load(Relaxed),
        }
    }

    pub(super) fn total(&self) -> Total {
        let total = |of| u64::try_from(self.sum(of)).unwrap_or(0);
        Total {
            bytes: total(|counts| &counts.total_bytes),
            blocks: total(|counts| &counts.total_blocks),
        }
    }

    /// The return addresses, innermost first. Allocates.
    pub(super) fn frames(&self) -> Vec<usize> {
        let depth = self.depth.load(Relaxed);
        let frames = self.frames.iter().take(depth);
        frames.map(|frame| frame.load(Relaxed)).collect()
    }

    /// By hash, depth and innermost frame. That two stacks share all three by chance has
    /// odds of one in 10^11 for as many as there is room for.
    #[inline(always)]
    fn is(&self, hash: u64, stack: &Stack) -> bool {
        let frames = stack.frames();
        self.hash.load(Relaxed) == hash
            && self.depth.load(Relaxed) == frames.len()
            && frames
                .first()
                .is_none_or(|first| self.frames[0].load(Relaxed) == *first)
    }

    fn start(&self, hash: u64, stack: &Stack) {
        self.hash.store(hash, Relaxed);
        self.depth.store(stack.frames().len(), Relaxed);
        for (known, frame) in self.frames.iter().zip(stack.frames()) {
            known.store(*frame, Relaxed);
        }
    }

    fn forget(&self) {
        for counter in self.alone.all().into_iter().chain(self.together.all()) {
            counter.store(0, Relaxed);
        }
        self.peak_bytes.store(0, Relaxed);
        self.peak_blocks.store(0, Relaxed);
    }
}

impl Sites {
    /// Allocates; not for the allocator's hooks.
    pub(super) fn new() -> Self {
        Self {
            slots: (0..SLOTS).map(|_| AtomicU32::new(0)).collect(),
            all: (0..LIMIT).map(|_| Site::new()).collect(),
            next: AtomicU32::new(1),
        }
    }

    /// As if it were new. No block of an earlier trace may be followed any more.
    pub(super) fn clear(&self) {
        for slot in &self.slots {
            slot.store(0, Relaxed);
        }
        for site in self.all.iter().take(self.count()) {
            site.forget();
        }
        self.next.store(1, Release);
    }

    /// How many there are, with the first, which is for the stacks that are not told
    /// apart.
    pub(super) fn count(&self) -> usize {
        (self.next.load(Acquire) as usize).min(LIMIT)
    }

    pub(super) fn get(&self, number: u32) -> &Site {
        let place = number as usize;
        &self.all[if place < LIMIT { place } else { 0 }]
    }

    /// The site with this stack, if it is known.
    #[inline(always)]
    pub(super) fn find(&self, stack: &Stack) -> Option<u32> {
        let hash = stack.hash();
        let mut place = hash as usize % SLOTS;
        loop {
            let number = self.slots[place].load(Acquire);
            if number == 0 {
                return None;
            }
            if self.get(number).is(hash, stack) {
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
        let mut place = hash as usize % SLOTS;
        let mut own = None;
        loop {
            let slot = &self.slots[place];
            let mut number = slot.load(Acquire);
            if number == 0 {
                let Some(fresh) = own.or_else(|| self.take_number()) else {
                    return 0;
                };
                own = Some(fresh);
                self.get(fresh).start(hash, stack);
                match slot.compare_exchange(0, fresh, AcqRel, Acquire) {
                    Ok(_) => return fresh,
                    // Another thread's came first; ours is lost if it is the same.
                    Err(first) => number = first,
                }
            }
            if self.get(number).is(hash, stack) {
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

    /// Notes what is live of each site as its share of the peak.
    pub(super) fn note_peak(&self) {
        for site in self.all.iter().take(self.count()) {
            let live = site.live();
            site.peak_bytes.store(live.bytes, Relaxed);
            site.peak_blocks.store(live.blocks, Relaxed);
        }
    }
}
