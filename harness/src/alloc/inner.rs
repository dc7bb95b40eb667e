//! The name of the allocator beneath. It is noted where a block of [`NOTED_BYTES`] is
//! allocated, so that smaller ones need not look after it.

use super::limit;
use std::any::type_name;
// Not a model's: nothing depends on when it is seen.
use std::sync::atomic::{AtomicPtr, Ordering::Relaxed};

/// The size of a block by which it is noted, where the thread has just come to a scope.
pub(super) const NOTED_BYTES: usize = limit::LARGE_BYTES;

/// A function that names the type; null before it is noted.
static INNER: AtomicPtr<()> = AtomicPtr::new(std::ptr::null_mut());

/// Notes that the allocator beneath is an `A`.
pub(super) fn note<A>() {
    INNER.store(type_name::<A> as fn() -> &'static str as *mut (), Relaxed);
}

/// The name of the allocator beneath, such as `System`; none before a scope was opened in
/// a program whose allocations come through [`Alloc`](super::Alloc).
pub(crate) fn name() -> Option<&'static str> {
    let function = INNER.load(Relaxed);
    // SAFETY: null, or a function of this type, which is all that is ever stored.
    let function =
        unsafe { std::mem::transmute::<*mut (), Option<fn() -> &'static str>>(function) };
    function?().rsplit("::").next()
}
