//! Where the live blocks are: a bit for each address that a block can have.
//!
//! The search at the end needs them all, also those of threads that do not count, because each may
//! hold others. The bits are in windows, each mapped when the first block is in it. So a block
//! costs no more than a bit, adding and removing one needs no lock, and the blocks are in order. A
//! window is as large as a heap that glibc has for threads other than the main one, and begins where
//! such a heap does, so a window is such a heap as a whole, or none of it is.

use crate::memory::{map, unmap};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering::*};

/// The bytes of a window: 64 MiB.
pub(crate) const WINDOW: usize = 1 << 26;
/// glibc's alignment of blocks.
const ALIGNMENT: usize = 16;
/// The words with the bits of a window.
const WORDS: usize = WINDOW / ALIGNMENT / 64;
/// The most windows.
const MOST: usize = 4_096;

type Bits = [AtomicU64; WORDS];

/// A part of the address space in which there were blocks.
struct Window {
    /// Its address by [`WINDOW`], and one more; 0 if the place is free.
    number: AtomicUsize,
    /// Whether glibc has a heap for threads there.
    is_heap: AtomicBool,
    /// Null until it is mapped.
    bits: AtomicPtr<Bits>,
}

static WINDOWS: [Window; MOST] = [const {
    Window {
        number: AtomicUsize::new(0),
        is_heap: AtomicBool::new(false),
        bits: AtomicPtr::new(ptr::null_mut()),
    }
}; MOST];
/// Whether a block had no place.
static IS_FULL: AtomicBool = AtomicBool::new(false);

/// A new block at this address, in one of glibc's heaps for threads or elsewhere.
pub(crate) fn add(block: usize, is_in_heap: bool) {
    let Some((window, bits)) = window(block).and_then(|window| Some((window, bits(window)?)))
    else {
        IS_FULL.store(true, Relaxed);
        return;
    };
    if is_in_heap && !window.is_heap.load(Relaxed) {
        window.is_heap.store(true, Relaxed);
    }
    let (word, bit) = place(block);
    bits[word].fetch_or(bit, Relaxed);
}

/// The block at this address is no more.
pub(crate) fn remove(block: usize) {
    if let Some(bits) = window(block).and_then(bits) {
        let (word, bit) = place(block);
        bits[word].fetch_and(!bit, Relaxed);
    }
}

/// Whether a block was not added for want of room.
pub(crate) fn is_full() -> bool {
    IS_FULL.load(Relaxed)
}

/// The index of the block's word in its window, and its bit in it.
fn place(block: usize) -> (usize, u64) {
    let at = block % WINDOW / ALIGNMENT;
    (at / 64 % WORDS, 1 << (at % 64))
}

/// The window with this address, which gets a place if it has none; none if there is no place.
fn window(address: usize) -> Option<&'static Window> {
    let number = address / WINDOW + 1;
    let hash = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    (0..MOST)
        .map(|step| &WINDOWS[hash.wrapping_add(step) % MOST])
        .find(|window| match window.number.load(Relaxed) {
            0 => match window.number.compare_exchange(0, number, Relaxed, Relaxed) {
                Ok(_) => true,
                Err(other) => other == number,
            },
            other => other == number,
        })
}

/// The bits of a window, which are mapped if they are not; none if there is no memory.
fn bits(window: &'static Window) -> Option<&'static Bits> {
    let mut bits = window.bits.load(Acquire);
    if bits.is_null() {
        let new = map(size_of::<Bits>())?;
        let placed = window
            .bits
            .compare_exchange(bits, new.cast(), AcqRel, Acquire);
        bits = match placed {
            Ok(_) => new.cast(),
            Err(other) => {
                // SAFETY: it was mapped here, and nobody else has its address.
                unsafe { unmap(new, size_of::<Bits>()) };
                other
            }
        };
    }
    // SAFETY: what is stored was mapped for as many zeros, and stays mapped.
    Some(unsafe { &*bits })
}

/// The windows, by address.
fn windows() -> impl Iterator<Item = (usize, &'static Window)> {
    let after = |last: usize| {
        let number = |window: &&Window| window.number.load(Relaxed);
        let later = WINDOWS.iter().filter(move |window| number(window) > last);
        later.min_by_key(number)
    };
    let mut last = 0;
    std::iter::from_fn(move || {
        let window = after(last)?;
        last = window.number.load(Relaxed);
        Some((last.wrapping_sub(1).wrapping_mul(WINDOW), window))
    })
}

/// The bits that are mapped.
fn mapped(window: &Window) -> Option<&'static Bits> {
    // SAFETY: as for `bits`.
    unsafe { window.bits.load(Acquire).as_ref() }
}

/// How many blocks there are.
pub(crate) fn count() -> usize {
    let words = windows().filter_map(|(_, window)| mapped(window)).flatten();
    words
        .map(|word| word.load(Relaxed).count_ones() as usize)
        .sum()
}

/// The blocks, by address.
pub(crate) fn all() -> impl Iterator<Item = usize> {
    windows().flat_map(|(start, window)| {
        let words = mapped(window).into_iter().flatten().zip(0..);
        words.flat_map(move |(word, at): (_, usize)| {
            let mut rest = word.load(Relaxed);
            std::iter::from_fn(move || {
                let bit = (rest != 0).then(|| rest.trailing_zeros() as usize)?;
                rest &= rest - 1;
                Some(start + (at * 64 + bit) * ALIGNMENT)
            })
        })
    })
}

/// Whether glibc has a heap for threads at this address.
pub(crate) fn is_in_heap(address: usize) -> bool {
    let number = address / WINDOW + 1;
    let is_it = |window: &&Window| window.number.load(Relaxed) == number;
    let window = WINDOWS.iter().find(is_it);
    window.is_some_and(|window| window.is_heap.load(Relaxed))
}

/// Where glibc's heaps for threads begin.
pub(crate) fn heaps() -> impl Iterator<Item = usize> {
    let heaps = windows().filter(|(_, window)| window.is_heap.load(Relaxed));
    heaps.map(|(start, _)| start)
}

/// Where the bits themselves are: start and end.
pub(crate) fn rooms() -> impl Iterator<Item = (usize, usize)> {
    let bits = WINDOWS.iter().filter_map(mapped);
    bits.map(|bits| {
        (
            bits.as_ptr().addr(),
            bits.as_ptr().addr() + size_of::<Bits>(),
        )
    })
}
