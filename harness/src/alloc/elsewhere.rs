//! What goes on outside of a scope, and on its other threads, as evidence that work left it
//! or came into it from outside.
//!
//! A block belongs to the scope that its thread stands in. Work that a scenario hands to a
//! thread that was there before is nobody's then, and live memory outside of every scope
//! rises with the steps. So it is looked at. Other tests of the same process do not count
//! for that: their threads are those that the thread of `main` started, as it did this one,
//! and what they hold is told apart.

use super::ledger::{self, Ledger, Seen};
use super::scopes::{ROOT, Record};
use super::{OpenScope, spawn};
use std::ptr;

/// Live memory outside of every scope.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Elsewhere {
    pub(crate) bytes: i64,
    pub(crate) blocks: i64,
    /// Without what the threads of other tests hold, as far as they freed it themselves.
    pub(crate) bytes_without_tests: i64,
    pub(crate) blocks_without_tests: i64,
}

/// The ledgers of other tests' threads, if this one is a test's.
fn tests() -> impl Iterator<Item = &'static Ledger> {
    let own = ledger::current();
    let is_test = own.is_of_main() && spawn::FOLLOWS_THREADS;
    ledger::ledgers().filter(move |ledger| {
        is_test && !ptr::eq(*ledger, own) && ledger.is_taken() && ledger.is_of_main()
    })
}

impl OpenScope {
    /// What is live outside of every scope; none where nothing is outside.
    pub(crate) fn elsewhere(self) -> Option<Elsewhere> {
        if self.0.is_root() {
            return None;
        }
        let totals = ledger::totals_of(&ROOT);
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
}

/// The threads outside of every scope, without those of other tests. Allocates.
pub(crate) fn threads_elsewhere() -> Vec<Seen> {
    let tests: Vec<_> = tests().map(ptr::from_ref).collect();
    let is_test = |ledger: &Ledger| tests.contains(&ptr::from_ref(ledger));
    others(|ledger| ledger.scope().is_root() && !is_test(ledger))
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
    !spawn::FOLLOWS_THREADS || tests().next().is_some()
}
