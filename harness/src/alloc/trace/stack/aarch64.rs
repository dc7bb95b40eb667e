//! What taking a call stack needs of the processor: `AArch64`.
//!
//! A frame is as on x86-64: the caller's frame pointer, and behind it where to return to. That
//! may be signed, in bits that no address of a program has.

use framehop::MustNotAllocateDuringUnwind;
use framehop::aarch64::{CacheAarch64, PtrAuthMask, UnwindRegsAarch64, UnwinderAarch64};
use std::arch::asm;

pub(super) type Cache = CacheAarch64<MustNotAllocateDuringUnwind>;
pub(super) type Unwinder = UnwinderAarch64<&'static [u8], MustNotAllocateDuringUnwind>;

/// The bits of an address. Linux maps nothing above them that a program does not ask for there.
const ADDRESS: usize = (1 << 48) - 1;

/// Where a walk by tables starts.
#[derive(Clone, Copy)]
pub(in super::super) struct Registers {
    pub(super) pc: usize,
    pub(super) sp: usize,
    pub(super) bp: usize,
    /// Where the function returns to, if it has not called another one yet.
    link: usize,
}

impl Registers {
    /// Those of the function that this is inlined into.
    #[inline(always)]
    pub(in super::super) fn now() -> Self {
        let (pc, sp, bp, link);
        // SAFETY: it reads four registers and writes none but those for the results.
        unsafe {
            asm!(
                "adr {pc}, .",
                "mov {sp}, sp",
                "mov {bp}, x29",
                "mov {link}, x30",
                pc = out(reg) pc,
                sp = out(reg) sp,
                bp = out(reg) bp,
                link = out(reg) link,
                options(nomem, nostack, preserves_flags),
            );
        }
        Self { pc, sp, bp, link }
    }

    pub(super) fn of_unwinder(self) -> UnwindRegsAarch64 {
        let [link, sp, bp] = [self.link, self.sp, self.bp].map(|register| register as u64);
        UnwindRegsAarch64::new_with_ptr_auth_mask(PtrAuthMask(ADDRESS as u64), link, sp, bp)
    }
}

/// The stack pointer, and the frame pointer.
#[inline(always)]
pub(super) fn frame() -> (usize, usize) {
    let (sp, bp);
    // SAFETY: it reads two registers and writes none but those for the results.
    unsafe {
        asm!(
            "mov {sp}, sp",
            "mov {bp}, x29",
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
    word & ADDRESS
}
