//! All ledgers: where threads take them from, and what is read from many.

use super::{Ledger, current};
use crate::alloc::counters::Totals;
use crate::alloc::footer;
use crate::alloc::memory;
use crate::alloc::scopes::{OWN, ROOT, Record};
use crate::alloc::sync::atomic::{
    AtomicPtr,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
    fence,
};
use crate::alloc::sync::yield_now;
use std::ptr;

const LEDGERS_PER_POOL: usize = 64;

struct Pool {
    ledgers: [Ledger; LEDGERS_PER_POOL],
    next: AtomicPtr<Pool>,
}

static POOL: Pool = Pool::new();

pub(super) fn take_free() -> Option<&'static Ledger> {
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
pub(in crate::alloc) fn count() -> usize {
    pools().count() * LEDGERS_PER_POOL
}

/// A thread that has a ledger, as another sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Its number with the system; 0 where that is not known.
    pub(crate) thread: u32,
    /// What it allocated and did not free, less what it freed of others'.
    pub(crate) bytes: i64,
    pub(crate) blocks: i64,
}

impl Ledger {
    /// Whether a thread has it.
    pub(in crate::alloc) fn is_taken(&self) -> bool {
        self.taken.load(Acquire)
    }

    /// Whether it is the thread that runs `main`, where that is known.
    pub(in crate::alloc) fn is_main(&self) -> bool {
        self.thread.load(Relaxed) == std::process::id()
    }

    /// Whether the thread that runs `main` started this one.
    pub(in crate::alloc) fn is_of_main(&self) -> bool {
        self.is_of_main.load(Relaxed)
    }

    /// What the thread has done in the root, or in the scope that it stands in.
    pub(in crate::alloc) fn seen(&self) -> Seen {
        let now = self.counters.totals();
        let (bytes, blocks) = if self.scope().is_root() {
            (&self.root_bytes, &self.root_blocks)
        } else {
            (&self.scope_bytes, &self.scope_blocks)
        };
        Seen {
            thread: self.thread.load(Relaxed),
            bytes: bytes.load(Relaxed) + now.live_bytes,
            blocks: blocks.load(Relaxed) + now.live_blocks(),
        }
    }

    /// What it flushed in the root, and has not flushed if it stands there.
    pub(in crate::alloc) fn seen_in_root(&self) -> (i64, i64) {
        let mut seen = (
            self.root_bytes.load(Relaxed),
            self.root_blocks.load(Relaxed),
        );
        if self.scope().is_root() {
            let now = self.counters.totals();
            seen.0 += now.live_bytes;
            seen.1 += now.live_blocks();
        }
        seen
    }
}

/// All that was counted in `scope`: what was flushed, and what the threads that
/// stand in it have not flushed yet. Exact for everything that happened before,
/// also while other threads count on, unless they flush without a pause.
pub(in crate::alloc) fn totals_of(scope: &'static Record) -> Totals {
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

/// Forgets how high the levels of the threads in `scope` were. One that allocates at this
/// very moment may keep its own, within the bound that several threads have.
pub(in crate::alloc) fn restart_peaks(scope: &'static Record) {
    for ledger in ledgers().filter(|ledger| ledger.scope().is_within(scope)) {
        let live = ledger.counters.live_after(0);
        ledger.highest.store(live.max(0), Relaxed);
    }
}

/// Puts every other thread that stands in the root where the harness counts for itself.
/// They wait for this one, or do nothing that matters.
pub(in crate::alloc) fn leave_to_harness() {
    let own = current();
    own.flush();
    let others = ledgers().filter(|ledger| {
        ledger.taken.load(Acquire) && !ptr::eq(*ledger, own) && ledger.scope().is_root()
    });
    for ledger in others {
        ledger.scope.store(ptr::from_ref(&OWN).cast_mut(), Release);
        ledger.footer.store(footer::seal(OWN.tag()).into(), Relaxed);
        ROOT.thread_ends();
        OWN.thread_starts();
    }
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

pub(in crate::alloc) fn ledgers() -> impl Iterator<Item = &'static Ledger> {
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

/// Gives back the ledgers of all threads but this one, which are not there any more;
/// what they counted is kept. Returns the scope that this thread stands in.
///
/// A thread that was in the middle of a flush has told its scope a part of it.
#[cfg(highwater_unix)]
pub(in crate::alloc) fn give_back_others() -> &'static Record {
    let own = super::traced().unwrap_or_else(|| super::own().ledger());
    super::follower::give_back_others();
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
