//! Thread-local values that have a destructor. libc has an entry for each, in a block that it
//! takes from `malloc` and frees when the thread ends. It is libc's own, so with the feature
//! `c-heap` it is not counted: Rust's thread-locals cost the same with the feature as without.

use super::next::Next;
use crate::alloc::c_heap;
use libc::{c_int, c_void};

type Destructor = unsafe extern "C" fn(*mut c_void);

/// Has the destructor called with `value` when this thread ends.
///
/// # Safety
/// As for libc's function of that name.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn __cxa_thread_atexit_impl(
    destructor: Destructor,
    value: *mut c_void,
    library: *mut c_void,
) -> c_int {
    type Function = unsafe extern "C" fn(Destructor, *mut c_void, *mut c_void) -> c_int;
    static NEXT: Next = Next::new(c"__cxa_thread_atexit_impl");
    // SAFETY: this is the function's signature in glibc.
    match unsafe { NEXT.function::<Option<Function>>() } {
        // SAFETY: the caller's promises are passed on.
        Some(next) => c_heap::uncounted(|| unsafe { next(destructor, value, library) }),
        None => -1,
    }
}
