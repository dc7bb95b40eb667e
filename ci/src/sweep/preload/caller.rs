//! What called `exit`: where its stack begins, and what is in its registers.
//!
//! The search for unreachable blocks begins there. The functions below, `exit` among them, hold
//! nothing of the program, but their part of the stack still has what other functions left there.

use crate::system::*;
use std::ffi::{c_int, c_void};

/// The registers that a function leaves to its caller as they were: rbx, rbp, and r12 to r15, by
/// their numbers for the unwinder.
const KEPT: [c_int; 6] = [3, 6, 12, 13, 14, 15];

/// A function that waits for the one that it called.
pub(crate) struct Caller {
    /// Where its stack begins.
    pub(crate) stack: usize,
    /// What may be addresses that only it knows.
    pub(crate) registers: [usize; 6],
}

/// What a walk up the stack looks for, and has found.
struct Walk {
    /// Where the function of this library that `exit` called begins.
    handler: usize,
    found: Option<Caller>,
    is_next: bool,
    is_last: bool,
}

/// The caller of `exit`, which has called `handler`; if `exit` is not found, that of `handler`. None
/// if the unwinder finds neither.
pub(crate) fn of_exit(handler: usize) -> Option<Caller> {
    let mut walk = Walk {
        handler,
        found: None,
        is_next: false,
        is_last: false,
    };
    // SAFETY: `step` gets the walk back, which outlives the call.
    unsafe { _Unwind_Backtrace(step, (&raw mut walk).cast()) };
    walk.found
}

unsafe extern "C" fn step(context: *mut c_void, walk: *mut c_void) -> c_int {
    // SAFETY: it is the walk that began, and nobody else uses it now.
    let walk = unsafe { &mut *walk.cast::<Walk>() };
    if walk.is_next {
        // SAFETY: the unwinder passes its context, which has these registers: it saved them when it
        // began, and found where functions on the way did.
        walk.found = Some(unsafe {
            Caller {
                stack: _Unwind_GetCFA(context),
                registers: KEPT.map(|register| _Unwind_GetGR(context, register)),
            }
        });
        if walk.is_last {
            return ENOUGH;
        }
    }
    // SAFETY: the unwinder passes its context, and takes any address.
    let function = unsafe { _Unwind_FindEnclosingFunction(_Unwind_GetIP(context)) }.addr();
    walk.is_last = function == (exit as *const ()).addr();
    walk.is_next = walk.is_last || function == walk.handler;
    NEXT
}
