//! What is known of a block: its footer, and that it is there.

use crate::counts::{LIVE_BLOCKS, MAIN_BLOCKS, TOTAL_BLOCKS, is_counted, is_started, rise};
use crate::{addresses, stacks};
use std::ffi::c_void;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Bytes behind each block.
pub(crate) const FOOTER: usize = 16;
/// Bits of the footer that hold the size; no program on x86-64 has as many bytes.
const SIZE_BITS: u32 = 47;
/// The bit that says that the block counts; those above it are a check.
const COUNTED: u64 = 1 << SIZE_BITS;
/// The bit of glibc's header that says that the block is in a heap for threads other than the main
/// one.
const OF_THREADS: usize = 4;

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
    // SAFETY: the same contract.
    usable_by(unsafe { header(block) })
}

/// glibc's header of a block.
///
/// # Safety
/// As for [`usable`].
unsafe fn header(block: *mut c_void) -> usize {
    // SAFETY: the eight bytes before a block are its chunk's header, aligned. Another thread may
    // write its lowest bit there when it allocates or frees the chunk before, hence the atomic.
    unsafe { AtomicU64::from_ptr(block.cast::<u64>().sub(1)) }.load(Relaxed) as usize
}

/// The usable bytes of a block with this header.
fn usable_by(header: usize) -> usize {
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
fn mark(block: usize, known: Block) -> u64 {
    let check = (block as u64 ^ 0x6869_6768_7761_7465).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let counted = if known.is_counted { COUNTED } else { 0 };
    check & !(COUNTED | (COUNTED - 1)) | counted | known.size as u64
}

/// Writes the footer, and notes that the block is there. Does not count.
///
/// # Safety
/// As for [`usable`], and the block was allocated for its size and [`FOOTER`] bytes more.
pub(crate) unsafe fn seal(block: *mut c_void, known: Block) {
    // SAFETY: by the contract the footer is behind the requested bytes.
    let header = unsafe {
        let header = header(block);
        let footer = footer(block, usable_by(header));
        footer.write_volatile(known.stack as u64);
        footer.add(1).write_volatile(mark(block.addr(), known));
        header
    };
    addresses::add(block.addr(), header & OF_THREADS != 0);
}

/// What is known of a block; none if it is foreign.
///
/// # Safety
/// As for [`usable`].
pub(crate) unsafe fn known(block: *mut c_void) -> Option<Block> {
    // SAFETY: the same contract.
    let usable = unsafe { usable(block) };
    usable.checked_sub(FOOTER)?;
    // SAFETY: the checked subtraction found as many bytes. In a foreign block nobody may have
    // written them; a volatile read of memory that is mapped takes what is there.
    let words = unsafe {
        let footer = footer(block, usable);
        [footer.read_volatile(), footer.add(1).read_volatile()]
    };
    understood(block.addr(), usable, words)
}

/// What is known of a block, by the words that `word` reads at addresses; none if it is foreign or
/// can't be read.
pub(crate) fn read(block: usize, mut word: impl FnMut(usize) -> Option<usize>) -> Option<Block> {
    let usable = usable_by(word(block.checked_sub(8)?)?);
    let footer = block.checked_add(usable.checked_sub(FOOTER)?)?;
    let words = [word(footer)? as u64, word(footer + 8)? as u64];
    understood(block, usable, words)
}

/// What the words of a footer say; none if they are none.
fn understood(block: usize, usable: usize, [stack, found]: [u64; 2]) -> Option<Block> {
    let known = Block {
        size: (found & (COUNTED - 1)) as usize,
        is_counted: found & COUNTED != 0,
        stack: stack as usize,
    };
    let most = usable.checked_sub(FOOTER)?;
    (found == mark(block, known) && known.size <= most).then_some(known)
}

/// Removes the footer, so that a later foreign block in the same place is not taken for ours, and
/// notes that the block is no more.
///
/// # Safety
/// As for [`usable`], and the block has a footer.
pub(crate) unsafe fn unseal(block: *mut c_void) {
    addresses::remove(block.addr());
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
