//! What taking a call stack needs of the processor: x86-64.

use framehop::MustNotAllocateDuringUnwind;
use framehop::x86_64::{CacheX86_64, UnwindRegsX86_64, UnwinderX86_64};
use std::arch::asm;

pub(super) type Cache = CacheX86_64<MustNotAllocateDuringUnwind>;
pub(super) type Unwinder = UnwinderX86_64<&'static [u8], MustNotAllocateDuringUnwind>;

/// Where a walk by tables starts.
#[derive(Clone, Copy)]
pub(in super::super) struct Registers {
    pub(super) pc: usize,
    pub(super) sp: usize,
    pub(super) bp: usize,
}

impl Registers {
    /// Those of the function that this is inlined into.
    #[inline(always)]
    pub(in super::super) fn now() -> Self {
        let (pc, sp, bp);
        // SAFETY: it reads three registers and writes none but those for the results.
        unsafe {
            asm!(
                "lea {pc}, [rip]",
                "mov {sp}, rsp",
                "mov {bp}, rbp",
                pc = out(reg) pc,
                sp = out(reg) sp,
                bp = out(reg) bp,
                options(nomem, nostack, preserves_flags),
            );
        }
        Self { pc, sp, bp }
    }

    pub(super) fn of_unwinder(self) -> UnwindRegsX86_64 {
        let [pc, sp, bp] = [self.pc, self.sp, self.bp].map(|register| register as u64);
        UnwindRegsX86_64::new(pc, sp, bp)
    }
}

/// The stack pointer, and the frame pointer.
#[inline(always)]
pub(super) fn frame() -> (usize, usize) {
    let (sp, bp);
    // SAFETY: it reads two registers and writes none but those for the results.
    unsafe {
        asm!(
            "mov {sp}, rsp",
            "mov {bp}, rbp",
            sp = out(reg) sp,
            bp = out(reg) bp,
            options(nomem, nostack, preserves_flags),
        );
    }
    (sp, bp)
}

/// Where a function returns to that left this word for it.
#[inline(always)]
pub(in super::super) const fn return_address(word: usize) -> usize {
    word
}
