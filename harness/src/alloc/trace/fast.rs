//! The paths of most blocks that are followed: one comparison says that this thread's are,
//! the stack's hash is computed while it is walked, and the site with it is known.
//!
//! Everything is looked at before anything is written. Whatever else there is to do, such
//! as a site that nobody knows yet or a ledger that has to be flushed, is done by one cold
//! function in `slow`, which starts again from nothing. It is given the frame from which the
//! stack is walked here: another frame more, and it would find other sites than are looked
//! for here.

use super::MODE;
use super::shadow;
use super::sites;
use super::slow::{self, Resize};
use super::stack::{self, DEPTH, Frame, Hash, opaque};
use crate::alloc::footer;
use crate::alloc::ledger::{self, Follower, Own};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How many frames are looked at between two looks at how many there were.
const AT_ONCE: usize = 4;
const _: () = assert!(DEPTH.is_multiple_of(AT_ONCE));

/// Counts a new block, writes its footer, follows it if it is to be followed, and
/// returns it.
///
/// # Safety
/// `block` was just allocated with room for `size` bytes and the footer; `own` is the
/// calling thread's.
#[cold]
#[inline(never)]
pub(in crate::alloc) unsafe fn allocated(block: *mut u8, size: usize, own: Own) -> *mut u8 {
    // SAFETY: the caller's promises are passed on.
    if unsafe { try_allocated(block, size, own) }.is_some() {
        return block;
    }
    let frame = Frame::own();
    // SAFETY: the caller's promises are passed on.
    let block = unsafe { slow::allocated(block, size, frame) };
    stack::is_running();
    block
}

/// # Safety
/// As for [`allocated`].
#[inline(always)]
unsafe fn try_allocated(block: *mut u8, size: usize, own: Own) -> Option<()> {
    let follower = own.follower()?;
    if follower.trace() != MODE.load(Relaxed) {
        return None;
    }
    // SAFETY: the thread was found to be followed.
    let (number, entry) = unsafe { place(block, follower, Frame::own())? };
    follower.ledger().try_allocated(size)?;
    // SAFETY: the caller promises the room.
    unsafe { footer::write(block, size, follower.footer()) };
    // A block of a ledger that need not be flushed is smaller than what fits.
    entry.store(shadow::bits(number, size), Relaxed);
    follower.counts(number).allocated(size);
    Some(())
}

/// The number of the site of this stack, if it is known, and the entry of a block that is
/// new, if there is one and it is free.
///
/// # Safety
/// The calling thread, whose `follower` is, was found to be followed; `frame` is of a
/// function that is still running.
#[inline(always)]
unsafe fn place(
    block: *mut u8,
    follower: &Follower,
    frame: Frame,
) -> Option<(u32, &'static AtomicU64)> {
    let hash = hash(frame, follower)?;
    // SAFETY: so the table of sites is there, as `follow_new` put it there.
    let number = unsafe { sites::at_home(follower.sites(), hash)? };
    // SAFETY: the caller's promise is passed on.
    let entry = unsafe { entry(block, follower)? };
    (entry.load(Relaxed) == 0).then_some((number, entry))
}

/// The entry of a block: in the region of the one before, or in another, which is then
/// remembered.
///
/// # Safety
/// The calling thread, whose `follower` is, was found to be followed.
#[inline(always)]
pub(super) unsafe fn entry(block: *mut u8, follower: &Follower) -> Option<&'static AtomicU64> {
    let address = block as usize;
    // SAFETY: so `follow_new` put a region there, and whatever came after it is one too.
    if let Some(entry) = unsafe { shadow::entry(follower.near(), address) } {
        return Some(entry);
    }
    let near = shadow::near(address)?;
    follower.set_near(near);
    // SAFETY: it is what was found just now.
    unsafe { shadow::entry(near, address) }
}

/// Counts a free and stops following the block; false, and nothing is done, where more is
/// to be done.
#[inline(always)]
pub(in crate::alloc) fn try_freed(block: *mut u8, size: usize, owner: u32, own: Own) -> bool {
    let free = || {
        let follower = own.follower_with(owner)?;
        if follower.trace() != MODE.load(Relaxed) {
            return None;
        }
        // SAFETY: the thread was found to be followed.
        let entry = unsafe { entry(block, follower)? };
        let number = shadow::site(entry.load(Relaxed), size)?;
        follower.ledger().try_freed(size)?;
        entry.store(0, Relaxed);
        follower.counts(number).freed(size);
        Some(())
    };
    free().is_some()
}

/// Counts a block that was resized and is now at `block`, and follows it; or, if that is
/// null, leaves everything as it was. Returns `block`.
///
/// # Safety
/// `block` is null, or live with room for the new size and the footer.
#[inline(never)]
pub(in crate::alloc) unsafe fn resized(block: *mut u8, resize: &Resize) -> *mut u8 {
    // SAFETY: the caller's promises are passed on.
    if !block.is_null() && unsafe { try_resized(block, resize) }.is_some() {
        return block;
    }
    let frame = Frame::own();
    // SAFETY: the caller's promises are passed on.
    let block = unsafe { slow::resized(block, resize, frame) };
    stack::is_running();
    block
}

/// # Safety
/// As for [`resized`], and `block` is not null.
#[inline(always)]
unsafe fn try_resized(block: *mut u8, resize: &Resize) -> Option<()> {
    let follower = ledger::own().follower_with(resize.owner)?;
    if follower.trace() != MODE.load(Relaxed) {
        return None;
    }
    let old_number = shadow::site(resize.taken, resize.old_size)?;
    if !shadow::fits(resize.new_size) {
        return None;
    }
    // SAFETY: the thread was found to be followed.
    let (number, entry) = unsafe { place(block, follower, Frame::own())? };
    let ledger = follower.ledger();
    ledger.try_resized(resize.old_size, resize.new_size)?;
    // SAFETY: the caller promises the room.
    unsafe { footer::write(block, resize.new_size, resize.owner) };
    entry.store(shadow::bits(number, resize.new_size), Relaxed);
    follower.counts(old_number).freed(resize.old_size);
    follower.counts(number).allocated(resize.new_size);
    Some(())
}

/// The hash of the stack from this frame on, by frame pointers; none if it is not on the
/// stack that is known of the thread.
///
/// A frame's place is its distance from `above`, below which the stack lies, so places on
/// the stack are the largest numbers. One comparison says that a frame lies above the one
/// before and on the stack. Whether it is aligned is not looked at: what is no frame leads to
/// a hash that no site has.
#[inline(always)]
fn hash(frame: Frame, follower: &Follower) -> Option<u64> {
    let (above, lowest) = follower.stack();
    let sp = frame.sp.wrapping_sub(above);
    let mut place = frame.bp.wrapping_sub(above);
    if sp < lowest || place < sp {
        return None;
    }
    let mut hash = Hash::new();
    for _ in 0..DEPTH / AT_ONCE {
        for _ in 0..AT_ONCE {
            let at = place.wrapping_add(above) as *const [usize; 2];
            // SAFETY: the stack is mapped from its pointer, which the place is not below, to
            // its end, before which there is room for two words, as the place is below
            // `above`. Whatever is there is two words.
            let [next, address] = unsafe { at.read_unaligned() };
            hash.add(stack::return_address(address));
            let next = next.wrapping_sub(above);
            if next <= place {
                return Some(opaque(hash.get() as usize) as u64);
            }
            // Or the address would be kept beside it, and more registers than are free.
            place = opaque(next);
        }
    }
    // Or parts of the slot that is looked for would be computed with each frame.
    Some(opaque(hash.get() as usize) as u64)
}
