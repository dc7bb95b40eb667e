//! The last resort against a step that does not stop allocating.
//!
//! Nothing can unwind out of an allocator, so a run over its memory budget ends
//! after the step. A step that goes on and on is held by its scope's limit: larger
//! allocations get null, as they do when memory runs out. Most programs abort then,
//! so the reason is written before, from the stack, without an allocation. In a process of
//! its own the run ends there instead: the process is stopped, and its parent, which
//! says why, has the call stack of the allocation that passed the budget.

use super::scopes::Record;
use std::io::{Cursor, Write as _};
use std::sync::OnceLock;

/// Smaller allocations are never refused.
pub(super) const LARGE_BYTES: usize = 4096;

/// Who is told by a process that runs away, and stops it.
pub(crate) struct Watcher {
    /// An allocation of so many bytes passes the budget: the live bytes, and the budget.
    pub(crate) over_budget: fn(usize, u64, u64),
    /// One of so many bytes passes the limit too; 0 if small blocks did together.
    pub(crate) stop: fn(usize) -> !,
}

static WATCHER: OnceLock<Watcher> = OnceLock::new();

/// From now on the process is watched. The first watcher stays.
// Not needed where tests are not given processes of their own.
#[allow(dead_code)]
pub(crate) fn watch(watcher: Watcher) {
    let _ = WATCHER.set(watcher);
}

/// Whether a block of `bytes` more would pass the limit of this thread's scope or
/// of one around it. Small blocks never do; so many of them make no large total
/// without a larger one that holds them. Says so, when it does. `scope` is this thread's.
#[inline(always)]
pub(super) fn refuses(bytes: usize, scope: impl FnOnce() -> &'static Record) -> bool {
    bytes >= LARGE_BYTES && refuses_large(bytes, scope())
}

#[cold]
#[inline(never)]
fn refuses_large(bytes: usize, scope: &'static Record) -> bool {
    let watcher = WATCHER.get();
    match scope.chain().find(|record| passes(record, bytes, watcher)) {
        Some(record) => {
            // It can't do without the block, and there is somebody who says more of it.
            if let Some(watcher) = watcher {
                (watcher.stop)(bytes);
            }
            say(record, bytes);
            true
        }
        None => false,
    }
}

/// Stops a process that somebody watches if small blocks alone have taken its live bytes
/// above the limit. For threads that tell their scope anyway.
#[cold]
#[inline(never)]
pub(super) fn hold(scope: &'static Record) {
    let Some(watcher) = WATCHER.get() else { return };
    if scope.chain().any(|record| passes(record, 0, Some(watcher))) {
        (watcher.stop)(0);
    }
}

/// Whether `bytes` more would pass the scope's limit. Notes it if they pass the budget.
fn passes(record: &'static Record, bytes: usize, watcher: Option<&Watcher>) -> bool {
    let Some(limit) = record.limit_bytes() else {
        return false;
    };
    let live = u64::try_from(record.counters.totals().live_bytes).unwrap_or(0);
    let then = live.saturating_add(bytes as u64);
    let budget = record.budget_bytes();
    if let Some(watcher) = watcher
        && then > budget
    {
        // As the scenario counts: above what was live before it.
        let before = budget.saturating_sub(limit - budget);
        (watcher.over_budget)(bytes, live.saturating_sub(before), budget - before);
    }
    then > limit
}

/// A number with a comma before every third digit from the right.
fn write_grouped(cursor: &mut Cursor<&mut [u8]>, number: u64) {
    let mut above = number;
    let mut divisor = 1;
    while above >= 1_000 {
        above /= 1_000;
        divisor *= 1_000;
    }
    let _ = write!(cursor, "{above}");
    while divisor > 1 {
        divisor /= 1_000;
        let _ = write!(cursor, ",{:03}", number / divisor % 1_000);
    }
}

/// What does not fit is cut off; that nobody can be told is no reason to stop.
fn say(record: &Record, bytes: usize) {
    let mut text = [0_u8; 400];
    let mut cursor = Cursor::new(&mut text[..]);
    let _ = cursor.write_all(b"highwater: ");
    let _ = cursor.write_all(b"in scope `");
    let _ = cursor.write_all(record.short_name().text());
    let _ = cursor.write_all(b"` ");
    let _ = cursor.write_all(b"an allocation of ");
    write_grouped(&mut cursor, bytes as u64);
    let _ = cursor.write_all(b" B is refused, for it would take live memory above ");
    // As in `passes`: above what was live before.
    let limit = record.limit_bytes().unwrap_or(0);
    let most = limit.saturating_sub(record.budget_bytes()) * 2;
    write_grouped(&mut cursor, most);
    let _ = cursor.write_all(
        b" B, twice the memory budget; the program sees that memory ran out. Find out why the \
          step allocates so much, or raise `Scenario::memory_budget`\n",
    );
    let length = usize::try_from(cursor.position()).unwrap_or(0);
    super::memory::print(&text[..length]);
}
