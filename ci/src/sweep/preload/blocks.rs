//! What is known of a block: its footer.

use crate::counts::{LIVE_BLOCKS, MAIN_BLOCKS, TOTAL_BLOCKS, is_counted, is_started, rise};
use crate::stacks;
use std::ffi::c_void;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Bytes behind each block.
pub(crate) const FOOTER: usize = 16;
/// Bits of the footer that hold the size; no program on x86-64 has as many bytes.
const SIZE_BITS: u32 = 47;
/// The bit that says that the block counts; those above it are a check.
const COUNTED: u64 = 1 << SIZE_BITS;

/// What is known of a block of ours.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Block {
    pub(crate) size: usize,
    pub(crate) is_counted: bool,
    /// The number of the call stack that it is counted for.
    pub(crate) stack: usize,
}

/// The usable bytes of a block of glibc's.
///
/// # Safety
/// glibc's `malloc` family gave `block` out, and nobody has freed it.
pub(crate) unsafe fn usable(block: *mut c_void) -> usize {
    // SAFETY: the eight bytes before a block are its chunk's header, aligned. Another thread may
    // write its lowest bit there when it allocates or frees the chunk before, hence the atomic.
    let header = unsafe { AtomicU64::from_ptr(block.cast::<u64>().sub(1)) }.load(Relaxed) as usize;
    let is_mapped = header & 2 != 0;
    (header & !7).wrapping_sub(if is_mapped { 16 } else { 8 })
}

/// Where the footer of a block with so many usable bytes is: the number of its stack, and behind
/// it the size with a check.
///
/// # Safety
/// `block` has `usable` usable bytes, and they are no fewer than [`FOOTER`].
unsafe fn footer(block: *mut c_void, usable: usize) -> *mut u64 {
    // SAFETY: by the contract it is in the block. It is aligned: blocks and chunks are, by 16,
    // and so are the usable bytes, by 8.
    unsafe { block.cast::<u8>().add(usable - FOOTER).cast() }
}

/// What the footer of this block reads. The upper bits depend on the address.
fn mark(block: *mut c_void, known: Block) -> u64 {
    let check = (block as u64 ^ 0x6869_6768_7761_7465).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let counted = if known.is_counted { COUNTED } else { 0 };
    check & !(COUNTED | (COUNTED - 1)) | counted | known.size as u64
}

/// Writes the footer. Does not count.
///
/// # Safety
/// As for [`usable`], and the block was allocated for its size and [`FOOTER`] bytes more.
pub(crate) unsafe fn seal(block: *mut c_void, known: Block) {
    // SAFETY: by the contract the footer is behind the requested bytes.
    unsafe {
        let footer = footer(block, usable(block));
        footer.write_volatile(known.stack as u64);
        footer.add(1).write_volatile(mark(block, known));
    }
}

/// What is known of a block; none if it is foreign.
///
/// # Safety
/// As for [`usable`].
pub(crate) unsafe fn known(block: *mut c_void) -> Option<Block> {
    // SAFETY: the same contract.
    let usable = unsafe { usable(block) };
    let most = usable.checked_sub(FOOTER)?;
    // SAFETY: the checked subtraction found as many bytes. In a foreign block nobody may have
    // written them; a volatile read of memory that is mapped takes what is there.
    let [stack, found] = unsafe {
        let footer = footer(block, usable);
        [footer.read_volatile(), footer.add(1).read_volatile()]
    };
    let known = Block {
        size: (found & (COUNTED - 1)) as usize,
        is_counted: found & COUNTED != 0,
        stack: stack as usize,
    };
    (found == mark(block, known) && known.size <= most).then_some(known)
}

/// Removes the footer, so that a later foreign block in the same place is not taken for ours.
///
/// # Safety
/// As for [`usable`], and the block has a footer.
pub(crate) unsafe fn unseal(block: *mut c_void) {
    // SAFETY: the block has a footer.
    unsafe { footer(block, usable(block)).add(1).write_volatile(0) }
}

/// Counts a new block, if there is one, and hands it on.
///
/// # Safety
/// `block` is null or as for [`seal`].
pub(crate) unsafe fn counted(block: *mut c_void, size: usize) -> *mut c_void {
    if block.is_null() {
        return block;
    }
    let is_counted = is_counted();
    let stack = if is_counted {
        stacks::allocated(size)
    } else {
        0
    };
    let known = Block {
        size,
        is_counted,
        stack,
    };
    // SAFETY: the same contract.
    unsafe { seal(block, known) };
    if is_counted {
        rise(size);
        LIVE_BLOCKS.fetch_add(1, Relaxed);
        TOTAL_BLOCKS.fetch_add(1, Relaxed);
    } else if is_started() {
        MAIN_BLOCKS.fetch_add(1, Relaxed);
    }
    block
}
