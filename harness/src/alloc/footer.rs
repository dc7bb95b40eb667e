//! The four bytes behind every block that say who owns it.
//!
//! A footer needs no alignment work, because `dealloc` and `realloc` are given
//! the size; a header would break 16-byte alignment and a table keyed by address
//! costs twice the time. The first byte behind the block is a fixed guard, the
//! other three are the owner's tag: a program that writes one byte too far, the
//! commonest mistake, damages the guard and leaves the owner readable.

use std::alloc::Layout;

/// What a block grows by.
pub(super) const FOOTER_BYTES: usize = 4;

/// Tags are below this, since three bytes hold them.
pub(super) const TAG_LIMIT: u32 = 1 << 24;

const GUARD: u32 = 0xA5;

/// The footer that stands for `tag`.
pub(super) const fn seal(tag: u32) -> u32 {
    (tag << 8) | GUARD
}

/// The tag in an undamaged footer.
pub(super) const fn open(footer: u32) -> Option<u32> {
    if footer & 0xFF == GUARD {
        Some(tag_bits(footer))
    } else {
        None
    }
}

/// The three tag bytes, whether or not the guard is whole.
pub(super) const fn tag_bits(footer: u32) -> u32 {
    footer >> 8
}

/// `layout` with room for the footer; none when that would pass the largest
/// size that a layout may have.
#[cfg_attr(not(debug_assertions), inline)]
pub(super) fn with_room(layout: Layout) -> Option<Layout> {
    const SURELY_FITS: usize = isize::MAX as usize / 4;
    let size = layout.size().wrapping_add(FOOTER_BYTES);
    if layout.size() > SURELY_FITS {
        return Layout::from_size_align(layout.size().checked_add(FOOTER_BYTES)?, layout.align())
            .ok();
    }
    // SAFETY: the alignment is that of a layout, so a power of two and at most
    // half of `isize::MAX + 1`. With a size of at most a quarter and four, the
    // size rounded up to the alignment does not pass `isize::MAX`.
    Some(unsafe { Layout::from_size_align_unchecked(size, layout.align()) })
}

/// `size` with room for the footer; none where that is no valid size for the alignment.
#[cfg_attr(not(debug_assertions), inline)]
pub(super) fn room_for(size: usize, align: usize) -> Option<usize> {
    let with_room = size.checked_add(FOOTER_BYTES)?;
    Layout::from_size_align(with_room, align).ok()?;
    Some(with_room)
}

/// Reads the footer of a block of `size` bytes.
///
/// # Safety
/// `block` must be live, allocated for `size + FOOTER_BYTES` bytes, with a
/// footer written by [`write`].
#[cfg_attr(not(debug_assertions), inline)]
pub(super) unsafe fn read(block: *const u8, size: usize) -> u32 {
    // SAFETY: the caller promises that the four bytes at `block + size` are
    // ours; they were initialised by `write`, and need no alignment here.
    u32::from_le(unsafe { block.add(size).cast::<u32>().read_unaligned() })
}

/// Writes the footer of a block of `size` bytes.
///
/// # Safety
/// `block` must be live and allocated for `size + FOOTER_BYTES` bytes.
#[cfg_attr(not(debug_assertions), inline)]
pub(super) unsafe fn write(block: *mut u8, size: usize, footer: u32) {
    // SAFETY: the caller promises that the four bytes at `block + size` are
    // ours to write.
    unsafe {
        block
            .add(size)
            .cast::<u32>()
            .write_unaligned(footer.to_le());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tag_survives_the_seal() {
        for tag in [0, 1, 255, 256, 65_535, TAG_LIMIT - 1] {
            assert_eq!(open(seal(tag)), Some(tag));
        }
    }

    #[test]
    fn a_damaged_guard_hides_the_tag_but_keeps_its_bits() {
        let damaged = seal(77) & !0xFF;
        assert_eq!(open(damaged), None);
        assert_eq!(tag_bits(damaged), 77);
        assert_eq!(open(0), None);
        assert_eq!(open(u32::MAX), None);
    }

    #[test]
    fn the_guard_is_the_first_byte_behind_the_block() {
        let mut memory = [0u8; 7];
        // SAFETY: three bytes of block and four of footer are in the array.
        unsafe { write(memory.as_mut_ptr(), 3, seal(0x01_02_03)) };
        assert_eq!(memory, [0, 0, 0, 0xA5, 3, 2, 1]);
    }

    #[test]
    fn a_layout_too_large_for_its_footer_is_refused() {
        let largest = Layout::from_size_align(isize::MAX as usize - 3, 1).unwrap();
        assert_eq!(with_room(largest), None);
        let fits = Layout::from_size_align(isize::MAX as usize - 4, 1).unwrap();
        assert_eq!(with_room(fits).map(|l| l.size()), Some(isize::MAX as usize));
    }
}
