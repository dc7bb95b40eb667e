//! Following what a whole process allocates from now on, while its threads go on: for a
//! profile of a service that runs.
//!
//! A scenario's threads are followed from the moment on in which they enter its scope. Here
//! they stand in their scopes already, so they are called. In this order:
//! 1. All scopes are marked as traced, so whoever enters one is followed.
//! 2. All threads are called, and so they look for followed blocks whenever they free one.
//! 3. Only then are blocks followed. A thread that has not seen its call yet cannot free a
//!    block that is followed without taking note of that.
//!
//! Between these steps, every thread passes a memory barrier.
//!
//! One gap is left: a thread that the system stops in the middle of an allocation while one
//! recording ends, and that goes on when the next has begun, follows that block by the number
//! of a call stack of before. So the map is cleared as late as possible.

use super::{MODE, NOBODY, Trace, shadow};
use crate::alloc::{RecordError, Recorded, ledger, live_in_process, memory, scopes, unscoped};
use std::sync::atomic::Ordering::{Relaxed, Release};

/// The process is followed until it is dropped.
pub(crate) struct Recorder {
    trace: Trace,
}

impl Recorder {
    /// From now on the blocks of all threads are followed. A thread that allocates and neither
    /// frees nor resizes a block is followed after 4 KiB.
    pub(crate) fn start() -> Result<Self, RecordError> {
        if live_in_process().is_none() {
            return Err(RecordError::NotInstalled);
        }
        let trace = unscoped(Trace::try_start).ok_or(RecordError::Busy)?;
        scopes::trace_all(true);
        memory::barrier_in_all_threads();
        ledger::call_all();
        // This thread answers at once.
        ledger::current();
        memory::barrier_in_all_threads();
        // Of a recording before, threads may have written to it since that ended.
        shadow::clear();
        trace.state.is_of_all.store(true, Release);
        MODE.fetch_and(!NOBODY, Release);
        Ok(Self { trace })
    }

    /// All call stacks so far. Allocates.
    pub(crate) fn read(&self) -> Vec<Recorded> {
        let trace = &self.trace;
        let numbers = 0..trace.count();
        // All levels at about the same time.
        let levels = numbers.map(|number| (number, trace.live(number), trace.total(number)));
        let levels: Vec<_> = levels.collect();
        let read = levels.into_iter().map(|(number, live, total)| Recorded {
            frames: trace.read(number).frames,
            live,
            total,
        });
        read.collect()
    }

    /// Blocks that could not be followed.
    pub(crate) fn lost(&self) -> u64 {
        self.trace.lost()
    }
}

impl Drop for Recorder {
    /// Each thread is back on its fast path after its next allocation.
    fn drop(&mut self) {
        MODE.fetch_or(NOBODY, Relaxed);
        self.trace.state.is_of_all.store(false, Release);
        scopes::trace_all(false);
        ledger::call_off();
        // Its pages go back to the system.
        shadow::clear();
    }
}
