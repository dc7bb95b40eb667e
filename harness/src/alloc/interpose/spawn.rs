//! Threads that are started inside a scope belong to it.
//!
//! On Linux threads of a process, whether std, a runtime or a C library starts them,
//! come from the symbols `pthread_create` and, rarely, C11's `thrd_create`. Those
//! defined here stand before libc's in the finished program, also for libraries that
//! are loaded later: they hand the scope of the starting thread to the new one, and
//! leave the rest to libc. In a program that libc is linked into (`+crt-static`) there
//! is no libc behind ours, and without the feature `threads` something else may want
//! these symbols; there and on other systems new threads stand outside every scope. So
//! do those that a program starts by the system call `clone` itself.
//!
//! One thing in a new thread is not the scope's: std enters it in a list of all
//! threads, for its message about overflown stacks, and now and then that list
//! needs a block that others will use as well. Std does so between its calls of
//! `pthread_getattr_np` and of `sigaltstack`, so these two are defined here too:
//! between them a thread of std's stands outside every scope. Both do nothing
//! but pass the call on at any other time. Where the program handles no overflown
//! stacks, std calls neither; then any other caller must not be taken for std. So one
//! thread is started to learn by what std does.

use super::next::Next;
use super::random::{self, Randomness};
use crate::alloc::c_heap;
use crate::alloc::ledger;
use crate::alloc::memory;
use crate::alloc::scopes::{self, OWN, Record};
use crate::alloc::stack_depth;
use libc::{c_int, c_void, pthread_attr_t, pthread_t, stack_t};
use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{
    AtomicPtr, AtomicU8,
    Ordering::{Acquire, Relaxed, Release},
};

pub(in crate::alloc) const FOLLOWS_THREADS: bool = true;

/// What a thread runs. May unwind: `pthread_exit` in it does.
type Routine<R> = extern "C-unwind" fn(*mut c_void) -> R;

/// What a new thread is told before it starts its own routine.
struct Handover<R> {
    routine: Routine<R>,
    argument: *mut c_void,
    scope: &'static Record,
    /// Whether the thread that runs `main` started it.
    is_of_main: bool,
    randomness: Option<Randomness>,
    /// Where it tells how much stack it used, if that is measured.
    stack: Option<&'static stack_depth::Thread>,
    /// Whether it is the thread to learn by.
    is_sample: bool,
}

/// Starts a thread in the scope of the current one.
///
/// # Safety
/// As for libc's function of that name.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn pthread_create(
    thread: *mut pthread_t,
    attributes: *const pthread_attr_t,
    routine: Routine<*mut c_void>,
    argument: *mut c_void,
) -> c_int {
    type Function = unsafe extern "C" fn(
        *mut pthread_t,
        *const pthread_attr_t,
        Routine<*mut c_void>,
        *mut c_void,
    ) -> c_int;
    static NEXT: Next = Next::new(c"pthread_create");
    // SAFETY: this is the function's signature in every libc on Linux.
    let Some(create) = (unsafe { NEXT.function::<Option<Function>>() }) else {
        return libc::EAGAIN;
    };
    if !is_handed_over() {
        // SAFETY: the caller's promises are passed on.
        return c_heap::uncounted(|| unsafe { create(thread, attributes, routine, argument) });
    }
    hand_over(routine, argument, libc::EAGAIN, |routine, handover| {
        // SAFETY: the caller's promises are passed on; the routine takes the handover.
        unsafe { create(thread, attributes, routine, handover) }
    })
}

/// The same in C11: another type of routine, and other numbers for errors.
///
/// # Safety
/// As for libc's function of that name.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn thrd_create(
    thread: *mut pthread_t,
    routine: Routine<c_int>,
    argument: *mut c_void,
) -> c_int {
    type Function = unsafe extern "C" fn(*mut pthread_t, Routine<c_int>, *mut c_void) -> c_int;
    const THRD_ERROR: c_int = 2;
    const THRD_NOMEM: c_int = 3;
    static NEXT: Next = Next::new(c"thrd_create");
    // SAFETY: this is the function's signature in glibc.
    let Some(create) = (unsafe { NEXT.function::<Option<Function>>() }) else {
        return THRD_ERROR;
    };
    if !is_handed_over() {
        // SAFETY: the caller's promises are passed on.
        return c_heap::uncounted(|| unsafe { create(thread, routine, argument) });
    }
    hand_over(routine, argument, THRD_NOMEM, |routine, handover| {
        // SAFETY: the caller's promises are passed on; the routine takes the handover.
        unsafe { create(thread, routine, handover) }
    })
}

/// Whether there is anything to tell a thread that this one starts.
fn is_handed_over() -> bool {
    memory::is_main_thread()
        || scopes::root_counts_all()
        || !ledger::current().scope().is_root()
        || random::is_answered_here()
        || IS_LEARNING.get()
}

/// Has `create` start a thread that runs `routine` in this thread's scope.
fn hand_over<R>(
    routine: Routine<R>,
    argument: *mut c_void,
    no_memory: c_int,
    create: impl FnOnce(Routine<R>, *mut c_void) -> c_int,
) -> c_int {
    // From libc, so that it is counted nowhere.
    //
    // SAFETY: the size is not zero.
    let handover = c_heap::uncounted(|| unsafe { libc::malloc(size_of::<Handover<R>>()) });
    let handover: *mut Handover<R> = handover.cast();
    if handover.is_null() {
        return no_memory;
    }
    let scope = ledger::nearest_open(ledger::current().scope());
    let is_sample = IS_LEARNING.get();
    let stack = stack_depth::Thread::of(scope);
    // SAFETY: `malloc` gave enough room, aligned for anything.
    unsafe {
        handover.write(Handover {
            routine,
            argument,
            scope,
            is_of_main: memory::is_main_thread(),
            // The sample is nobody's thread, and whose it is differs.
            randomness: (!is_sample).then(Randomness::of_new_thread).flatten(),
            stack,
            is_sample,
        });
    }
    // Here already, so that the record is not used again before the thread
    // stands in it.
    scope.thread_starts();
    let result = c_heap::uncounted(|| create(in_scope::<R>, handover.cast()));
    if result != 0 {
        scope.thread_ends();
        stack.inspect(|stack| stack.give_back());
        // SAFETY: no thread was started, so the handover is still ours.
        unsafe { libc::free(handover.cast()) };
    }
    result
}

/// What a new thread runs: its own routine, in the scope that it was started in.
extern "C-unwind" fn in_scope<R>(handover: *mut c_void) -> R {
    let base = stack_depth::stack_pointer();
    // SAFETY: `hand_over` wrote it for this thread alone, which frees it.
    let told = unsafe {
        let told = handover.cast::<Handover<R>>().read();
        libc::free(handover);
        told
    };
    ledger::start_in(told.scope, told.is_of_main);
    if let Some(stack) = told.stack {
        stack.begin(base);
    }
    if let Some(randomness) = told.randomness {
        randomness.take();
    }
    let routine = told.routine as *mut c_void;
    if told.is_sample {
        SAMPLE_ROUTINE.store(routine, Relaxed);
    }
    if told.is_sample || ptr::eq(routine, STD_ROUTINE.load(Relaxed)) {
        PHASE.set(Phase::Starting);
    }
    (told.routine)(told.argument)
}

/// How far a thread of std's has come in entering itself in std's list.
#[derive(Clone, Copy)]
enum Phase {
    /// Not a new thread of std's, or done.
    Running,
    /// Nothing was done yet.
    Starting,
    /// In the middle of it; the thread stands outside, and this is its scope.
    Listing(&'static Record),
}

thread_local! {
    static PHASE: Cell<Phase> = const { Cell::new(Phase::Running) };
    /// Whether the thread that this one starts next is the one to learn by.
    static IS_LEARNING: Cell<bool> = const { Cell::new(false) };
}

/// What std has all its threads run, if these list themselves; else null.
static STD_ROUTINE: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());

/// The same, whether they do or not.
static SAMPLE_ROUTINE: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());

/// How far [`learn`] is.
static LESSON: AtomicU8 = AtomicU8::new(NOT_BEGUN);
const NOT_BEGUN: u8 = 0;
const BEGUN: u8 = 1;
const LEARNT: u8 = 2;

/// Finds out what std's threads run and do, by starting one. It also has std allocate,
/// outside every scope, what it needs once for all threads.
pub(in crate::alloc) fn learn() {
    while LESSON.load(Acquire) != LEARNT {
        if LESSON
            .compare_exchange(NOT_BEGUN, BEGUN, Acquire, Relaxed)
            .is_ok()
        {
            IS_LEARNING.set(true);
            let thread = std::thread::Builder::new().spawn(|| {
                // It began with `Starting`, and std's part is over.
                if matches!(PHASE.get(), Phase::Running) {
                    STD_ROUTINE.store(SAMPLE_ROUTINE.load(Relaxed), Relaxed);
                }
            });
            IS_LEARNING.set(false);
            // Without a thread nothing is learnt, and no thread can be started later.
            drop(thread.map(std::thread::JoinHandle::join));
            LESSON.store(LEARNT, Release);
        } else {
            std::thread::yield_now();
        }
    }
}

/// In the child after a fork: a lesson that another thread had begun begins again.
pub(in crate::alloc) fn forked() {
    if LESSON.load(Relaxed) == BEGUN {
        LESSON.store(NOT_BEGUN, Relaxed);
    }
}

/// Describes a thread; the last that std does before it lists a new one.
///
/// # Safety
/// As for libc's function of that name.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn pthread_getattr_np(
    thread: pthread_t,
    attributes: *mut pthread_attr_t,
) -> c_int {
    type Function = unsafe extern "C" fn(pthread_t, *mut pthread_attr_t) -> c_int;
    static NEXT: Next = Next::new(c"pthread_getattr_np");
    if matches!(PHASE.get(), Phase::Starting) {
        let ledger = ledger::current();
        let scope = ledger.scope();
        scope.hold();
        ledger.switch_to(&OWN);
        PHASE.set(Phase::Listing(scope));
    }
    // SAFETY: this is the function's signature in glibc.
    match unsafe { NEXT.function::<Option<Function>>() } {
        // SAFETY: the caller's promises are passed on.
        Some(next) => unsafe { next(thread, attributes) },
        None => libc::ENOSYS,
    }
}

/// Sets the stack for signals; the first that std does after it listed a thread.
///
/// # Safety
/// As for libc's function of that name.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn sigaltstack(new: *const stack_t, old: *mut stack_t) -> c_int {
    type Function = unsafe extern "C" fn(*const stack_t, *mut stack_t) -> c_int;
    static NEXT: Next = Next::new(c"sigaltstack");
    if let Phase::Listing(scope) = PHASE.replace(Phase::Running) {
        ledger::current().switch_to(scope);
        scope.release();
    }
    // SAFETY: this is the function's signature in glibc.
    match unsafe { NEXT.function::<Option<Function>>() } {
        // SAFETY: the caller's promises are passed on.
        Some(next) => unsafe { next(new, old) },
        None => -1,
    }
}
