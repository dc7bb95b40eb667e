//! [`System`]: what serves Rust's requests past C's family.

use super::{__libc_calloc, __libc_free, __libc_malloc, __libc_memalign, __libc_realloc};
use crate::alloc::PLAIN_ALIGN;
use std::alloc::{GlobalAlloc, Layout};
use std::ptr;

/// The system's allocator, as [`std::alloc::System`] is, but for what C's functions in the
/// finished program do: those count.
///
/// With the feature `c-heap`, on Linux with glibc on x86-64 or `AArch64`, it is beneath
/// [`Alloc::system`](crate::Alloc::system).
#[derive(Clone, Copy, Debug, Default)]
pub struct System;

/// Whether `malloc` aligns a block of this layout well enough.
#[inline]
fn is_plain(layout: Layout) -> bool {
    layout.align() <= PLAIN_ALIGN && layout.align() <= layout.size()
}

// SAFETY: glibc's functions give out blocks of the size and alignment that they are asked
// for, or null, and take back what they gave. Nothing in here unwinds.
unsafe impl GlobalAlloc for System {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_plain(layout) {
            // SAFETY: glibc takes any size.
            return unsafe { __libc_malloc(layout.size()) }.cast();
        }
        // SAFETY: the alignment is a power of two.
        unsafe { __libc_memalign(layout.align(), layout.size()) }.cast()
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if is_plain(layout) {
            // SAFETY: glibc takes any size.
            return unsafe { __libc_calloc(layout.size(), 1) }.cast();
        }
        // SAFETY: the caller's promises are passed on.
        let block = unsafe { self.alloc(layout) };
        if !block.is_null() {
            // SAFETY: it was just allocated with so many bytes.
            unsafe { ptr::write_bytes(block, 0, layout.size()) };
        }
        block
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, _layout: Layout) {
        // SAFETY: the caller promises that the block came from here, so from glibc.
        unsafe { __libc_free(block.cast()) };
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller promises that the new size is valid for the alignment.
        let new = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        if is_plain(new) {
            // SAFETY: the caller promises that the block came from here, so from glibc, and
            // that the new size is not zero.
            return unsafe { __libc_realloc(block.cast(), new_size) }.cast();
        }
        // SAFETY: the new block is another one, and as large as what is copied; the old one
        // is given up only when that is done.
        unsafe {
            let moved = self.alloc(new);
            if !moved.is_null() {
                ptr::copy_nonoverlapping(block, moved, layout.size().min(new_size));
                self.dealloc(block, layout);
            }
            moved
        }
    }
}
