//! Finds out whether what this library takes for granted holds here: how glibc lays out its
//! blocks, that the family counts to the byte, and that the search tells what is unreachable.
//!
//! The tool runs this in a process of its own before it trusts any figure.

use crate::blocks::{Block, FOOTER, known, usable};
use crate::caller::Caller;
use crate::counts::{LIVE_BLOCKS, LIVE_BYTES, MAIN, NOBODY, TOTAL_BLOCKS, TOTAL_BYTES};
use crate::family::{calloc, free, malloc, memalign, realloc};
use crate::output::Output;
use crate::search::unreachable;
use crate::system::*;
use std::ffi::{CStr, c_void};
use std::hint::black_box;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering::Relaxed};

/// `RTLD_NEXT`: the libraries behind this one.
const BEHIND: *mut c_void = ptr::without_provenance_mut(usize::MAX);
/// Every size below this is tried, and some above, on both sides of where glibc maps memory.
const SMALL: usize = 2_100;
const LARGE: [usize; 8] = [
    4_096,
    65_519,
    131_048,
    131_064,
    131_072,
    200_001,
    1 << 20,
    40_000_000,
];
const ALIGNMENTS: [usize; 3] = [16, 64, 4_096];

/// What is not as it is taken for: what, of which size, what is right, and what was found.
type Wrong = (&'static [u8], usize, usize, usize);

/// Checks on this thread, which has glibc's first arena, and on another, which has another; writes
/// what was found, with glibc's version, and ends the process.
pub(crate) fn run() -> ! {
    MAIN.store(NOBODY, Relaxed);
    let mut wrong = check().err();
    // Before there is a thread, whose stack would have old addresses.
    let stack = 0_usize;
    let of_search = search((&raw const stack).addr()).err();
    if wrong.is_none() {
        let mut of_thread: Option<Wrong> = None;
        let mut thread = 0;
        // SAFETY: the thread has ended before its argument, a place for its result, goes away.
        unsafe {
            let place = (&raw mut of_thread).cast();
            let error = pthread_create(&mut thread, ptr::null(), in_thread, place);
            if error == 0 {
                pthread_join(thread, ptr::null_mut());
            } else {
                of_thread = Some((b"pthread_create", 0, 0, error as usize));
            }
        }
        // Without the search, there are all other figures.
        wrong = of_thread.or(of_search);
    }
    if let Some(mut output) = Output::of_figures() {
        // SAFETY: glibc's version is a text that ends with a zero.
        output.c_word(unsafe { CStr::from_ptr(gnu_get_libc_version()) });
        let (what, size, right, found) = wrong.unwrap_or((b"holds", 0, 0, 0));
        output.word(what);
        [size, right, found]
            .into_iter()
            .for_each(|number| output.number(number));
    }
    // SAFETY: nothing of this process is needed any more.
    unsafe { _exit(0) }
}

unsafe extern "C" fn in_thread(place: *mut c_void) -> *mut c_void {
    // SAFETY: the place is that of `run`, which waits.
    unsafe { place.cast::<Option<Wrong>>().write(check().err()) };
    ptr::null_mut()
}

fn check() -> Result<(), Wrong> {
    // SAFETY: it is asked for a function of this type, which glibc has.
    let of_glibc: unsafe extern "C" fn(*mut c_void) -> usize = unsafe {
        let function = dlsym(BEHIND, c"malloc_usable_size".as_ptr());
        if function.is_null() {
            return Err((b"malloc_usable_size", 0, 0, 0));
        }
        std::mem::transmute(function)
    };
    for size in (0..SMALL).chain(LARGE) {
        // SAFETY: each block is new, used within its bounds, and freed once.
        unsafe {
            for block in [__libc_malloc(size), __libc_memalign(64, size)] {
                if block.is_null() {
                    return Err((b"memory", size, size, 0));
                }
                let [right, found] = [of_glibc(block), usable(block)];
                __libc_free(block);
                is(b"usable", size, right, found)?;
            }
            resized(size, of_glibc)?;
        }
    }
    for alignment in ALIGNMENTS {
        // SAFETY: as above.
        unsafe {
            let block = memalign(alignment, 100);
            if block.is_null() {
                return Err((b"memory", 100, 100, 0));
            }
            let found = known(block).map_or(0, |known| known.size);
            let misplaced = block.addr() % alignment;
            free(block);
            is(b"aligned", 100, 100, found)?;
            is(b"alignment", alignment, 0, misplaced)?;
        }
    }
    Ok(())
}

/// Allocates, resizes and frees a block through the family.
///
/// # Safety
/// `of_glibc` is glibc's `malloc_usable_size`.
unsafe fn resized(
    size: usize,
    of_glibc: unsafe extern "C" fn(*mut c_void) -> usize,
) -> Result<(), Wrong> {
    let counts = [&LIVE_BYTES, &LIVE_BLOCKS, &TOTAL_BYTES, &TOTAL_BLOCKS];
    let counts = || counts.map(|count| count.load(Relaxed));
    let before = counts();
    let more = size + size / 2 + 1;
    // SAFETY: the block is used within its bounds, and freed once.
    unsafe {
        let mut block = malloc(size);
        if block.is_null() {
            return Err((b"memory", size, size, 0));
        }
        ptr::write_bytes(block.cast::<u8>(), 0xAB, size);
        is(b"usable", size, of_glibc(block), usable(block))?;
        for size in [size, more] {
            if size == more {
                block = realloc(block, more);
            }
            is_known(block, size)?;
            is(b"room", size, 1, (of_glibc(block) >= size + FOOTER).into())?;
        }
        let kept = (0..size).filter(|at| block.cast::<u8>().add(*at).read() == 0xAB);
        is(b"contents", size, size, kept.count())?;
        let during = counts();
        free(block);
        let after = counts();
        is(b"live", size, more, during[0].wrapping_sub(before[0]))?;
        is(b"blocks", size, 1, during[1].wrapping_sub(before[1]))?;
        is(b"total", size, more, after[2].wrapping_sub(before[2]))?;
        is(b"all", size, 1, after[3].wrapping_sub(before[3]))?;
        is(b"freed", size, before[0], after[0])?;
        is(b"gone", size, before[1], after[1])
    }
}

/// Where the only thing that leads to a block is kept, and an address that leads to none.
static HELD: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());
static NOT_HELD: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());
/// The sizes of blocks: one to which a static leads, one to which that leads, one to whose end a
/// static leads, and one to which nothing does.
const SIZES: [usize; 4] = [104, 200_000, 304, 408];

/// Searches before and after four blocks are there. Where nothing can be searched, nothing is
/// wrong: then no test is said to leave something unreachable.
fn search(stack: usize) -> Result<(), Wrong> {
    let caller = Caller {
        stack,
        registers: [0; 6],
    };
    let Ok(before) = unreachable(&caller) else {
        return Ok(());
    };
    if !four_blocks() {
        return Err((b"memory", SIZES[1], SIZES[1], 0));
    }
    let after = unreachable(&caller).unwrap_or_default();
    let right = before[0] + SIZES[2] + SIZES[3];
    is(b"unreachable", 0, right, after[0])?;
    is(b"unreachable", 0, before[1] + 2, after[1])
}

/// Allocates them, and leaves no address of them anywhere else: what this has on its stack is gone
/// when it returns, and the blocks have no old contents. Whether there was memory.
#[inline(never)]
fn four_blocks() -> bool {
    // SAFETY: it takes any sizes.
    let [held, behind, ended, lost] = SIZES.map(|size| unsafe { calloc(1, size) });
    if [held, behind, ended, lost]
        .iter()
        .any(|block| block.is_null())
    {
        return false;
    }
    // SAFETY: the offsets are in the blocks, or at the end of one.
    unsafe {
        held.cast::<*mut c_void>()
            .add(12)
            .write_volatile(behind.add(SIZES[1] - 1));
        // The compiler would leave a static out that nobody reads.
        black_box(&HELD).store(held.add(SIZES[0] / 2), Relaxed);
        black_box(&NOT_HELD).store(ended.add(SIZES[2]), Relaxed);
    }
    black_box(lost);
    true
}

/// # Safety
/// As for [`known`].
unsafe fn is_known(block: *mut c_void, size: usize) -> Result<(), Wrong> {
    let expected = Block {
        size,
        is_counted: true,
        stack: 0,
    };
    // SAFETY: the same contract.
    let known = unsafe { known(block) };
    let found = known.map_or(usize::MAX, |known| known.size);
    is(b"known", size, usize::from(known == Some(expected)), 1)
        .map_err(|(what, ..)| (what, size, size, found))
}

fn is(what: &'static [u8], size: usize, right: usize, found: usize) -> Result<(), Wrong> {
    if right == found {
        Ok(())
    } else {
        Err((what, size, right, found))
    }
}
