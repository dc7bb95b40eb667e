//! The call stack of this thread as a panic's backtrace has it. It allocates nothing.

use std::ffi::c_void;

/// One frame: where it returns to, and the address of the frame that it was called from.
#[derive(Clone, Copy)]
pub(crate) struct Frame {
    pub(crate) address: usize,
    // Not needed where call stacks of allocations can't be taken.
    #[allow(dead_code)]
    pub(crate) caller: usize,
}

/// Passes on the frames of this thread, the innermost first, until it is told to stop. For
/// the allocator's hooks and signal handlers.
pub(crate) fn frames(push: &mut dyn FnMut(Frame) -> bool) {
    unsafe extern "C" {
        fn _Unwind_Backtrace(
            trace: extern "C" fn(*mut c_void, *mut c_void) -> i32,
            argument: *mut c_void,
        ) -> i32;
        fn _Unwind_GetIP(context: *mut c_void) -> usize;
        fn _Unwind_GetCFA(context: *mut c_void) -> usize;
    }
    extern "C" fn on_frame(context: *mut c_void, push: *mut c_void) -> i32 {
        const GO_ON: i32 = 0;
        const STOP: i32 = 5;
        // SAFETY: the unwinder passes its context and our argument.
        let (frame, push) = unsafe {
            let push = &mut *push.cast::<&mut dyn FnMut(Frame) -> bool>();
            let address = _Unwind_GetIP(context);
            let caller = _Unwind_GetCFA(context);
            (Frame { address, caller }, push)
        };
        if frame.address != 0 && push(frame) {
            GO_ON
        } else {
            STOP
        }
    }
    let mut push = push;
    // SAFETY: the callback takes what it is given and does not unwind.
    unsafe { _Unwind_Backtrace(on_frame, (&raw mut push).cast()) };
}
