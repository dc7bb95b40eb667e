//! Following blocks to the call stacks that allocated them, while one scope is diagnosed.
//!
//! Nothing of this runs before: a thread that stands in a scope that is traced has no
//! ledger of the fast path, so its allocations take the slow path, which leads here, and
//! blocks of such a scope carry a footer that no fast free knows. What is needed
//! is made before the first block is followed, and never given back; in a hook there is
//! no lock and no allocation here either.

// A word is an address here: this is for one processor.
#![allow(clippy::cast_possible_truncation)]

mod shadow;
mod sites;
pub(super) mod stack;

use super::scopes::{self, Record};
use super::{footer, ledger, memory};
use shadow::Entry;
pub(crate) use sites::{Live, Total};
use sites::{Sharing, Sites};
use stack::{Registers, Stack, Walker};
use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{
    AtomicBool, AtomicI64, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};
use std::sync::{Mutex, MutexGuard, PoisonError};

const _: () = assert!(sites::LIMIT <= shadow::SITE_LIMIT as usize);

/// All that a hook needs.
struct State {
    walker: Walker,
    sites: Sites,
    /// The scope that is traced; null while none is.
    scope: AtomicPtr<Record>,
    /// Live bytes at which the sites' shares are noted; `i64::MAX` is never.
    peak_at: AtomicI64,
    has_peak: AtomicBool,
    /// Live bytes that are not to be passed; `i64::MAX` is no limit.
    stop_above: AtomicI64,
    /// The site of the allocation that passed them, plus one; zero if none did.
    stopped_by: AtomicU32,
    stopped_size: AtomicUsize,
    stopped_live: AtomicI64,
    /// Blocks that could not be followed.
    lost: AtomicU64,
}

impl State {
    /// No peak is to be met, and no limit to be passed.
    fn expect_nothing(&self) {
        self.has_peak.store(false, Relaxed);
        self.peak_at.store(i64::MAX, Relaxed);
        self.stop_above.store(i64::MAX, Relaxed);
        self.stopped_by.store(0, Relaxed);
    }

    /// The scope that is traced.
    #[inline(always)]
    fn scope(&self) -> Option<&'static Record> {
        // SAFETY: null, or a record, which lives for ever.
        unsafe { self.scope.load(Acquire).as_ref() }
    }
}

/// Made by the first trace and kept.
static STATE: AtomicPtr<State> = AtomicPtr::new(ptr::null_mut());

/// Held while a scope is traced: there is one set of tables.
static TURN: Mutex<()> = Mutex::new(());

thread_local! {
    /// Whether this thread traces already, and would wait for itself.
    static TRACING: Cell<bool> = const { Cell::new(false) };
}

/// Whether the whole process is traced, from its start to its end.
static IS_OF_PROCESS: AtomicBool = AtomicBool::new(false);

/// The right to trace one scope, until it is dropped.
pub(crate) struct Trace {
    state: &'static State,
    /// None where the whole process is traced.
    turn: Option<MutexGuard<'static, ()>>,
}

/// The allocation that passed the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stopped {
    pub(crate) site: usize,
    pub(crate) size: u64,
    /// With it.
    pub(crate) live_bytes: i64,
}

/// A site, as it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Traced {
    /// Return addresses, innermost first; empty for what is not told apart.
    pub(crate) frames: Vec<usize>,
    pub(crate) live: Live,
    pub(crate) at_peak: Live,
}

fn state() -> Option<&'static State> {
    // SAFETY: null, or what was leaked for ever.
    unsafe { STATE.load(Acquire).as_ref() }
}

impl Trace {
    /// Waits for other traces. None if this thread is tracing already. Allocates
    /// outside every scope.
    pub(crate) fn start() -> Option<Self> {
        if let Some(trace) = Self::of_process() {
            trace.state.expect_nothing();
            return Some(trace);
        }
        if TRACING.replace(true) {
            return None;
        }
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let state = state().unwrap_or_else(|| {
            let fresh = Box::leak(Box::new(State {
                walker: Walker::new(),
                sites: Sites::new(),
                scope: AtomicPtr::new(ptr::null_mut()),
                peak_at: AtomicI64::new(i64::MAX),
                has_peak: AtomicBool::new(false),
                stop_above: AtomicI64::new(i64::MAX),
                stopped_by: AtomicU32::new(0),
                stopped_size: AtomicUsize::new(0),
                stopped_live: AtomicI64::new(0),
                lost: AtomicU64::new(0),
            }));
            STATE.store(fresh, Release);
            fresh
        });
        shadow::clear();
        state.sites.clear();
        state.lost.store(0, Relaxed);
        state.expect_nothing();
        let turn = Some(turn);
        Some(Self { state, turn })
    }

    /// From now on all blocks of the process are followed, but for the harness's. No other
    /// thread allocates yet, and this one stands in the root.
    // Not needed where tests are not given processes of their own.
    #[allow(dead_code)]
    pub(crate) fn whole_process() {
        if let Some(trace) = super::unscoped(Self::start) {
            trace.follow(&super::scopes::ROOT);
            IS_OF_PROCESS.store(true, Relaxed);
            std::mem::forget(trace);
        }
    }

    /// That of the whole process, if there is one.
    fn of_process() -> Option<Self> {
        let state = state().filter(|_| IS_OF_PROCESS.load(Relaxed))?;
        Some(Self { state, turn: None })
    }

    /// From now on blocks of this scope, and of those that are opened in it, are
    /// followed. The calling thread stands in it.
    pub(super) fn follow(&self, scope: &'static Record) {
        if self.turn.is_none() {
            return;
        }
        self.state
            .scope
            .store(ptr::from_ref(scope).cast_mut(), Release);
        scope.set_traced();
        ledger::current().choose_path();
    }

    /// Notes each site's share when the live bytes are `peak_bytes` for the first time.
    pub(crate) fn note_peak_at(&self, peak_bytes: u64) {
        let peak = i64::try_from(peak_bytes).unwrap_or(i64::MAX);
        self.state.peak_at.store(peak, Relaxed);
    }

    /// Notes the allocation that takes live bytes above `limit`.
    pub(crate) fn stop_above(&self, limit: u64) {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.state.stop_above.store(limit, Relaxed);
    }

    /// The allocation that took live bytes above the limit, if there was one.
    pub(crate) fn stopped(&self) -> Option<Stopped> {
        let number = self.state.stopped_by.load(Acquire).checked_sub(1)?;
        Some(Stopped {
            site: number as usize,
            size: self.state.stopped_size.load(Relaxed) as u64,
            live_bytes: self.state.stopped_live.load(Relaxed),
        })
    }

    /// Whether the peak was noted.
    pub(crate) fn has_peak(&self) -> bool {
        self.state.has_peak.load(Relaxed)
    }

    /// Blocks that could not be followed.
    pub(crate) fn lost(&self) -> u64 {
        self.state.lost.load(Relaxed)
    }

    /// Passes on the blocks that are live: the address, the size and the site of each. What
    /// other threads do meanwhile may be among them or not.
    pub(crate) fn for_each_block(&self, mut pass_on: impl FnMut(usize, usize, u32)) {
        let count = self.count();
        shadow::for_each(|address, Entry { site, size }| {
            if (site as usize) < count {
                pass_on(address, size, site);
            }
        });
    }

    /// Where this library's own tables are: nobody's memory.
    pub(crate) fn own_tables() -> Vec<(usize, usize)> {
        memory::own_tables()
    }

    /// Whether other threads than this one stand in the scope.
    pub(crate) fn is_shared(&self) -> bool {
        self.state.scope().is_some_and(|scope| scope.threads() > 1)
    }

    /// How many sites there are.
    pub(crate) fn count(&self) -> usize {
        self.state.sites.count()
    }

    /// What is live of the site with this number, below [`count`](Self::count).
    pub(crate) fn live(&self, number: usize) -> Live {
        self.state.sites.get(number_of(number)).live()
    }

    /// All that the site with this number, below [`count`](Self::count), allocated.
    pub(crate) fn total(&self, number: usize) -> Total {
        self.state.sites.get(number_of(number)).total()
    }

    /// The site with this number, below [`count`](Self::count). Allocates.
    pub(crate) fn read(&self, number: usize) -> Traced {
        let site = self.state.sites.get(number_of(number));
        Traced {
            frames: if number == 0 {
                Vec::new()
            } else {
                site.frames()
            },
            live: site.live(),
            at_peak: site.at_peak(),
        }
    }
}

fn number_of(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

impl Drop for Trace {
    fn drop(&mut self) {
        if self.turn.is_none() {
            return;
        }
        self.state.scope.store(ptr::null_mut(), Release);
        TRACING.set(false);
    }
}

/// Runs `work`; the stacks of what it allocates on this thread end with the frame of the
/// caller, in which the address `mark` lies.
pub(crate) fn with_stacks_from<R>(mark: usize, work: impl FnOnce() -> R) -> R {
    stack::within(mark, work)
}

/// Follows a block that was just allocated in a scope that is traced.
#[inline(never)]
pub(super) fn allocated(block: *mut u8, size: usize) {
    let Some(state) = state() else { return };
    // Of an earlier trace, a thread may be left over.
    let is_followed = |scope: &Record| {
        let own = ledger::current().scope();
        ptr::eq(own, scope) || own.is_within(scope)
    };
    if !state.scope().is_some_and(is_followed) {
        return;
    }
    let registers = Registers::now();
    let mut stack = Stack::new();
    let number = if !state.walker.walk(registers, &mut stack) {
        0
    } else if let Some(number) = state.sites.find(&stack) {
        number
    } else if state.walker.check(registers, &mut stack) {
        state.sites.find_or_add(&stack)
    } else {
        0
    };
    follow(state, block, Entry { site: number, size });
    note_level(state, number, size);
}

fn follow(state: &State, block: *mut u8, entry: Entry) {
    // A number of 0 and a size of 0 would look like no entry at all.
    if shadow::put(block as usize, entry) {
        state
            .sites
            .get(entry.site)
            .allocated(entry.size, sharing(state));
    } else {
        state.lost.fetch_add(1, Relaxed);
    }
}

/// Whether this thread stands in the scope that is traced, and no other does. One that
/// comes later, or went before, is ordered by the count of threads.
#[inline(always)]
fn sharing(state: &State) -> Sharing {
    let is_alone = ledger::is_traced() && state.scope().is_some_and(|scope| scope.threads() == 1);
    if is_alone {
        Sharing::Exclusive
    } else {
        Sharing::Shared
    }
}

/// Notes the sites' shares if this is the peak, and the allocation if it passes the limit.
#[inline(always)]
fn note_level(state: &State, number: u32, size: usize) {
    let peak_at = state.peak_at.load(Relaxed);
    let stop_above = state.stop_above.load(Relaxed);
    if peak_at.min(stop_above) == i64::MAX {
        return;
    }
    let Some(scope) = state.scope() else {
        return;
    };
    let live = scope.counters.live_after(0) + ledger::current().unflushed_bytes();
    if live >= peak_at {
        state.peak_at.store(i64::MAX, Relaxed);
        state.sites.note_peak();
        state.has_peak.store(true, Relaxed);
    }
    if live > stop_above {
        state.stop_above.store(i64::MAX, Relaxed);
        state.stopped_size.store(size, Relaxed);
        state.stopped_live.store(live, Relaxed);
        state.stopped_by.store(number + 1, Release);
    }
}

/// What was known of a block, which is not followed any more.
#[derive(Clone, Copy)]
pub(super) struct Taken(Entry);

/// Stops following a block with this footer, if it was followed.
pub(super) fn take_if_traced(block: *mut u8, owner: u32) -> Option<Taken> {
    let scope = footer::open(owner).and_then(scopes::lookup)?;
    if scope.is_traced() { take(block) } else { None }
}

/// Stops following a block that is about to be freed or moved.
fn take(block: *mut u8) -> Option<Taken> {
    let state = state()?;
    let entry = shadow::take(block as usize)?;
    let site = state.sites.get(entry.site);
    site.freed(entry.size, sharing(state));
    Some(Taken(entry))
}

/// A block that was at `old` and of which `taken` was known is now at `new`, with this
/// footer, or still at `old` if that is null. Where the thread that resized it is not
/// traced, it stays with the site that it had.
#[cold]
#[inline(never)]
pub(super) fn resized(
    old: *mut u8,
    new: *mut u8,
    new_size: usize,
    footer: u32,
    taken: Option<Taken>,
) {
    if new.is_null() {
        if let (Some(state), Some(Taken(entry))) = (state(), taken) {
            follow(state, old, entry);
        }
    } else if footer::open(footer)
        .and_then(scopes::lookup)
        .is_some_and(Record::is_traced)
    {
        if ledger::is_traced() {
            allocated(new, new_size);
        } else if let (Some(state), Some(Taken(Entry { site, .. }))) = (state(), taken) {
            let size = new_size;
            follow(state, new, Entry { site, size });
        }
    }
}
