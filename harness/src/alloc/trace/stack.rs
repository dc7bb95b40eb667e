//! The call stack of an allocation, as return addresses.
//!
//! By frame pointers first: a few loads a frame. Whether the program has them is found
//! out with each stack that was not seen before, by asking the unwinder that panics
//! use. Where the two disagree, the rest is unwound by framehop, which reads the tables
//! that every program has, without allocating; several times slower, and right.

#[cfg_attr(not(highwater_linux), path = "stack/no_modules.rs")]
mod modules;
#[cfg_attr(target_arch = "x86_64", path = "stack/x86_64.rs")]
#[cfg_attr(target_arch = "aarch64", path = "stack/aarch64.rs")]
mod processor;

use crate::alloc::c_heap;
use crate::alloc::ledger::{self, Bounds};
use crate::alloc::unwind;
use framehop::{FrameAddress, Unwinder as _};
use processor::{Cache, Unwinder};
use std::arch::asm;
use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::slice;
use std::sync::atomic::{
    AtomicBool,
    Ordering::{AcqRel, Relaxed, Release},
};

pub(super) use processor::{Registers, return_address};

/// The deepest stack that is told apart; of deeper ones, the innermost frames.
pub(super) const DEPTH: usize = 64;

/// How many frames libc starts a thread with, which have no frame pointers where all of
/// Rust's do.
const START_FRAMES: usize = 2;

/// How many functions are called from the one at which a stack starts to the one that takes
/// it.
const OWN_FRAMES: usize = 2;

/// How many threads can unwind at one time.
const CACHES: usize = 16;

/// How many caches each of them has, by address. One has room for 509 addresses, and an async
/// program has more; what is not there is looked up again, which takes much longer.
const PARTS: usize = 8;

/// Return addresses, the innermost first. Too large to be copied about or cleared in
/// every allocation: it is made in place, and only as much of it is written as there are
/// frames.
pub(super) struct Stack {
    frames: [MaybeUninit<usize>; DEPTH],
    depth: usize,
    hash: Hash,
}

/// A number that other stacks hardly ever have.
#[derive(Clone, Copy)]
pub(super) struct Hash(u64);

impl Hash {
    #[inline(always)]
    pub(super) const fn new() -> Self {
        Self(0)
    }

    #[inline(always)]
    pub(super) const fn add(&mut self, address: usize) {
        self.0 = (self.0.rotate_left(5) ^ address as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    #[inline(always)]
    pub(super) const fn get(self) -> u64 {
        self.0
    }
}

/// Runs `work`; its stacks end with the frame of the caller, in which the address `mark`
/// lies.
pub(super) fn within<R>(mark: usize, work: impl FnOnce() -> R) -> R {
    struct Back(Bounds);
    impl Drop for Back {
        fn drop(&mut self) {
            ledger::set_bounds(self.0);
        }
    }
    let part = Bounds {
        end: mark,
        is_part: true,
        ..Bounds::now()
    };
    let _back = Back(ledger::set_bounds(part));
    work()
}

/// What stacks are taken with.
pub(super) struct Walker {
    unwinder: Unwinder,
    caches: [CacheSlot; CACHES],
    /// Whether frame pointers have been right so far.
    frame_pointers: AtomicBool,
}

struct CacheSlot {
    busy: AtomicBool,
    caches: UnsafeCell<[Cache; PARTS]>,
}

// SAFETY: the caches are used by whoever has set `busy`, and by nobody else.
unsafe impl Sync for CacheSlot {}

/// The same number, of which the compiler does not know how it came about.
#[inline(always)]
pub(super) fn opaque(number: usize) -> usize {
    let mut same = number;
    // SAFETY: it does nothing.
    unsafe {
        asm!(
            "/* {same} */",
            same = inout(reg) same,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    same
}

/// A function that is running: where its frame is, and the stack pointer.
#[derive(Clone, Copy)]
pub(super) struct Frame {
    pub(super) sp: usize,
    pub(super) bp: usize,
}

impl Stack {
    #[inline(always)]
    pub(super) fn new() -> Self {
        Self {
            frames: [const { MaybeUninit::uninit() }; DEPTH],
            depth: 0,
            hash: Hash::new(),
        }
    }

    #[inline(always)]
    pub(super) fn frames(&self) -> &[usize] {
        // SAFETY: so many were written, from the first on.
        unsafe { slice::from_raw_parts(self.frames.as_ptr().cast(), self.depth) }
    }

    #[inline(always)]
    pub(super) fn hash(&self) -> u64 {
        self.hash.get()
    }

    /// False if it is full.
    #[inline(always)]
    fn push(&mut self, address: usize) -> bool {
        let Some(slot) = self.frames.get_mut(self.depth) else {
            return false;
        };
        slot.write(address);
        self.depth += 1;
        self.hash.add(address);
        true
    }

    fn clear(&mut self) {
        self.depth = 0;
        self.hash = Hash::new();
    }
}

impl Frame {
    /// That of the function that this is inlined into. Without frame pointers it is
    /// anything.
    #[inline(always)]
    pub(super) fn own() -> Self {
        let (sp, bp) = processor::frame();
        Self { sp, bp }
    }
}

/// Up to here the function that this is inlined into runs: what it called before was not
/// called in its place, with its frame gone.
#[inline(always)]
pub(super) fn is_running() {
    // SAFETY: it does nothing.
    unsafe { asm!("", options(nostack, preserves_flags)) };
}

/// The word at `address`, if it is on the part of this thread's stack that is in use.
#[inline(always)]
fn word(address: usize, sp: usize, end: usize) -> Option<usize> {
    let is_on_stack = address >= sp && address < end && end - address >= 8;
    // SAFETY: the stack is mapped from its pointer to its end, and the address has room
    // for a word before that and is aligned to one. Whatever the word is, it is one.
    (is_on_stack && address.is_multiple_of(8)).then(|| unsafe { *(address as *const usize) })
}

/// Where the function with this frame returns to, if frame pointers lead there from the one
/// with these registers. They do not where this library has none: then all of its functions
/// have the one of somebody who called it.
fn returned_to(registers: Registers, frame: Frame, end: usize) -> Option<usize> {
    let mut at = registers.bp;
    for _ in 0..OWN_FRAMES {
        let before = at;
        at = word(before, registers.sp, end)?;
        if before != frame.bp && at == frame.bp {
            return word(at.wrapping_add(8), registers.sp, end).map(return_address);
        }
    }
    None
}

impl Walker {
    /// Allocates; not for the allocator's hooks.
    pub(super) fn new() -> Self {
        let mut unwinder = Unwinder::new();
        for module in modules::kept() {
            unwinder.add_module(module);
        }
        Self {
            unwinder,
            caches: std::array::from_fn(|_| CacheSlot {
                busy: AtomicBool::new(false),
                caches: UnsafeCell::new(std::array::from_fn(|_| Cache::new_in())),
            }),
            frame_pointers: AtomicBool::new(true),
        }
    }

    /// Whether frame pointers were right for all stacks so far.
    pub(super) fn has_frame_pointers(&self) -> bool {
        self.frame_pointers.load(Relaxed)
    }

    /// The stack from this frame on, of a function that called the one with these registers,
    /// written to an empty `stack`. False if it can't be told.
    #[inline(always)]
    pub(super) fn walk(&self, registers: Registers, frame: Frame, stack: &mut Stack) -> bool {
        // On another stack, a signal's or a coroutine's, nothing is known of what lies
        // between here and the end.
        if !Bounds::now().have(frame.sp) {
            return false;
        }
        if self.has_frame_pointers() {
            by_frame_pointers(frame, stack);
            true
        } else {
            self.by_tables(registers, frame, stack)
        }
    }

    /// Makes sure of a stack that is new. If frame pointers were wrong about it, it is
    /// taken again, and they are not used any more. False if it can't be told.
    #[cold]
    #[inline(never)]
    pub(super) fn check(&self, registers: Registers, frame: Frame, stack: &mut Stack) -> bool {
        if !self.has_frame_pointers() {
            return true;
        }
        if is_true(stack) {
            return true;
        }
        self.frame_pointers.store(false, Relaxed);
        stack.clear();
        self.by_tables(registers, frame, stack)
    }

    /// From the function with these registers on, or, where frame pointers lead from there to
    /// `frame`, from that on; so the stack is the same by either.
    #[inline(never)]
    fn by_tables(&self, registers: Registers, frame: Frame, stack: &mut Stack) -> bool {
        let mut slots = self.caches.iter();
        let is_free = |slot: &&CacheSlot| !slot.busy.load(Relaxed) && !slot.busy.swap(true, AcqRel);
        let Some(slot) = slots.find(is_free) else {
            return false;
        };
        let end = Bounds::now().end;
        let mut start = returned_to(registers, frame, end);
        let mut read = |address: u64| {
            let word = word(usize::try_from(address).map_err(drop)?, registers.sp, end);
            word.map(|word| word as u64).ok_or(())
        };
        {
            // SAFETY: `busy` was false and is now true, by this thread.
            let caches = unsafe { &mut *slot.caches.get() };
            let pc = registers.pc as u64;
            let mut registers = registers.of_unwinder();
            let mut next = |at: FrameAddress| {
                let part = usize::try_from(at.address()).unwrap_or(0) % PARTS;
                let caller =
                    self.unwinder
                        .unwind_frame(at, &mut registers, &mut caches[part], &mut read);
                FrameAddress::from_return_address(caller.ok()??)
            };
            // The first is where we are.
            let mut at = FrameAddress::from_instruction_pointer(pc);
            while let Some(caller) = next(at) {
                at = caller;
                let address = usize::try_from(caller.address()).unwrap_or(0);
                if start == Some(address) {
                    stack.clear();
                    start = None;
                }
                if !stack.push(address) {
                    break;
                }
            }
        }
        slot.busy.store(false, Release);
        stack.depth > 0
    }
}

/// Whether frame pointers lead from here to where this thread starts. Allocates nothing.
#[inline(never)]
pub(super) fn frame_pointers_lead_out() -> bool {
    let frame = Frame::own();
    let mut stack = Stack::new();
    by_frame_pointers(frame, &mut stack);
    let lead_out = is_true(&stack);
    is_running();
    lead_out
}

/// Whether the unwinder comes to the same stack.
fn is_true(stack: &Stack) -> bool {
    let truth = by_the_panic_unwinder(Bounds::now().end);
    let [walked, truth] = [stack.frames(), truth.frames()];
    // Both have the frames of this module, which differ; behind them nothing may.
    walked.first().is_some_and(|first| {
        let start = truth.iter().position(|frame| frame == first);
        start.is_some_and(|start| {
            let rest = &truth[start..];
            let depth = rest.len().min(walked.len());
            let is_cut = truth.len() >= DEPTH || walked.len() >= DEPTH;
            let missing = rest.len() - depth;
            let lacks_start =
                !Bounds::now().is_part && depth > START_FRAMES && missing <= START_FRAMES;
            let is_complete = rest.len() == walked.len() || walked.len() == depth && lacks_start;
            rest[..depth] == walked[..depth] && (is_cut || is_complete)
        })
    })
}

/// A frame starts with the caller's frame pointer; behind it is where to return to.
fn by_frame_pointers(frame: Frame, stack: &mut Stack) {
    let last = Bounds::now().last_frame();
    let (mut at, mut lowest) = (frame.bp, frame.sp);
    // Frames lie one above the other; anything else is no frame.
    while at >= lowest && at <= last && at % 8 == 0 {
        // SAFETY: the stack is mapped from its pointer, which is not above `lowest`, to its
        // end, before which there is room for two words; both are aligned, and whatever
        // they are, they are words.
        let [next, address] = unsafe { *(at as *const [usize; 2]) };
        let address = return_address(address);
        if address == 0 || !stack.push(address) {
            break;
        }
        lowest = at + 16;
        at = next;
    }
}

/// What a panic would print.
fn by_the_panic_unwinder(end: usize) -> Stack {
    let mut stack = Stack::new();
    c_heap::uncounted(|| {
        unwind::frames(&mut |frame| frame.caller < end && stack.push(frame.address));
    });
    stack
}
