//! Threads that are started inside a scope belong to it.
//!
//! On Linux all threads of a process, whether std, a runtime or a C library
//! starts them, come from the symbol `pthread_create`. The one defined here
//! stands before libc's in the finished program: it hands the scope of the
//! starting thread to the new one, and leaves the rest to libc. Without the
//! feature `threads`, for programs in which something else wants that symbol,
//! and on other systems, new threads stand outside every scope.
//!
//! One thing in a new thread is not the scope's: std enters it in a list of all
//! threads, for its message about overflown stacks, and now and then that list
//! needs a block that others will use as well. Std does so between its calls of
//! `pthread_getattr_np` and of `sigaltstack`, so these two are defined here too:
//! between them a thread of std's stands outside every scope. Both do nothing
//! but pass the call on at any other time.

use super::ledger;
use super::memory;
use super::scopes::{self, OWN, Record};
use libc::{c_int, c_void, pthread_attr_t, pthread_t, stack_t};
use std::cell::Cell;
use std::ffi::CStr;
use std::mem;
use std::ptr;
use std::sync::Once;
use std::sync::atomic::{AtomicPtr, Ordering::Relaxed};

pub(super) const FOLLOWS_THREADS: bool = true;

/// May unwind: `pthread_exit` in it does.
type Routine = extern "C-unwind" fn(*mut c_void) -> *mut c_void;
type Create =
    unsafe extern "C" fn(*mut pthread_t, *const pthread_attr_t, Routine, *mut c_void) -> c_int;

/// What a new thread is told before it starts its own routine.
struct Handover {
    routine: Routine,
    argument: *mut c_void,
    scope: &'static Record,
    /// Whether the thread that runs `main` started it.
    is_of_main: bool,
}

/// A function of libc's that we stand before, looked up when it is first needed.
struct Next {
    name: &'static CStr,
    address: AtomicPtr<c_void>,
}

impl Next {
    const fn new(name: &'static CStr) -> Self {
        Self {
            name,
            address: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// The function as a pointer of the type `F`; none if libc has none.
    ///
    /// # Safety
    /// `F` must be an `Option` of a pointer to a function of that signature.
    unsafe fn function<F>(&self) -> F {
        const { assert!(size_of::<F>() == size_of::<*mut c_void>()) };
        let mut address = self.address.load(Relaxed);
        if address.is_null() {
            // SAFETY: the name is a C string; what follows ours is libc's.
            address = unsafe { libc::dlsym(libc::RTLD_NEXT, self.name.as_ptr()) };
            self.address.store(address, Relaxed);
        }
        // SAFETY: the caller promises that a pointer, or null for none, is an `F`.
        unsafe { mem::transmute_copy(&address) }
    }
}

/// Starts a thread in the scope of the current one.
///
/// # Safety
/// As for libc's function of that name.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn pthread_create(
    thread: *mut pthread_t,
    attributes: *const pthread_attr_t,
    routine: Routine,
    argument: *mut c_void,
) -> c_int {
    static NEXT: Next = Next::new(c"pthread_create");
    // SAFETY: this is the function's signature in every libc on Linux.
    let Some(create) = (unsafe { NEXT.function::<Option<Create>>() }) else {
        return libc::EAGAIN;
    };
    if LEARNING.get() {
        STD_ROUTINE.store(routine as *mut c_void, Relaxed);
    }
    let scope = ledger::nearest_open(ledger::current().scope());
    let is_of_main = memory::thread_id() == std::process::id();
    if scope.is_root() && !is_of_main && !scopes::root_counts_all() {
        // SAFETY: the caller's promises are passed on.
        return unsafe { create(thread, attributes, routine, argument) };
    }
    // From libc, so that it is counted nowhere.
    //
    // SAFETY: the size is not zero.
    let handover: *mut Handover = unsafe { libc::malloc(size_of::<Handover>()) }.cast();
    if handover.is_null() {
        return libc::EAGAIN;
    }
    // SAFETY: `malloc` gave enough room, aligned for anything.
    unsafe {
        handover.write(Handover {
            routine,
            argument,
            scope,
            is_of_main,
        });
    }
    // Here already, so that the record is not used again before the thread
    // stands in it.
    scope.thread_starts();
    // SAFETY: the caller's promises are passed on; `in_scope` takes the handover.
    let result = unsafe { create(thread, attributes, in_scope, handover.cast()) };
    if result != 0 {
        scope.thread_ends();
        // SAFETY: no thread was started, so the handover is still ours.
        unsafe { libc::free(handover.cast()) };
    }
    result
}

/// What a new thread runs: its own routine, in the scope that it was started in.
extern "C-unwind" fn in_scope(handover: *mut c_void) -> *mut c_void {
    // SAFETY: `pthread_create` wrote it for this thread alone, which frees it.
    let told = unsafe {
        let told = handover.cast::<Handover>().read();
        libc::free(handover);
        told
    };
    ledger::start_in(told.scope, told.is_of_main);
    if ptr::eq(told.routine as *mut c_void, STD_ROUTINE.load(Relaxed)) {
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
    /// Whether the thread that this one starts next shows us std's routine.
    static LEARNING: Cell<bool> = const { Cell::new(false) };
}

/// What std has all its threads run.
static STD_ROUTINE: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());

/// Finds out what std's threads run, by starting one. It also has std allocate,
/// outside every scope, what it needs once for all threads.
pub(super) fn learn() {
    static LEARNT: Once = Once::new();
    LEARNT.call_once(|| {
        LEARNING.set(true);
        let thread = std::thread::Builder::new().spawn(|| ());
        LEARNING.set(false);
        // Without a thread nothing is learnt, and no thread can be started later.
        drop(thread.map(std::thread::JoinHandle::join));
    });
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
        ledger.stand_in(&OWN);
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
        ledger::current().stand_in(scope);
        scope.let_go();
    }
    // SAFETY: this is the function's signature in glibc.
    match unsafe { NEXT.function::<Option<Function>>() } {
        // SAFETY: the caller's promises are passed on.
        Some(next) => unsafe { next(new, old) },
        None => -1,
    }
}
