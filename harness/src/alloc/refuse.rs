//! One allocation of one thread is refused, by its number: what a forked child of
//! `fail_each_allocation` runs with.
//!
//! The child may abort at the refusal, so the number, the size and the call stack are in memory
//! that its parent shares. The scope of the work keeps notes (`notes.rs`), so all allocations
//! in it take the slow path, and only that asks [`refuses`]. Other processes, and other
//! threads, have nothing refused.

use super::{c_heap, ledger, unwind};
use std::cell::Cell;
use std::io;
use std::ptr;
// Not a model's: one thread writes, and another process reads when it is over.
use std::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU64, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

/// So many frames are kept, the innermost.
const FRAMES: usize = 64;

/// What this process refuses; null if nothing.
static CURRENT: AtomicPtr<Shared> = AtomicPtr::new(ptr::null_mut());

/// In memory that a process and its forked children share.
#[repr(C)]
struct Shared {
    /// The ledger of the thread whose allocations are counted.
    ledger: AtomicUsize,
    /// The number of the allocation to refuse, from 1 on; 0 for none.
    number: AtomicU64,
    counted: AtomicU64,
    /// Whether it was refused; then the fields below say what it was.
    is_refused: AtomicBool,
    is_resized: AtomicBool,
    size: AtomicUsize,
    depth: AtomicUsize,
    frames: [AtomicUsize; FRAMES],
}

/// The allocation that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) size_bytes: u64,
    /// Whether it was to resize a block, to that size.
    pub(crate) is_resized: bool,
    /// Return addresses, innermost first.
    pub(crate) frames: Vec<usize>,
}

/// Which allocation is to be refused, and what became of it.
pub(crate) struct Plan {
    shared: &'static Shared,
    /// Whether this process has begun it. Its threads may then look at it at any time.
    has_begun: Cell<bool>,
}

impl Plan {
    /// A plan that this process shares with the children that it forks from now on.
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: a new mapping at an address that the system chooses touches no memory that
        // is in use.
        let address = unsafe {
            libc::mmap(
                ptr::null_mut(),
                size_of::<Shared>(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if address == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: it was just mapped, is long enough, aligned to a page and zero, which is a
        // value of each of the atomics. It is unmapped only when nobody can refer to it.
        let shared = unsafe { &*address.cast::<Shared>() };
        let has_begun = Cell::new(false);
        Ok(Self { shared, has_begun })
    }

    /// Back to nothing, for the next child. No child that shares it may be alive.
    pub(crate) fn clear(&self) {
        self.shared.counted.store(0, Relaxed);
        self.shared.is_refused.store(false, Relaxed);
    }

    /// From now on the allocations of this thread in scopes with notes are counted, and the
    /// one with this number fails; none if it is 0.
    pub(crate) fn begin(&self, number: u64) {
        self.has_begun.set(true);
        let own = ptr::from_ref(ledger::current()) as usize;
        self.shared.ledger.store(own, Relaxed);
        self.shared.number.store(number, Relaxed);
        CURRENT.store(ptr::from_ref(self.shared).cast_mut(), Release);
    }

    /// From now on nothing is counted nor refused.
    pub(crate) fn end(&self) {
        let own = ptr::from_ref(self.shared).cast_mut();
        let _ = CURRENT.compare_exchange(own, ptr::null_mut(), Release, Relaxed);
    }

    /// How many allocations there were, with the one that was refused.
    pub(crate) fn counted(&self) -> u64 {
        self.shared.counted.load(Relaxed)
    }

    /// Whether the thread came to the allocation that was to be refused.
    pub(crate) fn is_refused(&self) -> bool {
        self.shared.is_refused.load(Acquire)
    }

    /// The allocation that was refused, if the thread came to it.
    pub(crate) fn refused(&self) -> Option<Refused> {
        if !self.is_refused() {
            return None;
        }
        let frames = self
            .shared
            .frames
            .iter()
            .take(self.shared.depth.load(Relaxed));
        Some(Refused {
            size_bytes: self.shared.size.load(Relaxed) as u64,
            is_resized: self.shared.is_resized.load(Relaxed),
            frames: frames.map(|frame| frame.load(Relaxed)).collect(),
        })
    }
}

impl Drop for Plan {
    fn drop(&mut self) {
        if self.has_begun.get() {
            return self.end();
        }
        let address = ptr::from_ref(self.shared).cast_mut().cast();
        // SAFETY: it is our mapping. `CURRENT` never led there, and nobody else has it.
        unsafe { libc::munmap(address, size_of::<Shared>()) };
    }
}

/// Whether this allocation of the calling thread is to fail. Counts it. For the slow path of
/// threads in scopes with notes.
pub(super) fn refuses(size: usize, is_resized: bool) -> bool {
    // SAFETY: null, or a mapping that stays, for its plan has begun.
    let Some(shared) = (unsafe { CURRENT.load(Acquire).as_ref() }) else {
        return false;
    };
    let own = ptr::from_ref(ledger::current()) as usize;
    if shared.ledger.load(Relaxed) != own {
        return false;
    }
    let number = shared.counted.load(Relaxed) + 1;
    shared.counted.store(number, Relaxed);
    if number != shared.number.load(Relaxed) {
        return false;
    }
    shared.size.store(size, Relaxed);
    shared.is_resized.store(is_resized, Relaxed);
    let mut depth = 0;
    let mut keep = |frame: unwind::Frame| {
        let Some(kept) = shared.frames.get(depth) else {
            return false;
        };
        kept.store(frame.address, Relaxed);
        depth += 1;
        true
    };
    c_heap::uncounted(|| unwind::frames(&mut keep));
    shared.depth.store(depth, Relaxed);
    shared.is_refused.store(true, Release);
    true
}
