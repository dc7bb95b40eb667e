//! Where the stack of this thread lies, for those who walk it.

use crate::alloc::own_stack::{OwnStack, own_stack};
use std::cell::Cell;

/// The lowest address of a stack, and where it ends; both 0 if that is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::alloc) struct Bounds {
    pub(in crate::alloc) start: usize,
    /// Or where the part of it ends that counts.
    pub(in crate::alloc) end: usize,
    /// Whether only a part of it counts.
    pub(in crate::alloc) is_part: bool,
}

thread_local! {
    static BOUNDS: Cell<Bounds> = const {
        Cell::new(Bounds {
            start: 0,
            end: 0,
            is_part: false,
        })
    };
}

impl Bounds {
    /// Those of this thread.
    #[inline(always)]
    pub(in crate::alloc) fn now() -> Self {
        BOUNDS.get()
    }

    /// Whether an address is on the stack.
    #[inline(always)]
    pub(in crate::alloc) fn have(self, address: usize) -> bool {
        (self.start..self.end).contains(&address)
    }

    /// The last address that a frame of two words may have.
    #[inline(always)]
    pub(in crate::alloc) fn last_frame(self) -> usize {
        self.end.saturating_sub(16)
    }

    pub(super) fn set(self) {
        BOUNDS.set(self);
    }
}

/// Finds out where this thread's stack lies, if that is not known. It asks libc, which may
/// allocate for itself.
pub(in crate::alloc) fn learn() {
    let now = Bounds::now();
    if now.end == 0
        && let Some(OwnStack { start, end, .. }) = own_stack()
    {
        Bounds { start, end, ..now }.set();
    }
}
