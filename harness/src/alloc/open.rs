//! Scopes as the rest of the crate opens, reads and leaves them.

use super::counters::FLUSH_BYTES;
use super::inner::NOTED_BYTES;
use super::notes::{Noted, Notes};
use super::scopes::{self, OWN, Overruns, ROOT, Record};
use super::stack_depth::MeasuredSteps;
use super::{Totals, Trace, c_heap, fork, ledger, spawn};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// What a scope has counted, read at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) totals: Totals,
    pub(crate) peak_bytes: u64,
    /// The true peak is at most this much above `peak_bytes`.
    pub(crate) peak_error_bytes: u64,
}

/// A scope's place in the table, from its opening to its closing.
#[derive(Clone, Copy)]
pub(crate) struct OpenScope(pub(super) &'static Record);

/// Why a scope could not be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OpenError {
    /// The program's allocations do not come through [`Alloc`].
    NotInstalled,
    /// The thread is ending, or there is no memory for its ledger.
    NoLedger,
    /// [`SCOPE_LIMIT`] scopes are open or own live blocks.
    TooManyScopes,
}

/// Whether the program's allocations come through [`Alloc`]. Proved by one that is
/// counted, for the harness itself: a ledger alone is no proof, since threads that are
/// started get one, and so does whoever uses another [`Alloc`] by hand.
pub(super) fn is_installed() -> bool {
    static PROVED: AtomicBool = AtomicBool::new(false);
    if !PROVED.load(Relaxed) {
        let is_counted = unscoped(|| {
            // By this, the allocator beneath is noted.
            c_heap::probe(|| drop(std::hint::black_box(Box::new([0_u8; NOTED_BYTES]))));
            let before = ledger::current().blocks();
            let block = std::hint::black_box(Box::new(0_u8));
            // A thread that is ending counts past its ledger.
            let is_counted = ledger::current().blocks() != before || ledger::current().is_spill();
            drop(block);
            is_counted
        });
        c_heap::begin(is_counted);
        PROVED.store(is_counted, Relaxed);
    }
    PROVED.load(Relaxed)
}

/// From now on the root counts the whole process: what any thread allocates, whoever
/// started it and wherever it stands, but for the harness's own notes. This thread stands
/// there. Threads that are there already, which are a test runner's, count for the harness.
// Not needed where tests are not given processes of their own.
#[allow(dead_code)]
pub(crate) fn watch_whole_process() {
    scopes::count_all_in_root();
    ledger::current().switch_to(&ROOT);
    ledger::leave_to_harness();
}

/// Whether the root counts the whole process.
pub(crate) fn is_whole_process() -> bool {
    scopes::root_counts_all()
}

impl OpenScope {
    /// Opens a scope inside the current one and puts this thread into it.
    pub(crate) fn enter(name: &str) -> Result<Self, OpenError> {
        if !is_installed() {
            return Err(OpenError::NotInstalled);
        }
        Self::open(name)
    }

    /// The same, whichever allocator the program has.
    pub(super) fn open(name: &str) -> Result<Self, OpenError> {
        let ledger = ledger::current();
        if ledger.is_spill() {
            return Err(OpenError::NoLedger);
        }
        fork::prepare();
        spawn::learn();
        let record = scopes::open(name, ledger.scope()).ok_or(OpenError::TooManyScopes)?;
        ledger.switch_to(record);
        Ok(Self(record))
    }

    /// Ends the scope. A thread that stands in it goes back to the nearest
    /// enclosing scope that is still open; one that has already entered another
    /// stays there.
    pub(crate) fn leave(self) {
        let ledger = ledger::current();
        scopes::close(self.0);
        ledger.switch_to(ledger::nearest_open(ledger.scope()));
    }

    /// Follows its blocks to their sites; the calling thread stands in it.
    pub(crate) fn follow(self, trace: &Trace) {
        trace.follow(self.0);
    }

    /// From now on allocations in it are noted; the calling thread stands in it.
    pub(crate) fn note_allocations(self) {
        unscoped(|| self.0.note_allocations());
        ledger::current().choose_path();
    }

    /// What was noted; none if nothing was allocated. Allocates.
    pub(crate) fn noted(self) -> Option<Noted> {
        self.0.notes().and_then(Notes::read)
    }

    /// Measures the stack of steps in it: see [`MeasuredSteps::begin`].
    pub(crate) fn measure_stack(
        self,
        nothing: impl FnOnce(&MeasuredSteps),
    ) -> Result<MeasuredSteps, &'static str> {
        MeasuredSteps::begin(self.0, nothing)
    }

    pub(crate) fn name(self) -> String {
        self.0.name()
    }

    pub(crate) fn overruns(self) -> Option<Overruns> {
        self.0.overruns()
    }

    /// How many of its blocks were found damaged so far.
    pub(crate) fn overrun_count(self) -> u64 {
        self.0.overrun_count()
    }

    /// How many threads stand in the scope beside the calling one; none where
    /// threads are not followed.
    pub(crate) fn other_threads(self) -> Option<u64> {
        spawn::FOLLOWS_THREADS.then(|| u64::from(self.0.threads()).saturating_sub(1))
    }

    /// From now on allocations of a page or more that would take the live bytes above
    /// `limit` fail, and the first that takes them above `budget` is noted; neither if they
    /// are 0. Returns both as they were.
    pub(crate) fn refuse_above(self, budget: u64, limit: u64) -> (u64, u64) {
        self.0.set_limits(budget, limit)
    }

    /// Live bytes and blocks now, the cheap way.
    pub(crate) fn live(self) -> (u64, u64) {
        let totals = ledger::totals_of(self.0);
        (
            at_least_zero(totals.live_bytes),
            at_least_zero(totals.live_blocks()),
        )
    }

    /// The maximum of the live bytes, but for what threads have not flushed.
    pub(crate) fn flushed_peak_bytes(self) -> u64 {
        at_least_zero(self.0.peak_bytes())
    }

    /// All figures now. Exact for everything that happened before the call in
    /// this thread, or in one that this thread has waited for.
    pub(crate) fn read(self) -> Reading {
        ledger::current().flush();
        let totals = ledger::totals_of(self.0);
        let threads = u64::from(self.0.most_threads());
        let peak = self.0.peak_bytes().max(totals.live_bytes);
        let of_threads = if threads <= 1 {
            0
        } else {
            threads * FLUSH_BYTES.unsigned_abs()
        };
        let of_frees = self.0.peak_bound().saturating_sub(peak);
        Reading {
            totals,
            peak_bytes: at_least_zero(peak),
            peak_error_bytes: at_least_zero(of_frees).max(of_threads),
        }
    }

    /// The whole process, where that [is counted](watch_whole_process).
    pub(crate) fn whole_process() -> Result<Self, OpenError> {
        if !is_installed() {
            return Err(OpenError::NotInstalled);
        }
        spawn::learn();
        Ok(Self(&ROOT))
    }

    /// From now on the peak is that of what follows. Returns the figures now.
    pub(crate) fn restart_peak(self) -> Reading {
        ledger::current().flush();
        ledger::restart_peaks(self.0);
        self.0.restart_peak(ledger::totals_of(self.0).live_bytes);
        self.read()
    }

    /// How many of its blocks were freed by threads outside of it, and how many blocks of
    /// others by threads inside.
    pub(crate) fn cross_frees(self) -> (u64, u64) {
        self.0.cross_frees()
    }

    /// How many blocks went between it and a scope beside it.
    pub(crate) fn exchanged(self) -> u64 {
        self.0.exchanged()
    }

    /// The threads that are in it now.
    pub(crate) fn threads(self) -> u32 {
        self.0.threads()
    }

    /// The most threads that were in it at one time, since its peak was restarted.
    pub(crate) fn most_threads(self) -> u64 {
        u64::from(self.0.most_threads())
    }
}

/// Live figures are below zero only while other threads are in the middle of
/// reporting theirs.
pub(super) fn at_least_zero(figure: i64) -> u64 {
    u64::try_from(figure).unwrap_or(0)
}

/// A scope that can be reached from any thread, also after it ended.
pub(crate) struct HeldScope(OpenScope);

impl HeldScope {
    pub(crate) fn new(scope: OpenScope) -> Self {
        scope.0.hold();
        Self(scope)
    }

    pub(crate) fn scope(&self) -> OpenScope {
        self.0
    }

    /// Runs `work` with this thread standing in the scope, even if that has ended.
    pub(crate) fn run<R>(&self, work: impl FnOnce() -> R) -> R {
        standing_in(self.0.0, work)
    }
}

impl Drop for HeldScope {
    fn drop(&mut self) {
        self.0.0.release();
    }
}

/// Whether this thread stands in a scope.
pub(crate) fn is_in_scope() -> bool {
    ledger::is_attached() && !ledger::current().scope().is_root()
}

/// Runs `work` with its allocations counted for the harness, and for nobody else.
pub(crate) fn unscoped<R>(work: impl FnOnce() -> R) -> R {
    standing_in(&OWN, work)
}

/// Runs `work` with this thread standing in `scope`, and puts the thread back
/// afterwards, also when `work` unwinds.
fn standing_in<R>(scope: &'static Record, work: impl FnOnce() -> R) -> R {
    struct Back(&'static Record, Option<&'static Record>);
    impl Drop for Back {
        fn drop(&mut self) {
            ledger::hold_in(self.1);
            ledger::current().switch_to(self.0);
            self.0.release();
        }
    }
    let ledger = ledger::current();
    let before = ledger.scope();
    // Meanwhile no thread may stand in it.
    before.hold();
    let _back = Back(before, ledger::hold_in(Some(scope)));
    ledger.switch_to(scope);
    work()
}
