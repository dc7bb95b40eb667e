//! C's blocks. Nobody says how large a block is when it is freed, so the block does.
//!
//! Behind the requested bytes is the same footer that Rust's blocks have. The last eight
//! bytes of the usable area, the mark, hold the requested size and bits that depend on the
//! address. A block without a valid mark is foreign: it was given out before C's requests
//! were counted, or by glibc in another way. It is passed on and not counted.

use super::{__libc_free, __libc_realloc, REQUESTS, Requests};
use crate::alloc::{footer, ledger, limit, scope, slowly, trace};
use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

const MARK_BYTES: usize = 8;

/// What a block grows by.
const EXTRA_BYTES: usize = footer::FOOTER_BYTES + MARK_BYTES;

/// The bits of a mark that hold the size; no program has as many bytes.
const SIZE_BITS: u64 = (1 << 47) - 1;

/// Says what went wrong as C does.
pub(super) fn fail(error: libc::c_int) -> *mut c_void {
    // SAFETY: it points to this thread's `errno`.
    unsafe { *libc::__errno_location() = error };
    ptr::null_mut()
}

/// The usable bytes of a block.
///
/// # Safety
/// glibc gave `block` out, and nobody has freed it.
pub(super) unsafe fn usable(block: *mut c_void) -> usize {
    // SAFETY: the eight bytes before a block are its chunk's header, aligned. Another thread
    // may write the lowest bit there when it allocates or frees the chunk before, hence the
    // atomic.
    let header = unsafe { AtomicU64::from_ptr(block.cast::<u64>().sub(1)) }.load(Relaxed);
    let is_mapped = header & 2 != 0;
    usize::try_from(header & !7)
        .unwrap_or(0)
        .wrapping_sub(if is_mapped { 16 } else { 8 })
}

/// The place of the mark of a block with so many usable bytes.
///
/// # Safety
/// `block` has `usable` usable bytes, and they are no fewer than eight.
unsafe fn mark_of(block: *mut c_void, usable: usize) -> *mut u64 {
    // SAFETY: by the contract it is in the block. It is aligned: blocks and chunks are, by
    // 16, and so are the usable bytes, by 8.
    unsafe { block.cast::<u8>().add(usable - MARK_BYTES).cast() }
}

/// The mark of a block of `size` bytes.
fn mark(block: *mut c_void, size: u64) -> u64 {
    let check = (block as u64 ^ 0x6869_6768_7761_7465).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    check & !SIZE_BITS | size & SIZE_BITS
}

/// # Safety
/// As for [`usable`], and the block was allocated for `size` and [`EXTRA_BYTES`].
unsafe fn write_mark(block: *mut c_void, size: usize) {
    // SAFETY: by the contract there are eight bytes behind the requested ones and the footer.
    unsafe { mark_of(block, usable(block)).write_volatile(mark(block, size as u64)) }
}

/// Removes the mark, so that a later foreign block in the same place is not taken for ours.
///
/// # Safety
/// As for [`usable`], and the block has a mark.
unsafe fn remove_mark(block: *mut c_void) {
    // SAFETY: the block has a mark.
    unsafe { mark_of(block, usable(block)).write_volatile(0) }
}

/// The requested size of a block; none if it is foreign.
///
/// # Safety
/// As for [`usable`].
pub(super) unsafe fn size(block: *mut c_void) -> Option<usize> {
    // SAFETY: the same contract.
    let usable = unsafe { usable(block) };
    let most = usable.checked_sub(EXTRA_BYTES)?;
    // SAFETY: the subtraction found eight bytes. In a foreign block nobody may have written
    // them; a volatile read of memory that is mapped takes what is there.
    let found = unsafe { mark_of(block, usable).read_volatile() };
    let size = found & SIZE_BITS;
    (found == mark(block, size) && size <= most as u64)
        .then(|| usize::try_from(size).ok())
        .flatten()
}

/// Has `allocate` make a block with room for `size` bytes and what is ours, and counts it.
///
/// # Safety
/// `allocate` returns null, or a new block of glibc's with so many bytes.
#[inline(always)]
pub(super) unsafe fn new(size: usize, allocate: impl FnOnce(usize) -> *mut c_void) -> *mut c_void {
    // Too large a sum is refused.
    let block = allocate(size.saturating_add(EXTRA_BYTES));
    if block.is_null() {
        return block;
    }
    // SAFETY: it is new, and has the room.
    unsafe {
        write_mark(block, size);
        REQUESTS.set(Requests::Uncounted);
        let block = counted(block, size);
        REQUESTS.set(Requests::OfProgram);
        block
    }
}

/// # Safety
/// `block` is new and has room for `size` bytes and what is ours.
#[inline(always)]
unsafe fn counted(block: *mut c_void, size: usize) -> *mut c_void {
    let own = ledger::own();
    let place = block.cast();
    if let Some(footer) = own.try_allocated(size) {
        // SAFETY: the caller promises the room.
        unsafe { footer::write(place, size, footer) };
        return block;
    }
    if !limit::refuses(size, scope) {
        // SAFETY: the caller promises the room.
        let counted = unsafe { trace::allocated(place, size, own) };
        if !counted.is_null() {
            return counted.cast();
        }
    }
    // SAFETY: nobody has seen the block.
    unsafe {
        remove_mark(block);
        __libc_free(block);
    }
    fail(libc::ENOMEM)
}

/// Whether a resize to `new` bytes is to fail. The unwinder may make requests meanwhile.
fn is_refused(new: usize) -> bool {
    let before = REQUESTS.replace(Requests::Uncounted);
    let is_refused = slowly::refuses(new, true);
    REQUESTS.set(before);
    is_refused
}

/// Counts the free of a block of `size` bytes and frees it.
///
/// # Safety
/// The block has a mark that says so, and the caller gives it up.
pub(super) unsafe fn free(block: *mut c_void, size: usize) {
    let place = block.cast::<u8>();
    // SAFETY: a block with a mark has a footer, too.
    let owner = unsafe { footer::read(place, size) };
    let own = ledger::own();
    if !own.try_freed(owner, size) && !trace::try_freed(place, size, owner, own) {
        trace::freed_slowly(place, owner);
        ledger::current().freed(owner, size);
    }
    // SAFETY: the caller's promises are passed on.
    unsafe {
        remove_mark(block);
        __libc_free(block);
    }
}

/// Resizes a block of `old` bytes to `new`, which is not zero, and counts that. A failure
/// leaves the block and the counts as they were.
///
/// # Safety
/// The block has a mark that says so, and the caller gives it up if this succeeds.
pub(super) unsafe fn resize(block: *mut c_void, old: usize, new: usize) -> *mut c_void {
    // So large a block can't be.
    if new > isize::MAX as usize - EXTRA_BYTES || limit::refuses(new.saturating_sub(old), scope) {
        return fail(libc::ENOMEM);
    }
    let place = block.cast::<u8>();
    // Before the call, as another thread may have the old place after it.
    //
    // SAFETY: a block with a mark has a footer, too.
    let owner = unsafe { footer::read(place, old) };
    let is_slow = ledger::own().is_slow(owner);
    if is_slow && is_refused(new) {
        return fail(libc::ENOMEM);
    }
    let followed = is_slow.then(|| trace::Resize::of(place, old, new, owner));
    // SAFETY: the caller's promises are passed on. The room for what is ours is asked for.
    let moved = unsafe {
        remove_mark(block);
        let moved = __libc_realloc(block, new + EXTRA_BYTES);
        if moved.is_null() {
            write_mark(block, old);
        } else {
            write_mark(moved, new);
        }
        moved
    };
    let before = REQUESTS.replace(Requests::Uncounted);
    // SAFETY: it is null, or has the room.
    unsafe {
        match followed {
            Some(followed) => _ = trace::resized(moved.cast(), &followed),
            None if moved.is_null() => {}
            None => _ = slowly::resized(moved.cast(), owner, old, new),
        }
    }
    REQUESTS.set(before);
    moved
}
