//! C's `malloc` family, under C's contract. A size near `usize::MAX` saturates; glibc refuses it.

use crate::blocks::{Block, FOOTER, counted, known, seal, unseal, usable};
use crate::counts::{LIVE_BLOCKS, LIVE_BYTES, rise};
use crate::stacks;
use crate::system::*;
use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::atomic::Ordering::Relaxed;

fn fail(error: c_int) -> *mut c_void {
    // SAFETY: it points to this thread's `errno`.
    unsafe { *__errno_location() = error };
    ptr::null_mut()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn malloc(size: usize) -> *mut c_void {
    // SAFETY: glibc takes any size, and the block is new.
    unsafe { counted(__libc_malloc(size.saturating_add(FOOTER)), size) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn calloc(count: usize, size: usize) -> *mut c_void {
    let Some(size) = count.checked_mul(size) else {
        return fail(ENOMEM);
    };
    // SAFETY: glibc takes any size, and the block is new.
    unsafe { counted(__libc_calloc(1, size.saturating_add(FOOTER)), size) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn free(block: *mut c_void) {
    if block.is_null() {
        return;
    }
    // SAFETY: the caller got the block from this family or from glibc, and gives it up.
    unsafe {
        if let Some(known) = known(block) {
            unseal(block);
            if known.is_counted {
                // Before the memory can be another's.
                stacks::freed(known.stack, known.size);
                LIVE_BYTES.fetch_sub(known.size, Relaxed);
                LIVE_BLOCKS.fetch_sub(1, Relaxed);
            }
        }
        __libc_free(block);
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn realloc(block: *mut c_void, size: usize) -> *mut c_void {
    // SAFETY: the caller got the block from this family or from glibc. If it fails, the block is
    // as it was, and gets its footer back.
    unsafe {
        if block.is_null() {
            return malloc(size);
        }
        let Some(before) = known(block) else {
            return __libc_realloc(block, size);
        };
        if size == 0 {
            // glibc frees.
            free(block);
            return ptr::null_mut();
        }
        unseal(block);
        let moved = __libc_realloc(block, size.saturating_add(FOOTER));
        if moved.is_null() {
            seal(block, before);
            return moved;
        }
        seal(moved, Block { size, ..before });
        if before.is_counted {
            stacks::resized(before.stack, before.size, size);
        }
        match size.checked_sub(before.size) {
            _ if !before.is_counted => {}
            Some(more) => rise(more),
            None => _ = LIVE_BYTES.fetch_sub(before.size - size, Relaxed),
        }
        moved
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn reallocarray(
    block: *mut c_void,
    count: usize,
    size: usize,
) -> *mut c_void {
    match count.checked_mul(size) {
        // SAFETY: the same contract.
        Some(size) => unsafe { realloc(block, size) },
        None => fail(ENOMEM),
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn memalign(alignment: usize, size: usize) -> *mut c_void {
    // SAFETY: glibc checks the alignment and takes any size, and the block is new.
    unsafe {
        counted(
            __libc_memalign(alignment, size.saturating_add(FOOTER)),
            size,
        )
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn aligned_alloc(alignment: usize, size: usize) -> *mut c_void {
    // SAFETY: the same contract.
    unsafe { memalign(alignment, size) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn posix_memalign(
    block: *mut *mut c_void,
    alignment: usize,
    size: usize,
) -> c_int {
    if !alignment.is_power_of_two() || alignment < size_of::<*mut c_void>() {
        return EINVAL;
    }
    // SAFETY: the caller gave a place for the result.
    unsafe {
        let new = memalign(alignment, size);
        if new.is_null() {
            return ENOMEM;
        }
        block.write(new);
    }
    0
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn valloc(size: usize) -> *mut c_void {
    // SAFETY: the same contract.
    unsafe { memalign(PAGE, size) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn pvalloc(size: usize) -> *mut c_void {
    match size.checked_next_multiple_of(PAGE) {
        // SAFETY: the same contract. Whole pages are what the caller may use.
        Some(size) => unsafe { memalign(PAGE, size) },
        None => fail(ENOMEM),
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn malloc_usable_size(block: *mut c_void) -> usize {
    if block.is_null() {
        return 0;
    }
    // SAFETY: the caller got the block from this family or from glibc.
    unsafe {
        let footer = if known(block).is_some() { FOOTER } else { 0 };
        usable(block).wrapping_sub(footer)
    }
}
