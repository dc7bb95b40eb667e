//! [`assert_no_allocation`]: a piece of code that must not allocate.

use crate::alloc::{self, Noted, unscoped};
use crate::scope::Scope;
use crate::symbols::stack_text;
use crate::text::fitted::{WIDTH, cut, wrapped};
use crate::text::{Blocks, Thousands};

/// Runs `work`, returns its value, and fails if anything was allocated meanwhile: on this
/// thread, or on threads that were started in `work` (Linux with glibc).
///
/// A block that is resized counts as well, whether it moves or not; a block that is freed does
/// not. The message says how much was allocated first, on which thread and in which call
/// stack. Calls nest: an allocation in an inner one fails those around it, too. What the first
/// use of a static or a thread-local allocates counts: call `work` once before to leave that
/// out.
///
/// Not noticed are allocations that do not come through Rust's global allocator, such as those
/// of C, work on threads that existed before, and what [`ScopeHandle::in_scope`] puts into a
/// scope outside of this call. Other code pays nothing for the check. In `work` an allocation
/// takes the slow path.
///
/// ```
/// # #[global_allocator]
/// # static ALLOC: highwater::Alloc = highwater::Alloc::system();
/// let mut window = [0.0; 100];
/// let mean = highwater::assert_no_allocation(|| {
///     window.rotate_left(1);
///     window[99] = 42.0;
///     window.iter().sum::<f64>() / 100.0
/// });
/// assert_eq!(mean, 0.42);
///
/// let allocates = || highwater::assert_no_allocation(|| vec![1, 2, 3]);
/// assert!(std::panic::catch_unwind(allocates).is_err());
/// ```
///
/// [`ScopeHandle::in_scope`]: crate::ScopeHandle::in_scope
///
/// # Panics
/// If something was allocated, after `work` has returned and its value was dropped. If `work`
/// panics, with its panic. As [`Scope::enter`] does: without the counting allocator this is an
/// error, and never passes.
#[track_caller]
#[inline(never)]
pub fn assert_no_allocation<T>(work: impl FnOnce() -> T) -> T {
    let scope = Scope::enter("assert_no_allocation");
    scope.note_allocations();
    let value = work();
    let noted = unscoped(|| scope.noted());
    drop(scope);
    if let Some(noted) = noted {
        // Or it would be dropped while the panic unwinds, and could not panic itself.
        drop(value);
        let message = unscoped(|| message(&noted));
        panic!("{message}");
    }
    value
}

/// In one screen. No line is wider than 80 columns.
fn message(noted: &Noted) -> String {
    let size = Thousands(noted.size_bytes);
    let what = if noted.is_resized {
        format!("a block was resized to {size} B")
    } else {
        format!("a block of {size} B")
    };
    let first = format!("allocation in `assert_no_allocation`: {what}{}", on(noted));
    let mut text = wrapped(&first, 0);
    for line in stack_text(&noted.frames).lines() {
        text.push_str(&(cut(line, WIDTH) + "\n"));
    }
    if noted.blocks + noted.resized > 1 {
        let (blocks, bytes) = (Blocks(noted.blocks), Thousands(noted.bytes));
        let resized = Thousands(noted.resized);
        let all = format!("in all: {blocks} allocated and {resized} resized, {bytes} B");
        text.push_str(&wrapped(&all, 2));
    }
    text
}

/// The thread, as far as it is known.
fn on(noted: &Noted) -> String {
    let current = std::thread::current();
    let is_own = noted.thread != 0 && noted.thread == alloc::thread_id();
    // The system's names are cut.
    let own = current.name().filter(|_| is_own);
    match own.unwrap_or(&noted.thread_name) {
        "" => String::new(),
        name => format!(" on the thread `{name}`"),
    }
}
