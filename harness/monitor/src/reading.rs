//! Takes a sample: of this process, with its heap and components, or of others.

use crate::cause::ALLOCATORS;
use crate::component;
use crate::process;
use crate::sample::{Allocator, Heap, Sample};
use highwater::__private::{Beneath, glibc, jemalloc, mimalloc};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// glibc is asked as often as takes one in so many parts of the time.
const REST: u32 = 10_000;

impl Sample {
    /// The figures of this process now.
    pub fn of_this_process() -> Self {
        let mut sample = Self::at(SystemTime::now());
        process::read_own(&mut sample);
        sample.components = component::all();
        sample.allocators = allocators();
        sample.heap = highwater::__private::live_in_process().map(|(bytes, blocks)| Heap {
            live_bytes: bytes,
            live_blocks: blocks,
            peak_bytes: bytes,
        });
        sample
    }

    /// The sums of the figures of a process and of all that descend from it, now. If it does not
    /// exist, there are none, and [`Note::ProcessGone`](crate::Note::ProcessGone).
    pub fn of_tree(pid: u32) -> Self {
        let mut sample = Self::at(SystemTime::now());
        process::read_tree(pid, &mut sample);
        sample
    }
}

/// Those that are there and can be asked now.
fn allocators() -> Vec<Allocator> {
    static NOT_BEFORE: Mutex<Option<Instant>> = Mutex::new(None);
    let mut not_before = NOT_BEFORE.lock().unwrap_or_else(PoisonError::into_inner);
    let begun = Instant::now();
    let of_glibc = if not_before.is_none_or(|instant| begun >= instant) {
        let found = glibc();
        *not_before = begun.checked_add(rest(begun.elapsed()));
        found
    } else {
        None
    };
    drop(not_before);
    // As large each time, whoever is asked, so that a monitor's memory is.
    let mut all = Vec::with_capacity(ALLOCATORS);
    let told = [of_glibc, jemalloc(), mimalloc()];
    all.extend(told.into_iter().flatten().map(Allocator::from));
    all
}

/// How long glibc is left alone when it took so long to tell.
fn rest(took: Duration) -> Duration {
    took.saturating_mul(REST)
}

impl From<Beneath> for Allocator {
    fn from(beneath: Beneath) -> Self {
        Self {
            name: beneath.name,
            held_bytes: beneath.held_bytes,
            used_bytes: beneath.used_bytes,
            fragmented_bytes: beneath.fragmented_bytes,
        }
    }
}
