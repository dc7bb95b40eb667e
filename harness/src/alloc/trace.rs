//! Following blocks to the call stacks that allocated them, while one scope is diagnosed.
//!
//! Nothing of this runs before: a thread that stands in a scope that is traced has a
//! stand-in for its ledger, in which nothing is ever counted, so its allocations come here,
//! and blocks of such a scope carry a footer that no stand-in has. What is needed
//! is made before the first block is followed, and never given back; in a hook there is
//! no lock and no allocation here either. `fast` serves most blocks, and `slow` the others.

// A word is an address here: this is for one processor.
#![allow(clippy::cast_possible_truncation)]

mod fast;
mod recorder;
mod shadow;
mod sites;
mod slow;
mod stack;

use super::scopes::Record;
use super::{ledger, memory};
pub(super) use fast::{allocated, resized, try_freed};
pub(crate) use recorder::Recorder;
use shadow::Entry;
use sites::Sites;
pub(crate) use sites::{Live, Total};
pub(super) use slow::{Resize, freed as freed_slowly};
use stack::Walker;
use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{
    AtomicBool, AtomicI64, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

const _: () = assert!(sites::LIMIT <= shadow::SITE_LIMIT as usize);

/// All that a hook needs.
struct State {
    walker: Walker,
    sites: Sites,
    /// The scope that is traced; null while none is.
    scope: AtomicPtr<Record>,
    /// Whether all scopes are, but for the harness's own.
    is_of_all: AtomicBool,
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
        MODE.fetch_and(!(PEAK | LIMIT), Relaxed);
    }

    fn new() -> Self {
        Self {
            walker: Walker::new(),
            sites: Sites::new(),
            scope: AtomicPtr::new(ptr::null_mut()),
            is_of_all: AtomicBool::new(false),
            peak_at: AtomicI64::new(i64::MAX),
            has_peak: AtomicBool::new(false),
            stop_above: AtomicI64::new(i64::MAX),
            stopped_by: AtomicU32::new(0),
            stopped_size: AtomicUsize::new(0),
            stopped_live: AtomicI64::new(0),
            lost: AtomicU64::new(0),
        }
    }

    /// Whether what threads in this scope allocate is followed.
    fn follows(&self, record: &'static Record) -> bool {
        if self.is_of_all.load(Acquire) {
            return !record.is_own();
        }
        let is_followed = |scope: &Record| ptr::eq(record, scope) || record.is_within(scope);
        self.scope().is_some_and(is_followed)
    }

    /// Whether that is so for as long as the trace lasts, whatever becomes of the scope.
    fn follows_for_good(&self, record: &'static Record) -> bool {
        self.is_of_all.load(Acquire) || ptr::eq(record, self.scope.load(Relaxed))
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

/// Who traces: there is one set of tables. No guard of the lock is kept meanwhile, since a
/// recording may end on another thread than it began on.
static TAKEN: Mutex<Option<By>> = Mutex::new(None);
static IS_FREE: Condvar = Condvar::new();

/// Who has the turn.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    /// A thread, for as long as a scenario runs.
    Thread,
    /// A recording, which may last for hours, and end only after the caller's work.
    Recording,
}

/// The right to trace.
struct Turn(By);

impl Turn {
    fn lock() -> MutexGuard<'static, Option<By>> {
        TAKEN.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until no other thread has the turn. None if this thread is tracing already, or if a
    /// recording has it: that may be this thread's own.
    fn wait() -> Option<Self> {
        if TRACING.get() {
            return None;
        }
        let is_threads = |taken: &mut Option<By>| *taken == Some(By::Thread);
        let taken = IS_FREE.wait_while(Self::lock(), is_threads);
        let turn = Self::take(taken.unwrap_or_else(PoisonError::into_inner), By::Thread)?;
        TRACING.set(true);
        Some(turn)
    }

    /// None if the turn is taken.
    fn take(mut taken: MutexGuard<'static, Option<By>>, by: By) -> Option<Self> {
        if taken.is_some() {
            return None;
        }
        *taken = Some(by);
        Some(Self(by))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if self.0 == By::Thread {
            TRACING.set(false);
        }
        *Self::lock() = None;
        // Those that wait are all threads, and if a recording comes first, none of them waits on.
        IS_FREE.notify_all();
    }
}

thread_local! {
    /// Whether this thread traces already, and would wait for itself.
    static TRACING: Cell<bool> = const { Cell::new(false) };
}

/// The number of the trace, shifted by [`NUMBER_SHIFT`], and below it why the fast paths
/// are not for its blocks; 0 there if they are.
static MODE: AtomicU64 = AtomicU64::new(NOBODY);

/// No scope is followed.
const NOBODY: u64 = 1;
/// The moment of the peak is waited for.
const PEAK: u64 = 2;
/// There is a limit that is not to be passed.
const LIMIT: u64 = 4;
/// Frame pointers were wrong once.
const TABLES: u64 = 8;
const NUMBER_SHIFT: u32 = 4;

/// What followers have as the number of the trace.
fn number_of_trace() -> u64 {
    MODE.load(Relaxed) >> NUMBER_SHIFT << NUMBER_SHIFT
}

/// Whether the whole process is traced, from its start to its end.
static IS_OF_PROCESS: AtomicBool = AtomicBool::new(false);

/// The right to trace one scope, until it is dropped.
pub(crate) struct Trace {
    state: &'static State,
    /// None where the whole process is traced.
    turn: Option<Turn>,
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
    /// Waits for other threads' traces. None if this thread is tracing already, or somebody
    /// records. Allocates outside every scope.
    pub(crate) fn start() -> Option<Self> {
        if let Some(trace) = Self::of_process() {
            trace.state.expect_nothing();
            return Some(trace);
        }
        Turn::wait().map(Self::with)
    }

    /// The same without waiting: none if there is another trace, of the whole process too.
    fn try_start() -> Option<Self> {
        if Self::is_of_process() {
            return None;
        }
        Turn::take(Turn::lock(), By::Recording).map(Self::with)
    }

    fn with(turn: Turn) -> Self {
        let state = state().unwrap_or_else(|| {
            let fresh = Box::leak(Box::new(State::new()));
            STATE.store(fresh, Release);
            fresh
        });
        shadow::clear();
        let next = number_of_trace() + (1 << NUMBER_SHIFT);
        MODE.store(next | NOBODY, Relaxed);
        if !state.walker.has_frame_pointers() {
            MODE.fetch_or(TABLES, Relaxed);
        }
        state.sites.clear();
        state.lost.store(0, Relaxed);
        state.expect_nothing();
        let turn = Some(turn);
        Self { state, turn }
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

    /// Whether call stacks cost little here, since the program has frame pointers.
    // Not needed where tests are not given processes of their own.
    #[allow(dead_code)]
    pub(crate) fn is_cheap() -> bool {
        ledger::learn_bounds();
        stack::frame_pointers_lead_out()
    }

    /// Whether the whole process is traced.
    pub(crate) fn is_of_process() -> bool {
        IS_OF_PROCESS.load(Relaxed)
    }

    /// That of the whole process, if there is one.
    fn of_process() -> Option<Self> {
        let state = state().filter(|_| Self::is_of_process())?;
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
        MODE.fetch_and(!NOBODY, Release);
        scope.set_traced();
        ledger::current().choose_path();
    }

    /// Notes each site's share when the live bytes are `peak_bytes` for the first time.
    pub(crate) fn note_peak_at(&self, peak_bytes: u64) {
        let peak = i64::try_from(peak_bytes).unwrap_or(i64::MAX);
        self.state.peak_at.store(peak, Relaxed);
        MODE.fetch_or(PEAK, Relaxed);
    }

    /// Notes the allocation that takes live bytes above `limit`.
    pub(crate) fn stop_above(&self, limit: u64) {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.state.stop_above.store(limit, Relaxed);
        MODE.fetch_or(LIMIT, Relaxed);
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
    #[cfg_attr(not(highwater_holders), allow(dead_code))]
    pub(crate) fn for_each_block(&self, mut pass_on: impl FnMut(usize, usize, u32)) {
        let count = self.count();
        shadow::for_each(|address, Entry { site, size }| {
            if (site as usize) < count {
                pass_on(address, size, site);
            }
        });
    }

    /// Where this library's own tables are: nobody's memory.
    #[cfg_attr(not(highwater_holders), allow(dead_code))]
    pub(crate) fn own_tables() -> Vec<(usize, usize)> {
        memory::own_tables()
    }

    /// Whether other threads than this one stand in the scope.
    #[cfg_attr(not(highwater_holders), allow(dead_code))]
    pub(crate) fn is_shared(&self) -> bool {
        self.state.scope().is_some_and(|scope| scope.threads() > 1)
    }

    /// How many sites there are.
    pub(crate) fn count(&self) -> usize {
        self.state.sites.count()
    }

    /// What is live of the site with this number, below [`count`](Self::count).
    pub(crate) fn live(&self, number: usize) -> Live {
        self.state.sites.live(number_of(number), number_of_trace())
    }

    /// All that the site with this number, below [`count`](Self::count), allocated.
    pub(crate) fn total(&self, number: usize) -> Total {
        self.state.sites.total(number_of(number), number_of_trace())
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
            live: self.live(number),
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
        MODE.fetch_or(NOBODY, Relaxed);
        self.state.scope.store(ptr::null_mut(), Release);
    }
}

/// Runs `work`; the stacks of what it allocates on this thread end with the frame of the
/// caller, in which the address `mark` lies.
pub(crate) fn with_stacks_from<R>(mark: usize, work: impl FnOnce() -> R) -> R {
    stack::within(mark, work)
}

#[cfg(test)]
mod tests;
