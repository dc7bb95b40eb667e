//! Where this thread's stack lies, by what libc says. It may allocate for itself.

#[cfg(highwater_linux)]
use super::c_heap;

/// A thread's stack.
#[derive(Clone, Copy)]
pub(super) struct OwnStack {
    /// The lowest address.
    pub(super) start: usize,
    pub(super) end: usize,
    /// How much of the lowest part nobody may use.
    // Not needed where the depth of stacks is not measured.
    #[allow(dead_code)]
    pub(super) guard: usize,
}

/// That of this thread; none if libc does not say.
#[cfg(highwater_linux)]
pub(super) fn own_stack() -> Option<OwnStack> {
    c_heap::uncounted(|| {
        // SAFETY: all zero is a value of it, and libc fills it in below.
        let mut attributes: libc::pthread_attr_t = unsafe { std::mem::zeroed() };
        // SAFETY: the thread exists, and the attributes are ours to write.
        if unsafe { libc::pthread_getattr_np(libc::pthread_self(), &raw mut attributes) } != 0 {
            return None;
        }
        let (mut lowest, mut size, mut guard) = (std::ptr::null_mut::<libc::c_void>(), 0, 0);
        // SAFETY: the attributes were filled in, and are destroyed once; the rest are variables
        // of ours.
        let is_known = unsafe {
            let attributes = &raw mut attributes;
            let has_stack = libc::pthread_attr_getstack(attributes, &raw mut lowest, &raw mut size);
            let has_guard = libc::pthread_attr_getguardsize(attributes, &raw mut guard);
            libc::pthread_attr_destroy(attributes);
            has_stack == 0 && has_guard == 0
        };
        let start = lowest as usize;
        is_known.then_some(OwnStack {
            start,
            end: start + size,
            guard,
        })
    })
}

/// That of this thread.
#[cfg(not(highwater_linux))]
#[allow(clippy::unnecessary_wraps)]
pub(super) fn own_stack() -> Option<OwnStack> {
    // SAFETY: the thread exists, and both functions read what the system said at its start.
    let (end, size) = unsafe {
        let thread = libc::pthread_self();
        let end = libc::pthread_get_stackaddr_np(thread);
        (end as usize, libc::pthread_get_stacksize_np(thread))
    };
    Some(OwnStack {
        start: end.saturating_sub(size),
        end,
        guard: 0,
    })
}
