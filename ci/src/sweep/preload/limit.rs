//! Ends a process that takes more memory than the tool allows, before the machine has none left.

use crate::output::Output;
use crate::system::*;
use crate::{process, stacks};
use std::ffi::{CStr, c_char};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The most live bytes.
pub(crate) static LIMIT: AtomicUsize = AtomicUsize::new(usize::MAX);

/// Sets the limit to the decimal number in `text`.
///
/// # Safety
/// `text` ends with a zero.
pub(crate) unsafe fn set(text: *const c_char) {
    // SAFETY: the same contract.
    LIMIT.store(unsafe { decimal(text) }, Relaxed);
}

/// The decimal number in `text`.
///
/// # Safety
/// `text` ends with a zero.
pub(crate) unsafe fn decimal(text: *const c_char) -> usize {
    // SAFETY: the same contract.
    let digits = unsafe { CStr::from_ptr(text) }.to_bytes();
    digits.iter().fold(0_usize, |number, digit| {
        let digit = usize::from(digit.wrapping_sub(b'0'));
        number.saturating_mul(10).saturating_add(digit)
    })
}

/// Says which allocation passed the limit, and ends the process. The program has not got the
/// memory yet, so the system has not given most of it either.
#[cold]
pub(crate) fn pass(bytes: usize, live: usize) -> ! {
    let limit = LIMIT.swap(usize::MAX, Relaxed);
    let mut said = Output::of_errors();
    said.text(b"\nhighwater: an allocation of ");
    said.number(bytes);
    said.text(b"B would make ");
    said.number(live);
    said.text(b"B live, above the limit of ");
    said.number(limit);
    said.text(b"B\n");
    drop(said);
    if process::is_watched()
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
