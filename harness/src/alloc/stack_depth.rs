//! How much stack the steps of a scenario use, on its own thread and on those that they start.
//!
//! Stack that nobody uses yet is filled with a pattern, and later read from its far end up to the
//! first word that is another. A started thread is painted before its routine and read when it
//! ends, or from outside at the end of the steps.
//!
//! On the scenario's own thread the harness works between the steps. So that this is not taken
//! for theirs, they run on the same stack further down: from [`APART`] bytes below, at the start
//! of a page. What the harness needs lies above, one painting serves all steps, and where the
//! stack happens to begin changes nothing. A few lines of assembly move the stack pointer there
//! for each step and back.

mod paint;

use super::c_heap;
use super::memory;
use super::scopes::Record;
use super::thread_key::ThreadKey;
use libc::c_void;
pub(in crate::alloc) use paint::stack_pointer;
use paint::{PAGE, call_at, first_used, paint, reach};
use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{
    AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release, SeqCst},
};

/// Below its caller the harness needs less than this between two steps.
const APART: usize = 64 << 10;

/// Of a larger stack no more is painted.
const MOST_PAINTED: usize = 8 << 20;

/// With less room below a step it is not measured.
const LEAST_ROOM: usize = 32 << 10;

/// The most that was used of a stack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct StackDepth {
    pub(crate) bytes: u64,
    /// Whether it may be more: all that was painted was used, or a thread was not followed.
    pub(crate) is_least: bool,
}

impl StackDepth {
    fn max(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.max(other.bytes),
            is_least: self.is_least || other.is_least,
        }
    }
}

/// Where threads that are started in a scope bring what they used.
struct Meter {
    /// Null if it is free; itself no scope as long as it is being taken.
    scope: AtomicPtr<Record>,
    /// The number of the scenario that has it, then whether the depth is the least, then the
    /// depth; so a thread that outlives its scenario changes no other one's.
    found: AtomicU64,
}

const RUN_SHIFT: u32 = 48;
const LEAST: u64 = 1 << 47;

static METERS: [Meter; 64] = [const {
    Meter {
        scope: AtomicPtr::new(ptr::null_mut()),
        found: AtomicU64::new(0),
    }
}; 64];

/// How many meters are taken: where none is, threads are started as ever.
static TAKEN: AtomicU32 = AtomicU32::new(0);

impl Meter {
    fn run(&self) -> u64 {
        self.found.load(Acquire) >> RUN_SHIFT
    }

    fn note(&self, run: u64, depth: StackDepth) {
        // Fails where the scenario is over.
        let _ = self.found.fetch_update(Relaxed, Relaxed, |known| {
            let bytes = depth.bytes.max(known & (LEAST - 1)).min(LEAST - 1);
            let least = (known & LEAST) | if depth.is_least { LEAST } else { 0 };
            (known >> RUN_SHIFT == run).then_some(run << RUN_SHIFT | least | bytes)
        });
    }

    /// The one of the innermost scope around, if any is measured.
    fn of(scope: &'static Record) -> Option<&'static Self> {
        if TAKEN.load(Relaxed) == 0 {
            return None;
        }
        scope.chain().find_map(|record| {
            let is_its = |meter: &&Self| ptr::eq(meter.scope.load(Acquire), record);
            METERS.iter().find(is_its)
        })
    }
}

/// A thread that a step started.
pub(in crate::alloc) struct Thread {
    state: AtomicU8,
    meter: AtomicUsize,
    run: AtomicU64,
    /// What is painted, from its far end to where it began.
    low: AtomicUsize,
    base: AtomicUsize,
}

const FREE: u8 = 0;
/// It is being started.
const STARTING: u8 = 1;
const RUNNING: u8 = 2;
/// Its stack is being read, and must stay.
const BEING_READ: u8 = 3;

static THREADS: [Thread; 1_024] = [const {
    Thread {
        state: AtomicU8::new(FREE),
        meter: AtomicUsize::new(0),
        run: AtomicU64::new(0),
        low: AtomicUsize::new(0),
        base: AtomicUsize::new(0),
    }
}; 1_024];

thread_local! {
    /// Whether this thread is painted.
    static IS_MEASURED: Cell<bool> = const { Cell::new(false) };
}

impl Thread {
    /// A place for a thread that is started in this scope, if it is to be measured.
    pub(in crate::alloc) fn of(scope: &'static Record) -> Option<&'static Self> {
        let meter = Meter::of(scope)?;
        let run = meter.run();
        let take = |thread: &&Self| {
            let taken = (thread.state).compare_exchange(FREE, STARTING, Acquire, Relaxed);
            taken.is_ok()
        };
        let Some(thread) = THREADS.iter().find(take) else {
            meter.note(run, NOT_FOLLOWED);
            return None;
        };
        let place = METERS.iter().position(|known| ptr::eq(known, meter));
        thread.meter.store(place.unwrap_or(0), Relaxed);
        thread.run.store(run, Relaxed);
        Some(thread)
    }

    /// Paints the stack of this thread, which begins at `base`.
    pub(in crate::alloc) fn begin(&'static self, base: usize) {
        // What the key allocates in C is not the program's.
        let will_tell = || c_heap::uncounted(|| KEY.set(self));
        let lowest = paint::lowest().filter(|_| will_tell());
        let Some(lowest) = lowest else {
            self.meter().note(self.run.load(Relaxed), NOT_FOLLOWED);
            self.give_back();
            return;
        };
        IS_MEASURED.set(true);
        let low = lowest.max(base.saturating_sub(MOST_PAINTED));
        paint(low, usize::MAX);
        self.low.store(low, Relaxed);
        self.base.store(base, Relaxed);
        self.state.store(RUNNING, Release);
    }

    /// No thread came of it, or it is none of the scenario's any more.
    pub(in crate::alloc) fn give_back(&self) {
        self.state.store(FREE, Release);
    }

    fn meter(&self) -> &'static Meter {
        &METERS[self.meter.load(Relaxed)]
    }

    /// Tells the meter how much was used, as long as the stack is there: by the thread itself
    /// or, if it goes on, by another.
    fn read(&self, then: u8) {
        while let Err(state) = (self.state).compare_exchange(RUNNING, BEING_READ, Acquire, Relaxed)
        {
            if state != BEING_READ {
                return;
            }
            std::thread::yield_now();
        }
        let (low, base) = (self.low.load(Relaxed), self.base.load(Relaxed));
        self.meter().note(self.run.load(Relaxed), used(low, base));
        self.state.store(then, Release);
    }
}

const NOT_FOLLOWED: StackDepth = StackDepth {
    bytes: 0,
    is_least: true,
};

/// Has [`thread_ends`] called with a place when the thread ends, however it does.
static KEY: ThreadKey = ThreadKey::new(thread_ends);

unsafe extern "C" fn thread_ends(thread: *mut c_void) {
    // SAFETY: the key is set to places in the table, which stay.
    let thread = unsafe { &*thread.cast::<Thread>() };
    thread.read(FREE);
}

/// In the child after a fork only this thread is left, and its parent's scenario is.
pub(in crate::alloc) fn forked() {
    for thread in &THREADS {
        thread.give_back();
    }
}

/// The steps of a scenario that are measured, on this thread.
pub(crate) struct MeasuredSteps {
    meter: &'static Meter,
    run: u64,
    low: usize,
    /// Where steps begin.
    base: usize,
    /// What is used for a step that does nothing.
    least: Cell<u64>,
    /// How far below `base` the function of a step has its frame.
    begins: Cell<u64>,
}

impl MeasuredSteps {
    /// Paints the stack. Threads that are started in this scope are measured from now on.
    /// `nothing` runs a step that does nothing but [`mark`](Self::mark).
    ///
    /// # Errors
    /// Why that is not possible, in words.
    pub(super) fn begin(
        record: &'static Record,
        nothing: impl FnOnce(&Self),
    ) -> Result<Self, &'static str> {
        if IS_MEASURED.get() {
            return Err("not measured: it runs in a step of another scenario, whose stack is");
        }
        let lowest = paint::lowest().ok_or("not measured: the system does not say where it is")?;
        let base = (stack_pointer().saturating_sub(APART)) & !(PAGE - 1);
        let low = lowest.max(base.saturating_sub(MOST_PAINTED));
        if base.saturating_sub(low) < LEAST_ROOM {
            return Err("not measured: the thread's stack has too little room");
        }
        let take = |meter: &&Meter| {
            let of_nobody = ptr::null_mut();
            let scope = ptr::from_ref(record).cast_mut();
            (meter.scope)
                .compare_exchange(of_nobody, scope, SeqCst, Relaxed)
                .is_ok()
        };
        let meter = METERS.iter().find(take);
        let meter = meter.ok_or("not measured: too many scenarios are at the same time")?;
        TAKEN.fetch_add(1, SeqCst);
        if memory::is_main_thread() {
            reach(low);
        }
        IS_MEASURED.set(true);
        let steps = Self {
            meter,
            run: meter.run(),
            low,
            base,
            least: Cell::new(0),
            begins: Cell::new(0),
        };
        paint(low, base);
        nothing(&steps);
        let first = first_used(low, base);
        steps.least.set((base - first) as u64);
        paint(first, base);
        Ok(steps)
    }

    /// A step begins where this is called.
    #[inline(always)]
    pub(crate) fn mark(&self) {
        self.begins.set((self.base - stack_pointer()) as u64);
    }

    /// Runs a step.
    pub(crate) fn run<F: FnOnce()>(&self, step: F) {
        extern "C-unwind" fn call<F: FnOnce()>(step: *mut c_void) {
            // SAFETY: it is the step below, which is there once.
            if let Some(step) = unsafe { (*step.cast::<Option<F>>()).take() } {
                step();
            }
        }

        let mut step = Some(step);
        // Never, for it is called from where it was begun.
        if stack_pointer() <= self.base {
            return step.into_iter().for_each(|step| step());
        }
        // SAFETY: from `base` down to `low` is stack of this thread, aligned, which nothing uses
        // that is above; `call` gets the step that it is for.
        unsafe { call_at((&raw mut step).cast(), call::<F>, self.base) };
    }

    /// The most that a step used, on this thread or another.
    pub(crate) fn end(self) -> StackDepth {
        let (meter, run) = (self.meter, self.run);
        for thread in THREADS.iter().filter(|thread| {
            let is_its = ptr::eq(thread.meter(), meter) && thread.run.load(Relaxed) == run;
            is_its && thread.state.load(Acquire) != FREE
        }) {
            thread.read(RUNNING);
        }
        let own = used(self.low, self.base);
        let found = meter.found.load(Relaxed);
        let threads = StackDepth {
            bytes: found & (LEAST - 1),
            is_least: found & LEAST != 0,
        };
        let of_step = if own.bytes > self.least.get() {
            own.bytes - self.begins.get()
        } else {
            0
        };
        let own = StackDepth {
            bytes: of_step,
            ..own
        };
        own.max(threads)
    }
}

impl Drop for MeasuredSteps {
    fn drop(&mut self) {
        IS_MEASURED.set(false);
        // Threads of this run change nothing from here on.
        let next = self.run.wrapping_add(1) << RUN_SHIFT;
        self.meter.found.store(next, SeqCst);
        self.meter.scope.store(ptr::null_mut(), SeqCst);
        TAKEN.fetch_sub(1, SeqCst);
    }
}

/// How much is used of what was painted from `low` to `base`.
fn used(low: usize, base: usize) -> StackDepth {
    let first = first_used(low, base);
    StackDepth {
        bytes: (base - first) as u64,
        is_least: first == low,
    }
}

#[cfg(test)]
mod tests;
