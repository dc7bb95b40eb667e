//! What goes on outside of a scope, and on its other threads, as evidence that work left it
//! or came into it from outside.
//!
//! A block belongs to the scope that its thread stands in. Work that a scenario hands to a
//! thread that was there before is nobody's then, or that of the scope around, and live
//! memory there rises with the steps. So it is looked at. Other tests of the same process
//! do not count for that: their threads are those that the thread of `main` started, as it
//! did this one. What they hold, and that thread itself, is told apart.
//!
//! What stands in scopes beside this one has a purpose of its own and may rise for that. So
//! work that went there is not found by what it holds, but by the blocks that went to and fro.

use super::ledger::{self, Ledger, Seen};
use super::open::{at_least_zero, is_installed};
use super::scopes::{self, ROOT, Record};
use super::{OpenScope, Totals, spawn};
use std::ptr;

/// Live memory outside of a scope, but for that of scopes beside it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Elsewhere {
    pub(crate) bytes: i64,
    pub(crate) blocks: i64,
    /// Without what the threads of other tests hold, as far as they freed it themselves.
    pub(crate) bytes_without_tests: i64,
    pub(crate) blocks_without_tests: i64,
}

/// Live bytes and blocks of all the program, without what the harness allocates for itself;
/// none if the program's allocations do not come through the counting allocator.
pub(crate) fn live_in_process() -> Option<(u64, u64)> {
    if !is_installed() {
        return None;
    }
    let outermost = scopes::all().filter(|record| record.parent().is_none() && !record.is_own());
    let mut sum = Totals::default();
    for record in outermost {
        sum.add(&ledger::totals_of(record));
    }
    Some((
        at_least_zero(sum.live_bytes),
        at_least_zero(sum.live_blocks()),
    ))
}

/// The ledgers of other tests' threads and of the one that started them, if this one is a
/// test's.
fn tests() -> impl Iterator<Item = &'static Ledger> {
    let own = ledger::current();
    let is_test = own.is_of_main() && spawn::FOLLOWS_THREADS;
    ledger::ledgers().filter(move |ledger| {
        let is_of_tests = ledger.is_of_main() || ledger.is_main();
        is_test && !ptr::eq(*ledger, own) && ledger.is_taken() && is_of_tests
    })
}

impl OpenScope {
    /// What is live outside of every scope, and around this one; none where nothing is
    /// outside.
    pub(crate) fn elsewhere(self) -> Option<Elsewhere> {
        if self.0.is_root() {
            return None;
        }
        let mut totals = ledger::totals_of(&ROOT);
        let around = self.0.outermost();
        if !ptr::eq(around, self.0) {
            totals.add(&ledger::totals_of(around).since(&ledger::totals_of(self.0)));
        }
        let (bytes, blocks) = (totals.live_bytes, totals.live_blocks());
        let mut elsewhere = Elsewhere {
            bytes,
            blocks,
            bytes_without_tests: bytes,
            blocks_without_tests: blocks,
        };
        for test in tests() {
            let (bytes, blocks) = test.seen_in_root();
            elsewhere.bytes_without_tests -= bytes;
            elsewhere.blocks_without_tests -= blocks;
        }
        Some(elsewhere)
    }

    /// The other threads in this scope. Allocates.
    pub(crate) fn threads_inside(self) -> Vec<Seen> {
        let scope: &'static Record = self.0;
        others(|ledger| ledger.scope().is_within(scope))
    }

    /// The threads outside of this scope, without those of other tests. Allocates.
    pub(crate) fn threads_outside(self) -> Vec<Seen> {
        let scope: &'static Record = self.0;
        let tests: Vec<_> = tests().map(ptr::from_ref).collect();
        others(|ledger| {
            let stands = ledger.scope();
            !stands.is_within(scope) && !stands.is_own() && !tests.contains(&ptr::from_ref(ledger))
        })
    }
}

/// The other threads that are meant. Allocates.
fn others(is_meant: impl Fn(&Ledger) -> bool) -> Vec<Seen> {
    let own = ledger::current();
    ledger::ledgers()
        .filter(|ledger| ledger.is_taken() && !ptr::eq(*ledger, own) && is_meant(ledger))
        .map(Ledger::seen)
        .collect()
}

/// Whether threads of other tests are there now, or may be, since nothing is known of them.
pub(crate) fn has_neighbours() -> bool {
    !spawn::FOLLOWS_THREADS || tests().any(Ledger::is_of_main)
}
