//! What a scope notes of the allocations in it, if there are to be none.
//!
//! The threads of such a scope have a sentinel in place of their ledgers, so all their
//! allocations take the slow path, and the fast path needs no check.

use super::sync::atomic::{
    AtomicBool, AtomicU32, AtomicU64, AtomicUsize,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};
use super::sync::yield_now;
use super::{memory, unwind};

/// So many frames are kept, the innermost.
const FRAMES: usize = 64;

/// Kept by a record for ever, once it has them.
pub(super) struct Notes {
    blocks: AtomicU64,
    resized: AtomicU64,
    bytes: AtomicU64,
    /// Whether a thread writes the fields below, and whether it has.
    is_claimed: AtomicBool,
    is_complete: AtomicBool,
    is_of_resized: AtomicBool,
    size: AtomicUsize,
    thread: AtomicU32,
    thread_name: [AtomicU64; 2],
    depth: AtomicUsize,
    frames: [AtomicUsize; FRAMES],
}

/// The allocations in a scope, of which there is one or more.
#[derive(Clone, Debug)]
pub(crate) struct Noted {
    /// New blocks.
    pub(crate) blocks: u64,
    /// Calls that resized one.
    pub(crate) resized: u64,
    /// Of new blocks, and the new sizes of others.
    pub(crate) bytes: u64,
    /// Of the first, as is all that follows.
    pub(crate) size_bytes: u64,
    pub(crate) is_resized: bool,
    /// As the system numbers and names it; 0 and empty where it does not.
    pub(crate) thread: u32,
    pub(crate) thread_name: String,
    /// Return addresses, innermost first.
    pub(crate) frames: Vec<usize>,
}

impl Notes {
    pub(super) fn new() -> Self {
        Self {
            blocks: AtomicU64::new(0),
            resized: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            is_claimed: AtomicBool::new(false),
            is_complete: AtomicBool::new(false),
            is_of_resized: AtomicBool::new(false),
            size: AtomicUsize::new(0),
            thread: AtomicU32::new(0),
            thread_name: [const { AtomicU64::new(0) }; 2],
            depth: AtomicUsize::new(0),
            frames: [const { AtomicUsize::new(0) }; FRAMES],
        }
    }

    /// Back to nothing; no thread stands in the scope but the calling one.
    pub(super) fn reset(&self) {
        for figure in [&self.blocks, &self.resized, &self.bytes] {
            figure.store(0, Relaxed);
        }
        self.depth.store(0, Relaxed);
        self.is_complete.store(false, Relaxed);
        self.is_claimed.store(false, Release);
    }

    /// Notes an allocation of this thread.
    pub(super) fn add(&self, size: usize, is_resized: bool) {
        let count = if is_resized {
            &self.resized
        } else {
            &self.blocks
        };
        count.fetch_add(1, Relaxed);
        self.bytes.fetch_add(size as u64, Relaxed);
        if self.is_claimed.swap(true, AcqRel) {
            return;
        }
        self.is_of_resized.store(is_resized, Relaxed);
        self.size.store(size, Relaxed);
        self.thread.store(memory::thread_id(), Relaxed);
        for (word, name) in self.thread_name.iter().zip(memory::thread_name()) {
            word.store(name, Relaxed);
        }
        let mut depth = 0;
        unwind::frames(&mut |frame| {
            let Some(kept) = self.frames.get(depth) else {
                return false;
            };
            kept.store(frame.address, Relaxed);
            depth += 1;
            true
        });
        self.depth.store(depth, Relaxed);
        self.is_complete.store(true, Release);
    }

    /// What there is; none if nothing was allocated. Allocates.
    pub(super) fn read(&self) -> Option<Noted> {
        let (blocks, resized) = (self.blocks.load(Relaxed), self.resized.load(Relaxed));
        if blocks + resized == 0 {
            return None;
        }
        // Another thread may still be at it.
        while !self.is_complete.load(Acquire) {
            yield_now();
        }
        let words = self.thread_name.iter();
        let name: Vec<u8> = words
            .flat_map(|word| word.load(Relaxed).to_ne_bytes())
            .take_while(|byte| *byte != 0)
            .collect();
        let frames = self.frames.iter().take(self.depth.load(Relaxed));
        Some(Noted {
            blocks,
            resized,
            bytes: self.bytes.load(Relaxed),
            size_bytes: self.size.load(Relaxed) as u64,
            is_resized: self.is_of_resized.load(Relaxed),
            thread: self.thread.load(Relaxed),
            thread_name: String::from_utf8_lossy(&name).into_owned(),
            frames: frames.map(|frame| frame.load(Relaxed)).collect(),
        })
    }
}
