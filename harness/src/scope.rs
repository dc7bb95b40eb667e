//! [`Scope`]: a stretch of work whose allocations are counted separately.
//!
//! A block belongs to the scope in which it was allocated. Its free is credited to that scope,
//! whenever and wherever it happens. So tests that run side by side do not affect each other,
//! and freeing memory from outside never hides a leak inside.

mod assertion;
#[cfg(feature = "criterion")]
mod benchmark;
mod futures;
pub(crate) mod panics;
mod usage;

use crate::alloc::{
    self, Elsewhere, HeldScope, MeasuredSteps, Noted, OpenError, OpenScope, Reading, SCOPE_LIMIT,
    Seen, Trace,
};
pub use assertion::assert_no_allocation;
#[cfg(feature = "criterion")]
pub use benchmark::Allocated;
pub use futures::{InScope, Scoped, measure_async};
use std::fmt;
use std::marker::PhantomData;
pub use usage::Usage;

/// A guard: what this thread allocates until the guard is dropped belongs to
/// the scope.
///
/// Scopes nest: an inner scope counts towards those around it. Guards may be
/// dropped in any order. A guard stays on the thread that made it.
///
/// ```
/// # #[global_allocator]
/// # static ALLOC: highwater::Alloc = highwater::Alloc::system();
/// let scope = highwater::Scope::enter("parse");
/// let text = String::from("four");
/// assert_eq!(scope.usage().live_bytes, 4);
/// drop(text);
/// assert_eq!(scope.usage().live_bytes, 0);
/// assert_eq!(scope.usage().peak_bytes, 4);
/// ```
#[must_use = "the scope ends when the guard is dropped"]
pub struct Scope {
    open: OpenScope,
    /// False for the whole process, which nobody leaves.
    was_entered: bool,
    /// The guard puts its own thread back, so it must not move to another.
    _not_send: PhantomData<*const ()>,
}

impl Scope {
    /// Starts a scope inside the current one. The name (its first 60 bytes are
    /// kept) appears in messages.
    ///
    /// # Panics
    /// If no [`Alloc`](crate::Alloc) is installed as the global allocator, with
    /// the lines to add; if the thread is ending; or if 1,048,576 scopes are
    /// open or own blocks that were never freed.
    #[track_caller]
    pub fn enter(name: &str) -> Self {
        Self::of(OpenScope::enter(name), true)
    }

    /// The scope of a run: the whole process where that is the run's own.
    #[track_caller]
    pub(crate) fn of_run(name: &str) -> Self {
        if alloc::is_whole_process() {
            Self::of(OpenScope::whole_process(), false)
        } else {
            Self::enter(name)
        }
    }

    #[track_caller]
    fn of(open: Result<OpenScope, OpenError>, was_entered: bool) -> Self {
        match open {
            Ok(open) => Self {
                open,
                was_entered,
                _not_send: PhantomData,
            },
            Err(error) => panic!("{error}"),
        }
    }

    /// What the scope and those inside it have used so far.
    ///
    /// Exact for all that this thread did, and all that other threads did before
    /// this one waited for them.
    pub fn usage(&self) -> Usage {
        Usage::new(&self.open.read(), self.open.overruns().as_ref())
    }

    /// A handle with which other threads can work in this scope.
    pub fn handle(&self) -> ScopeHandle {
        ScopeHandle(HeldScope::new(self.open))
    }

    /// The figures without those that need formatting.
    pub(crate) fn read(&self) -> Reading {
        self.open.read()
    }

    /// The peak, but for what threads have not told yet.
    pub(crate) fn flushed_peak_bytes(&self) -> u64 {
        self.open.flushed_peak_bytes()
    }

    /// Threads in the scope beside this one; none where they are untracked.
    pub(crate) fn other_threads(&self) -> Option<u64> {
        self.open.other_threads()
    }

    /// From now on large allocations that would take live bytes above `limit` fail, and
    /// what takes them above `budget` is noted; 0 is none. Returns both as they were.
    pub(crate) fn refuse_above(&self, budget: u64, limit: u64) -> (u64, u64) {
        self.open.refuse_above(budget, limit)
    }

    /// From now on the peak is that of what follows. Returns the figures now.
    pub(crate) fn restart_peak(&self) -> Reading {
        self.open.restart_peak()
    }

    /// The threads in it now.
    pub(crate) fn threads(&self) -> u32 {
        self.open.threads()
    }

    /// The most threads in it at one time, since the peak was restarted.
    pub(crate) fn most_threads(&self) -> u64 {
        self.open.most_threads()
    }

    /// Blocks of it that were freed outside, and of others that were freed inside.
    pub(crate) fn cross_frees(&self) -> (u64, u64) {
        self.open.cross_frees()
    }

    /// Blocks that went between it and a scope beside it.
    pub(crate) fn exchanged(&self) -> u64 {
        self.open.exchanged()
    }

    /// What is live outside of it, but in scopes beside it; none for the whole process.
    pub(crate) fn elsewhere(&self) -> Option<Elsewhere> {
        self.open.elsewhere()
    }

    /// The other threads that stand in it.
    pub(crate) fn threads_inside(&self) -> Vec<Seen> {
        self.open.threads_inside()
    }

    /// The threads that stand outside of it, but for those of other tests.
    pub(crate) fn threads_outside(&self) -> Vec<Seen> {
        self.open.threads_outside()
    }

    pub(crate) fn overrun_count(&self) -> u64 {
        self.open.overrun_count()
    }

    /// From now on blocks of this scope are tracked to their sites.
    pub(crate) fn follow(&self, trace: &Trace) {
        self.open.follow(trace);
    }

    /// Measures the stack of steps in it: see [`MeasuredSteps`].
    pub(crate) fn measure_stack(
        &self,
        nothing: impl FnOnce(&MeasuredSteps),
    ) -> Result<MeasuredSteps, &'static str> {
        self.open.measure_stack(nothing)
    }

    /// From now on allocations in it are noted; this thread stands in it.
    pub(crate) fn note_allocations(&self) {
        self.open.note_allocations();
    }

    /// What was noted; none if nothing was allocated.
    fn noted(&self) -> Option<Noted> {
        self.open.noted()
    }

    /// Live bytes and blocks now.
    pub(crate) fn live(&self) -> (u64, u64) {
        self.open.live()
    }

    /// Damaged blocks that were freed in this scope.
    pub(crate) fn overruns(&self) -> Option<crate::alloc::Overruns> {
        self.open.overruns()
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        if self.was_entered {
            self.open.leave();
        }
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope")
            .field("name", &self.open.name())
            .finish_non_exhaustive()
    }
}

/// A scope for work that other threads do, and for reading its figures after it
/// ended.
///
/// Threads that are started inside a scope belong to it by themselves (Linux with
/// glibc). A handle is for threads that were there before, such as those of a
/// shared pool, and for other systems.
///
/// ```
/// # #[global_allocator]
/// # static ALLOC: highwater::Alloc = highwater::Alloc::system();
/// let (send, jobs) = std::sync::mpsc::channel::<Box<dyn FnOnce() + Send>>();
/// let pool = std::thread::spawn(move || jobs.into_iter().for_each(|job| job()));
///
/// let scope = highwater::Scope::enter("job");
/// let handle = scope.handle();
/// let (answer, answers) = std::sync::mpsc::channel();
/// send.send(Box::new(move || {
///     answer.send(handle.in_scope(|| vec![0_u8; 1_000_000])).unwrap();
/// })).unwrap();
/// let bytes = answers.recv().unwrap();
/// assert!(scope.usage().live_bytes >= 1_000_000);
/// # drop((send, bytes));
/// # pool.join().unwrap();
/// ```
pub struct ScopeHandle(HeldScope);

impl ScopeHandle {
    /// Runs `work` with the current thread in the scope, and puts the thread back into its
    /// own scope afterwards, also if `work` panics.
    pub fn in_scope<R>(&self, work: impl FnOnce() -> R) -> R {
        self.0.run(work)
    }

    /// What the scope and those inside it have used so far, also after its guard
    /// was dropped. Exact as [`Scope::usage`] is.
    pub fn usage(&self) -> Usage {
        let scope = self.0.scope();
        Usage::new(&scope.read(), scope.overruns().as_ref())
    }
}

impl Clone for ScopeHandle {
    fn clone(&self) -> Self {
        Self(HeldScope::new(self.0.scope()))
    }
}

impl From<&Scope> for ScopeHandle {
    fn from(scope: &Scope) -> Self {
        scope.handle()
    }
}

impl From<&ScopeHandle> for ScopeHandle {
    fn from(handle: &ScopeHandle) -> Self {
        handle.clone()
    }
}

impl fmt::Debug for ScopeHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopeHandle")
            .field("name", &self.0.scope().name())
            .finish_non_exhaustive()
    }
}

/// Runs `work` in a scope of its own and returns what it used.
///
/// Live bytes are those of the value that is returned, and of anything that
/// `work` left behind elsewhere. What the first use of a static or a
/// thread-local allocates is counted too: call `work` once before to leave that
/// out.
///
/// ```
/// # #[global_allocator]
/// # static ALLOC: highwater::Alloc = highwater::Alloc::system();
/// let (squares, usage) = highwater::measure(|| (0..100_u64).map(|n| n * n).collect::<Vec<_>>());
/// assert_eq!(usage.live_bytes, 800);
/// assert_eq!(usage.total_blocks, 1);
/// # drop(squares);
/// ```
///
/// # Panics
/// As [`Scope::enter`] does, and if `work` panics.
#[track_caller]
pub fn measure<T>(work: impl FnOnce() -> T) -> (T, Usage) {
    let scope = Scope::enter("measure");
    let value = work();
    let usage = scope.usage();
    (value, usage)
}

/// Live bytes and blocks of the whole process, in scopes and outside; none if no
/// [`Alloc`](crate::Alloc) is installed. For the crate `highwater-monitor`.
#[doc(hidden)]
pub fn live_in_process() -> Option<(u64, u64)> {
    alloc::live_in_process()
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotInstalled => f.write_str(
                "highwater: nothing can be measured, because the counting allocator is not \
                 installed.\n\nAdd these two lines to the test file or the program:\n\n    \
                 #[global_allocator]\n    \
                 static ALLOC: highwater::Alloc = highwater::Alloc::system();\n",
            ),
            Self::NoLedger => f.write_str(
                "highwater: nothing can be measured in this thread, because it is ending or there \
                 is no memory left to count its allocations.",
            ),
            Self::TooManyScopes => write!(
                f,
                "highwater: no scope can be opened, because {SCOPE_LIMIT} scopes are open or own \
                 blocks that were never freed.\n\nOpen fewer scopes in one process, or free what \
                 is allocated in them.",
            ),
        }
    }
}
