//! Where the stack of this thread lies, for those who walk it.

use crate::alloc::c_heap;
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
        && let Some((start, end)) = c_heap::uncounted(ask)
    {
        Bounds { start, end, ..now }.set();
    }
}

#[cfg(not(highwater_linux))]
#[allow(clippy::unnecessary_wraps)]
fn ask() -> Option<(usize, usize)> {
    // SAFETY: the thread exists, and both functions read what the system said at its start.
    let (end, size) = unsafe {
        let thread = libc::pthread_self();
        let end = libc::pthread_get_stackaddr_np(thread);
        (end as usize, libc::pthread_get_stacksize_np(thread))
    };
    Some((end.saturating_sub(size), end))
}

#[cfg(highwater_linux)]
fn ask() -> Option<(usize, usize)> {
    // SAFETY: all zero is a value of it, and libc fills it in below.
    let mut attributes: libc::pthread_attr_t = unsafe { std::mem::zeroed() };
    // SAFETY: the thread exists, and the attributes are ours to write.
    if unsafe { libc::pthread_getattr_np(libc::pthread_self(), &raw mut attributes) } != 0 {
        return None;
    }
    let (mut lowest, mut size) = (std::ptr::null_mut::<libc::c_void>(), 0);
    // SAFETY: the attributes were filled in, and are destroyed once.
    let result = unsafe {
        let result =
            libc::pthread_attr_getstack(&raw const attributes, &raw mut lowest, &raw mut size);
        libc::pthread_attr_destroy(&raw mut attributes);
        result
    };
    (result == 0).then(|| (lowest as usize, lowest as usize + size))
}
