//! The functions of C's `malloc` family, under C's contract. They stand before glibc's in the
//! finished program, also for libc's own calls and for libraries that are loaded later.

use super::blocks::{self, fail};
use super::{
    __libc_calloc, __libc_free, __libc_malloc, __libc_memalign, __libc_realloc, is_counting,
};
use crate::alloc::memory::page;
use libc::{EINVAL, ENOMEM, c_int};
use std::ffi::c_void;
use std::ptr;

/// # Safety
/// As for glibc's function of that name.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn malloc(size: usize) -> *mut c_void {
    if !is_counting() {
        // SAFETY: glibc takes any size.
        return unsafe { __libc_malloc(size) };
    }
    // SAFETY: glibc takes any size, and the block is new.
    unsafe { blocks::new(size, |room| __libc_malloc(room)) }
}

/// # Safety
/// As for glibc's function of that name.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn calloc(count: usize, size: usize) -> *mut c_void {
    if !is_counting() {
        // SAFETY: glibc takes any size.
        return unsafe { __libc_calloc(count, size) };
    }
    let Some(size) = count.checked_mul(size) else {
        return fail(ENOMEM);
    };
    // SAFETY: glibc takes any size, and the block is new.
    unsafe { blocks::new(size, |room| __libc_calloc(1, room)) }
}

/// # Safety
/// As for glibc's function of that name.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn free(block: *mut c_void) {
    if block.is_null() {
        return;
    }
    // SAFETY: the caller got the block from this family or from glibc, and gives it up.
    unsafe {
        match blocks::size(block) {
            Some(size) => blocks::free(block, size),
            None => __libc_free(block),
        }
    }
}

/// # Safety
/// As for glibc's function of that name.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn realloc(block: *mut c_void, size: usize) -> *mut c_void {
    // SAFETY: the caller got the block from this family or from glibc.
    unsafe {
        if block.is_null() {
            return malloc(size);
        }
        match blocks::size(block) {
            None => __libc_realloc(block, size),
            // As glibc does.
            Some(old) if size == 0 => {
                blocks::free(block, old);
                ptr::null_mut()
            }
            Some(old) => blocks::resize(block, old, size),
        }
    }
}

/// # Safety
/// As for glibc's function of that name.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn reallocarray(
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

/// # Safety
/// As for glibc's function of that name.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn memalign(alignment: usize, size: usize) -> *mut c_void {
    if !is_counting() {
        // SAFETY: glibc checks the alignment and takes any size.
        return unsafe { __libc_memalign(alignment, size) };
    }
    // SAFETY: glibc checks the alignment and takes any size, and the block is new.
    unsafe { blocks::new(size, |room| __libc_memalign(alignment, room)) }
}

/// # Safety
/// As for glibc's function of that name.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn aligned_alloc(alignment: usize, size: usize) -> *mut c_void {
    // SAFETY: the same contract.
    unsafe { memalign(alignment, size) }
}

/// # Safety
/// As for glibc's function of that name.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn posix_memalign(
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

/// # Safety
/// As for glibc's function of that name.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn valloc(size: usize) -> *mut c_void {
    // SAFETY: the same contract.
    unsafe { memalign(page(), size) }
}

/// # Safety
/// As for glibc's function of that name.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn pvalloc(size: usize) -> *mut c_void {
    match size.checked_next_multiple_of(page()) {
        // SAFETY: the same contract. Whole pages are what the caller may use.
        Some(size) => unsafe { memalign(page(), size) },
        None => fail(ENOMEM),
    }
}

/// What the caller may use: of a block that is counted, what was asked for.
///
/// # Safety
/// As for glibc's function of that name.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn malloc_usable_size(block: *mut c_void) -> usize {
    if block.is_null() {
        return 0;
    }
    // SAFETY: the caller got the block from this family or from glibc.
    unsafe { blocks::size(block).unwrap_or_else(|| blocks::usable(block)) }
}
