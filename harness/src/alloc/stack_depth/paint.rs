//! A stack's unused part: where it is, filling it with a pattern, finding the first word that is
//! another, and calling a function further down in it.

use crate::alloc::memory;
use crate::alloc::own_stack::own_stack;
use libc::c_void;
use std::arch::{asm, naked_asm};
use std::hint::black_box;

/// No word of a program, and no address.
pub(super) const PATTERN: u64 = 0xA5C3_96E1_5A3C_691E;

/// The kernel lets the stack of the main thread come no nearer to other mappings than this.
const MAIN_GAP: usize = 1 << 20;

pub(super) const PAGE: usize = 4 << 10;

/// From where on the current thread's stack can be painted; none if the system does not say.
pub(super) fn lowest() -> Option<usize> {
    let own = own_stack()?;
    // Some versions of glibc have the guard in the size, so it is left out once more.
    let gap = if memory::is_main_thread() {
        MAIN_GAP
    } else {
        own.guard
    };
    own.start.checked_add(gap)?.checked_next_multiple_of(PAGE)
}

/// Has the kernel give the main thread its stack down to `low`, by using it. Some versions give
/// it only to what lies near the stack pointer.
#[inline(never)]
pub(super) fn reach(low: usize) {
    let pages = [0_u8; 2 * PAGE];
    if (&raw const pages as usize).saturating_sub(4 * PAGE) > low {
        reach(low);
    }
    black_box(&pages);
}

#[inline(always)]
pub(in crate::alloc) fn stack_pointer() -> usize {
    let pointer;
    // SAFETY: it only reads the register.
    unsafe { asm!("mov {}, rsp", out(reg) pointer, options(nomem, nostack, preserves_flags)) };
    pointer
}

/// Fills stack of this thread that nobody uses: from `low` to `high`, or to this function's own.
/// Both are multiples of 8.
#[inline(never)]
pub(super) fn paint(low: usize, high: usize) {
    let high = high.min(stack_pointer());
    if low >= high {
        return;
    }
    // SAFETY: it is writable memory of this thread's stack, and no variable lies below the stack
    // pointer. A signal's handler that runs meanwhile lies below it too, and has returned before
    // the next word is written.
    unsafe {
        asm!(
            "rep stosq",
            inout("rdi") low => _,
            inout("rcx") (high - low) / 8 => _,
            in("rax") PATTERN,
            options(preserves_flags),
        );
    }
}

/// The first word of a stack that is not painted, or `high`.
pub(super) fn first_used(low: usize, high: usize) -> usize {
    let mut at = low;
    if low >= high {
        return high;
    }
    // SAFETY: it reads mapped memory: the stack of this thread, or of one that can't end
    // meanwhile. That it may write there at the same time is nothing that the compiler knows of.
    unsafe {
        asm!(
            "repe scasq",
            "je 2f",
            "sub rdi, 8",
            "2:",
            inout("rdi") at,
            inout("rcx") (high - low) / 8 => _,
            in("rax") PATTERN,
            options(nostack, readonly),
        );
    }
    at
}

/// Calls `function` with the stack pointer at `stack`.
///
/// # Safety
/// `stack` is on this thread's stack, below everything that is in use, a multiple of 16, and has
/// room for what `function` does with `step`.
#[unsafe(naked)]
pub(super) unsafe extern "C-unwind" fn call_at(
    step: *mut c_void,
    function: extern "C-unwind" fn(*mut c_void),
    stack: usize,
) {
    naked_asm!(
        ".cfi_startproc",
        "push rbp",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset rbp, -16",
        "mov rbp, rsp",
        ".cfi_def_cfa_register rbp",
        "mov rsp, rdx",
        "call rsi",
        "mov rsp, rbp",
        "pop rbp",
        ".cfi_def_cfa rsp, 8",
        "ret",
        ".cfi_endproc",
    )
}
