//! The page of memory in which a child writes where it is. Its parent reads it, also after
//! the child has died.
//!
//! It contains atomics only, so another process reads an old or a new value and never a mixture.
//! A value of several parts is complete once its last part, a length or a state, is written.

use crate::alloc;
use crate::text::Thousands;
use std::fmt;
use std::sync::atomic::{
    AtomicU8, AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};

/// How much of a scenario's name is kept, and of a report so far.
const NAME_BYTES: usize = 1_024;
const REPORT_BYTES: usize = 32 * 1_024;
/// How many frames of a call stack are kept, the innermost.
const FRAMES: usize = 64;
/// In a position's number the step has so many bits, the lower ones.
const STEP_BITS: u32 = 56;

/// In which part of a scenario a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Position {
    /// In none: before, between or after scenarios.
    // Not needed where there are no children.
    #[allow(dead_code)]
    Outside,
    Rehearsal,
    SetUp,
    Step(u64),
    Drop,
    Repetition,
    SelfTest,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outside => f.write_str("the test's body"),
            Self::Rehearsal => f.write_str("the rehearsal (set-up, step 0 and drop)"),
            Self::SetUp => f.write_str("set-up"),
            Self::Step(i) => write!(f, "step {}", Thousands(*i)),
            Self::Drop => f.write_str("dropping the state"),
            Self::Repetition => f.write_str("a repetition (set-up, steps and drop)"),
            Self::SelfTest => f.write_str("the self-test"),
        }
    }
}

impl Position {
    /// As one number, which holds steps up to 2^56.
    fn number(self) -> u64 {
        let (part, step) = match self {
            Self::Outside => (0, 0),
            Self::Rehearsal => (1, 0),
            Self::SetUp => (2, 0),
            Self::Step(i) => (3, i),
            Self::Drop => (4, 0),
            Self::Repetition => (5, 0),
            Self::SelfTest => (6, 0),
        };
        part << STEP_BITS | step.min((1 << STEP_BITS) - 1)
    }

    // Not needed where there are no children.
    #[allow(dead_code)]
    fn of(number: u64) -> Self {
        match number >> STEP_BITS {
            1 => Self::Rehearsal,
            2 => Self::SetUp,
            3 => Self::Step(number & ((1 << STEP_BITS) - 1)),
            4 => Self::Drop,
            5 => Self::Repetition,
            6 => Self::SelfTest,
            _ => Self::Outside,
        }
    }
}

/// What the parent and the child share.
#[repr(C)]
pub(super) struct Page {
    /// Where the program is in the child's memory.
    pub(super) program_start: AtomicU64,
    pub(super) program_end: AtomicU64,
    /// The system's number of the thread that runs the body.
    pub(super) thread: AtomicU64,
    /// Position and step.
    pub(super) position: AtomicU64,
    live_bytes: AtomicU64,
    live_blocks: AtomicU64,
    pub(super) name: Text<NAME_BYTES>,
    /// One is shown while the other is written.
    reports: [Text<REPORT_BYTES>; 2],
    /// 0 if there is none, or one more than the index of the one that is shown.
    shown_report: AtomicU64,
    /// The allocation that passed the memory budget.
    over_size: AtomicU64,
    over_live: AtomicU64,
    over_limit: AtomicU64,
    over_stack: Stack,
    /// The size of the allocation at which the child was stopped; 0 if it was not.
    pub(super) stopped_size: AtomicU64,
    /// Where the body was when the time was up.
    pub(super) stack_at_limit: Stack,
}

/// Text that is there once its length is.
#[repr(C)]
pub(super) struct Text<const BYTES: usize> {
    /// One more than the length; 0 for none.
    length: AtomicU64,
    bytes: [AtomicU8; BYTES],
}

impl<const BYTES: usize> Text<BYTES> {
    pub(super) fn write(&self, text: &str) {
        self.clear();
        let text = alloc::cut(text, BYTES);
        for (slot, byte) in self.bytes.iter().zip(text.as_bytes()) {
            slot.store(*byte, Relaxed);
        }
        self.length.store(text.len() as u64 + 1, Release);
    }

    fn clear(&self) {
        self.length.store(0, Release);
    }

    fn read(&self) -> Option<String> {
        let length = self.length.load(Acquire).checked_sub(1)?;
        let length = usize::try_from(length).ok()?;
        let bytes = self.bytes.get(..length)?;
        let bytes: Vec<u8> = bytes.iter().map(|byte| byte.load(Relaxed)).collect();
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// A call stack, as addresses relative to the program's start.
#[repr(C)]
pub(super) struct Stack {
    state: AtomicU64,
    depth: AtomicU64,
    frames: [AtomicU64; FRAMES],
}

const EMPTY: u64 = 0;
const BEGUN: u64 = 1;
const WHOLE: u64 = 2;

impl Stack {
    /// Takes the stack of this thread, unless there is one already; `first` is done by
    /// whoever does. What is outside of the program is left out: the parent has it at
    /// other addresses.
    pub(super) fn take(&self, page: &Page, first: impl FnOnce()) {
        let begun = self.state.compare_exchange(EMPTY, BEGUN, AcqRel, Acquire);
        if begun.is_err() {
            return;
        }
        first();
        let start = page.program_start.load(Relaxed);
        let program = start..page.program_end.load(Relaxed);
        let mut depth = 0;
        alloc::frames(&mut |frame| {
            let address = frame.address as u64;
            if program.contains(&address) {
                let Some(slot) = self.frames.get(depth) else {
                    return false;
                };
                slot.store(address - start, Relaxed);
                depth += 1;
            }
            true
        });
        self.depth.store(depth as u64, Relaxed);
        self.state.store(WHOLE, Release);
    }

    fn clear(&self) {
        self.state.store(EMPTY, Release);
    }

    fn read(&self) -> Option<Vec<u64>> {
        let depth = usize::try_from(self.depth.load(Relaxed)).unwrap_or(0);
        let is_complete = self.state.load(Acquire) == WHOLE;
        let frames = self.frames.iter().take(depth);
        is_complete.then(|| frames.map(|frame| frame.load(Relaxed)).collect())
    }
}

/// What the parent finds in the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Last {
    pub(super) scenario: Option<String>,
    pub(super) position: Position,
    pub(super) live_bytes: u64,
    pub(super) live_blocks: u64,
    pub(super) report: Option<String>,
    pub(super) over_budget: Option<OverBudget>,
    /// The size of the allocation at which it was stopped.
    pub(super) stopped_at: Option<u64>,
    /// Where the body was when the time was up.
    pub(super) stack_at_limit: Option<Vec<u64>>,
}

/// The allocation that passed the memory budget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OverBudget {
    pub(super) size: u64,
    pub(super) live: u64,
    pub(super) limit: u64,
    pub(super) stack: Vec<u64>,
}

// Not needed where there are no children.
#[allow(dead_code)]
impl Page {
    pub(super) fn last(&self) -> Last {
        let shown = self.shown_report.load(Acquire).checked_sub(1);
        let shown = shown.and_then(|shown| self.reports.get(usize::try_from(shown).ok()?));
        Last {
            scenario: self.name.read(),
            position: Position::of(self.position.load(Acquire)),
            live_bytes: self.live_bytes.load(Relaxed),
            live_blocks: self.live_blocks.load(Relaxed),
            report: shown.and_then(Text::read),
            over_budget: self.over_stack.read().map(|stack| OverBudget {
                size: self.over_size.load(Relaxed),
                live: self.over_live.load(Relaxed),
                limit: self.over_limit.load(Relaxed),
                stack,
            }),
            stopped_at: Some(self.stopped_size.load(Acquire)).filter(|size| *size > 0),
            stack_at_limit: self.stack_at_limit.read(),
        }
    }

    /// The system's number of the thread that runs the body, once it does.
    pub(super) fn thread(&self) -> Option<u64> {
        Some(self.thread.load(Acquire)).filter(|thread| *thread > 0)
    }

    pub(super) fn has_stack_at_limit(&self) -> bool {
        self.stack_at_limit.state.load(Acquire) == WHOLE
    }

    pub(super) fn clear(&self) {
        self.position.store(0, Release);
        self.live_bytes.store(0, Relaxed);
        self.live_blocks.store(0, Relaxed);
        self.name.clear();
        self.shown_report.store(0, Release);
        self.over_stack.clear();
    }

    pub(super) fn at(&self, position: Position, live_bytes: u64, live_blocks: u64) {
        self.live_bytes.store(live_bytes, Relaxed);
        self.live_blocks.store(live_blocks, Relaxed);
        self.position.store(position.number(), Release);
    }

    pub(super) fn show_report(&self, text: &str) {
        let next = self.shown_report.load(Relaxed) % 2;
        let slot = usize::try_from(next).unwrap_or(0);
        self.reports[slot].write(text);
        self.shown_report.store(next + 1, Release);
    }

    pub(super) fn note_over_budget(&self, size: usize, live: u64, limit: u64) {
        self.over_stack.take(self, || {
            self.over_size.store(size as u64, Relaxed);
            self.over_live.store(live, Relaxed);
            self.over_limit.store(limit, Relaxed);
        });
    }
}
