//! Where a run is, reported to the parent of the process.
//!
//! Outside of a child there is no page to write to, and every function in here does nothing.
//! Only [`report_so_far`] allocates. Functions that the allocator's hooks call take no lock.

use super::page::Page;
pub(crate) use super::page::Position;
use super::system;
use crate::alloc::{self, Watcher};
use std::sync::OnceLock;
use std::sync::atomic::{
    AtomicBool,
    Ordering::{Relaxed, Release},
};

/// The page of this process, if it is a child.
static PAGE: OnceLock<&'static Page> = OnceLock::new();

/// Whether this process was forked from the one that the page is about.
static IS_FORKED: AtomicBool = AtomicBool::new(false);

/// The page, if it is about this process.
fn page() -> Option<&'static Page> {
    PAGE.get().copied().filter(|_| !is_forked())
}

/// This process was forked: nobody hears of it what a child tells its parent.
// Not needed where processes are not forked.
#[allow(dead_code)]
pub(super) fn forked() {
    IS_FORKED.store(true, Relaxed);
}

pub(super) fn is_forked() -> bool {
    IS_FORKED.load(Relaxed)
}

/// From now on it is told where the process is.
// Not needed where there are no children.
#[allow(dead_code)]
pub(super) fn write_to(page: &'static Page, program: std::ops::Range<usize>) {
    page.program_start.store(program.start as u64, Relaxed);
    page.program_end.store(program.end as u64, Relaxed);
    // There is one page a process.
    let _ = PAGE.set(page);
    alloc::watch(Watcher {
        over_budget: note_over_budget,
        stop: stop_over_hard_limit,
    });
}

/// The calling thread is the one that runs the body.
// Not needed where there are no children.
#[allow(dead_code)]
pub(super) fn runs_on(thread: u32) {
    if let Some(page) = page() {
        page.thread.store(thread.into(), Release);
    }
}

/// A scenario starts; what follows is about it.
pub(crate) fn scenario_starts(name: &str) {
    if let Some(page) = page() {
        page.clear();
        page.name.write(name);
    }
}

/// Where the scenario is now, and what was live when it came there.
pub(crate) fn at(position: Position, live_bytes: u64, live_blocks: u64) {
    if let Some(page) = page() {
        page.at(position, live_bytes, live_blocks);
    }
}

/// What the report would say if the scenario ended now. The text is only made where
/// somebody may read it.
pub(crate) fn report_so_far(text: impl FnOnce() -> String) {
    if let Some(page) = page() {
        page.show_report(&text());
    }
}

/// The scenario is over; what follows is not about it.
pub(crate) fn scenario_ends() {
    if let Some(page) = page() {
        page.clear();
    }
}

/// Notes the call stack of the first allocation that passes the memory budget. For the
/// allocator's hooks.
fn note_over_budget(size: usize, live: u64, limit: u64) {
    if let Some(page) = page() {
        page.note_over_budget(size, live, limit);
    }
}

/// Ends the process, which goes on allocating far over its memory budget, before it takes
/// the machine's memory. For the allocator's hooks.
fn stop_over_hard_limit(size: usize) -> ! {
    if let Some(page) = page() {
        page.stopped_size.store(size.max(1) as u64, Release);
    }
    system::exit_at_once(101)
}

/// Notes the call stack of this thread, which is asked for it at the end of its time.
/// For a signal handler.
// Not needed where there are no children.
#[allow(dead_code)]
pub(super) extern "C" fn note_stack_at_limit(_signal: i32) {
    if let Some(page) = page() {
        page.stack_at_limit.take(page, || ());
    }
}
