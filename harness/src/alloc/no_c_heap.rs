//! Stands in for `c_heap` without the feature of that name, and on other systems than Linux
//! with glibc on x86-64 or `AArch64`: C's heap is not counted.

pub(super) use std::alloc::System;

/// Runs `work`.
// Not needed where threads are not followed.
#[allow(dead_code)]
#[inline(always)]
pub(super) fn uncounted<R>(work: impl FnOnce() -> R) -> R {
    work()
}

/// Runs `work`.
#[inline(always)]
pub(super) fn probe(work: impl FnOnce()) {
    work();
}

/// There is nothing to begin with.
#[inline(always)]
pub(super) fn begin(_is_installed: bool) {}

/// Why C's heap is not counted.
// Elsewhere it may be.
#[allow(clippy::unnecessary_wraps)]
pub(crate) fn why_uncounted() -> Option<&'static str> {
    Some(if cfg!(feature = "c-heap") {
        "the feature `c-heap` counts it on Linux with glibc on x86-64 and AArch64 only"
    } else {
        "only what Rust's global allocator serves is counted"
    })
}
