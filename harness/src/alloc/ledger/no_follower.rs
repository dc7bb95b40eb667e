//! No thread's blocks are followed where call stacks can't be taken.

use super::{Ledger, NONE};

pub(super) fn stand_in(_ledger: &'static Ledger) -> *const Ledger {
    &raw const NONE
}

pub(super) fn give_back() {}

// Needed where a process can be forked.
#[allow(dead_code)]
pub(super) fn give_back_others() {}
