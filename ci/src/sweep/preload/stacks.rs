//! The call stacks that allocate, in a table of fixed size: what of each is live, what was at the
//! peak, and what is unreachable at the end.
//!
//! The unwinder of the C compiler's library walks the stacks, so programs need no frame pointers.
//! It takes microseconds for each block, so this is for a second run of few tests.

use crate::output::Output;
use crate::system::*;
use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

/// The most frames of a stack.
const DEPTH: usize = 48;
/// The most stacks. The first one stands for those that are not known.
const STACKS: usize = 8_192;
/// How many places are tried for a stack.
const TRIES: usize = 64;
/// So many blocks at the start have their stack taken, and as many at the end, by the number of
/// blocks of a run before: what is left is often among the last. Others are put down to no stack.
const BUDGET: usize = 500_000;
/// How many threads take stacks at a time.
const WALKERS: usize = 64;
/// The peak is looked at again when it has risen by this part of it.
const PART: usize = 64;

/// A call stack and its blocks.
struct Stack {
    /// Of its frames; 0 if the place is free.
    hash: AtomicUsize,
    /// Return addresses, the innermost first, ended by 0.
    frames: [AtomicUsize; DEPTH],
    live_bytes: AtomicUsize,
    live_blocks: AtomicUsize,
    peak_bytes: AtomicUsize,
    peak_blocks: AtomicUsize,
    unreachable_bytes: AtomicUsize,
    unreachable_blocks: AtomicUsize,
}

static TABLE: [Stack; STACKS] = [const {
    Stack {
        hash: AtomicUsize::new(0),
        frames: [const { AtomicUsize::new(0) }; DEPTH],
        live_bytes: AtomicUsize::new(0),
        live_blocks: AtomicUsize::new(0),
        peak_bytes: AtomicUsize::new(0),
        peak_blocks: AtomicUsize::new(0),
        unreachable_bytes: AtomicUsize::new(0),
        unreachable_blocks: AtomicUsize::new(0),
    }
}; STACKS];
static IS_ON: AtomicBool = AtomicBool::new(false);
/// What is known of the peak from a run before; 0 if nothing is.
static EXPECTED: AtomicUsize = AtomicUsize::new(0);
/// The live bytes when the table was last looked at.
static SEEN: AtomicUsize = AtomicUsize::new(0);
static IS_LOOKING: AtomicBool = AtomicBool::new(false);
/// How many blocks there are, and how many a run before had.
static SEEN_BLOCKS: AtomicUsize = AtomicUsize::new(0);
static BLOCKS: AtomicUsize = AtomicUsize::new(0);
/// The threads that take a stack.
static AT_WORK: [AtomicUsize; WALKERS] = [const { AtomicUsize::new(0) }; WALKERS];

/// Begins to take stacks. `peak` and `blocks` are those of a run before, or 0.
pub(crate) fn start(peak: usize, blocks: usize) {
    EXPECTED.store(peak, Relaxed);
    BLOCKS.store(blocks, Relaxed);
    IS_ON.store(true, Relaxed);
}

/// Counts a new block for the call stack of this thread; the number of the stack, 0 if none.
pub(crate) fn allocated(size: usize) -> usize {
    if !IS_ON.load(Relaxed) {
        return 0;
    }
    let at = SEEN_BLOCKS.fetch_add(1, Relaxed);
    let number = if at < BUDGET || at.saturating_add(BUDGET) >= BLOCKS.load(Relaxed) {
        let mut frames = [0; DEPTH];
        if walk(&mut frames) { place(&frames) } else { 0 }
    } else {
        0
    };
    let stack = &TABLE[number % STACKS];
    stack.live_bytes.fetch_add(size, Relaxed);
    stack.live_blocks.fetch_add(1, Relaxed);
    number
}

/// A block of the stack with this number is freed.
pub(crate) fn freed(number: usize, size: usize) {
    if IS_ON.load(Relaxed) {
        let stack = &TABLE[number % STACKS];
        stack.live_bytes.fetch_sub(size, Relaxed);
        stack.live_blocks.fetch_sub(1, Relaxed);
    }
}

/// A block of the stack with this number has another size.
pub(crate) fn resized(number: usize, before: usize, size: usize) {
    if IS_ON.load(Relaxed) {
        let by = size.wrapping_sub(before);
        TABLE[number % STACKS].live_bytes.fetch_add(by, Relaxed);
    }
}

/// A block of the stack with this number is unreachable.
pub(crate) fn is_unreachable(number: usize, size: usize) {
    let stack = &TABLE[number % STACKS];
    stack.unreachable_bytes.fetch_add(size, Relaxed);
    stack.unreachable_blocks.fetch_add(1, Relaxed);
}

/// Notes what of each stack is live if `live` is the expected peak, or well above the last time.
pub(crate) fn rose(live: usize) {
    if !IS_ON.load(Relaxed) {
        return;
    }
    let seen = SEEN.load(Relaxed);
    let expected = EXPECTED.load(Relaxed);
    let is_expected = seen < expected && live >= expected;
    if (live > seen + seen / PART || is_expected) && !IS_LOOKING.swap(true, Relaxed) {
        SEEN.store(live, Relaxed);
        for stack in &TABLE {
            stack
                .peak_bytes
                .store(stack.live_bytes.load(Relaxed), Relaxed);
            let blocks = stack.live_blocks.load(Relaxed);
            stack.peak_blocks.store(blocks, Relaxed);
        }
        IS_LOOKING.store(false, Relaxed);
    }
}

/// Writes the stacks that have something live or had at the peak, a line for each, if stacks are
/// taken.
pub(crate) fn write(output: &mut Output) {
    if !IS_ON.load(Relaxed) {
        return;
    }
    for stack in &TABLE {
        let figures = [
            &stack.live_bytes,
            &stack.live_blocks,
            &stack.peak_bytes,
            &stack.peak_blocks,
            &stack.unreachable_bytes,
            &stack.unreachable_blocks,
        ];
        let figures = figures.map(|figure| figure.load(Relaxed));
        if figures.iter().any(|figure| *figure > 0) {
            let frames = stack.frames.iter().map(|frame| frame.load(Relaxed));
            line(output, figures, frames);
        }
    }
    write_maps(output);
}

/// Writes this thread's call stack as one that has so many bytes at the peak, in one block.
pub(crate) fn write_own(output: &mut Output, bytes: usize) {
    let mut frames = [0; DEPTH];
    if walk(&mut frames) {
        line(output, [0, 0, bytes, 1, 0, 0], frames.into_iter());
    }
}

fn line(output: &mut Output, figures: [usize; 6], frames: impl Iterator<Item = usize>) {
    output.text(b"\n");
    output.word(b"stack");
    let frames = frames.take_while(|frame| *frame != 0);
    for number in figures.into_iter().chain(frames) {
        output.number(number);
    }
}

/// The number of the stack with these frames, which gets a place if it has none; 0 if there is
/// no place.
fn place(frames: &[usize; DEPTH]) -> usize {
    let mix = |hash: usize, frame: &usize| {
        (hash ^ frame)
            .wrapping_mul(0x9E37_79B9_7F4A_7C15)
            .rotate_left(23)
    };
    let hash = frames.iter().fold(0, mix) | 1;
    for at in (0..TRIES).map(|at| hash.wrapping_add(at) % STACKS) {
        if at == 0 {
            continue;
        }
        let stack = &TABLE[at];
        match stack.hash.compare_exchange(0, hash, Relaxed, Relaxed) {
            Ok(_) => {
                for (place, frame) in stack.frames.iter().zip(frames) {
                    place.store(*frame, Relaxed);
                }
                return at;
            }
            Err(known) if known == hash => return at,
            Err(_) => {}
        }
    }
    0
}

/// What a walk has found.
struct Walk<'a> {
    frames: &'a mut [usize; DEPTH],
    depth: usize,
}

/// Takes the call stack of this thread. It does not, if the unwinder itself allocates.
fn walk(frames: &mut [usize; DEPTH]) -> bool {
    // SAFETY: it takes nothing and always answers.
    let own = unsafe { pthread_self() };
    if AT_WORK.iter().any(|thread| thread.load(Relaxed) == own) {
        return false;
    }
    let is_free = |slot: &&AtomicUsize| slot.compare_exchange(0, own, Relaxed, Relaxed).is_ok();
    let Some(slot) = AT_WORK.iter().find(is_free) else {
        return false;
    };
    let mut walk = Walk { frames, depth: 0 };
    // SAFETY: `step` gets the walk back, which outlives the call.
    unsafe { _Unwind_Backtrace(step, (&raw mut walk).cast()) };
    slot.store(0, Relaxed);
    true
}

unsafe extern "C" fn step(context: *mut c_void, walk: *mut c_void) -> c_int {
    // SAFETY: it is the walk that began, and nobody else uses it now.
    let walk = unsafe { &mut *walk.cast::<Walk<'_>>() };
    // SAFETY: the unwinder passes its context.
    let address = unsafe { _Unwind_GetIP(context) };
    match walk.frames.get_mut(walk.depth) {
        Some(frame) if address != 0 => {
            *frame = address;
            walk.depth += 1;
            NEXT
        }
        _ => ENOUGH,
    }
}

/// Writes which file is mapped where, as the system says it.
pub(crate) fn write_maps(output: &mut Output) {
    let mut buffer = [0_u8; 512];
    output.text(b"\nmaps\n");
    // SAFETY: the buffer is as long as is said.
    unsafe {
        let file = open(c"/proc/self/maps".as_ptr(), O_RDONLY_CLOEXEC);
        if file < 0 {
            return;
        }
        loop {
            let length = read(file, buffer.as_mut_ptr().cast(), buffer.len());
            match usize::try_from(length)
                .ok()
                .and_then(|length| buffer.get(..length))
            {
                Some(text) if !text.is_empty() => output.text(text),
                _ => break,
            }
        }
        close(file);
    }
}
