//! Threads that are started inside a scope belong to it.
//!
//! On Linux all threads of a process, whether std, a runtime or a C library
//! starts them, come from the symbol `pthread_create`. The one defined here
//! stands before libc's in the finished program: it hands the scope of the
//! starting thread to the new one, and leaves the rest to libc. Without the
//! feature `threads`, for programs in which something else wants that symbol,
//! and on other systems, new threads stand outside every scope.

use super::ledger;
use super::scopes::Record;
use libc::{c_int, c_void, pthread_attr_t, pthread_t};
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering::Relaxed};

/// May unwind: `pthread_exit` in it does.
type Routine = extern "C-unwind" fn(*mut c_void) -> *mut c_void;
type Create =
    unsafe extern "C" fn(*mut pthread_t, *const pthread_attr_t, Routine, *mut c_void) -> c_int;

/// What a new thread is told before it starts its own routine.
struct Handover {
    routine: Routine,
    argument: *mut c_void,
    scope: &'static Record,
}

/// libc's function, looked up at the first thread.
static CREATE: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());

fn create() -> Option<Create> {
    let mut address = CREATE.load(Relaxed);
    if address.is_null() {
        // SAFETY: the name is a C string; the next definition after ours is
        // libc's.
        address = unsafe { libc::dlsym(libc::RTLD_NEXT, c"pthread_create".as_ptr()) };
        CREATE.store(address, Relaxed);
    }
    // SAFETY: a symbol of this name is this function, in every libc on Linux;
    // null becomes none.
    unsafe { mem::transmute::<*mut c_void, Option<Create>>(address) }
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
    let Some(create) = create() else {
        return libc::EAGAIN;
    };
    let scope = ledger::current().scope();
    if scope.is_root() {
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
        });
    }
    // Here already, so that the record is not used again before the thread
    // stands in it.
    scope.thread_enters();
    // SAFETY: the caller's promises are passed on; `in_scope` takes the handover.
    let result = unsafe { create(thread, attributes, in_scope, handover.cast()) };
    if result != 0 {
        scope.thread_leaves();
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
    ledger::current().start_in(told.scope);
    (told.routine)(told.argument)
}
