//! Ends a process that takes more memory than the tool allows, before the machine has none left.
//!
//! A forked child has the limit too, and what its parent had live counts for it.

use crate::output::{self, Output};
use crate::stacks;
use crate::system::abort;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The most live bytes.
pub(crate) static LIMIT: AtomicUsize = AtomicUsize::new(usize::MAX);

/// Sets the limit.
pub(crate) fn set(bytes: usize) {
    LIMIT.store(bytes, Relaxed);
}

/// Says which allocation passed the limit, and ends the process. The program has not got the
/// memory yet, so the system has not given most of it either.
#[cold]
pub(crate) fn pass(bytes: usize, live: usize, limit: usize) -> ! {
    let mut said = Output::of_errors();
    said.text(b"\nhighwater: an allocation of ");
    said.number(bytes);
    said.text(b"B would make ");
    said.number(live);
    said.text(b"B live, above the limit of ");
    said.number(limit);
    said.text(b"B\n");
    drop(said);
    if output::is_watched()
        && let Some(mut output) = Output::of_figures()
    {
        output.word(b"limit");
        output.number(bytes);
        output.number(live);
        stacks::write_own(&mut output, bytes);
        stacks::write_maps(&mut output);
    }
    // SAFETY: it takes nothing.
    unsafe { abort() }
}
