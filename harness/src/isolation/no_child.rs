//! The stand-in for `child.rs` where tests are not given processes of their own: there is
//! never a child.

use super::records::Record;
use super::{Ended, Job, Wanted};

pub(super) fn run_test(_job: &Job, _any_panic_passes: bool, body: fn()) {
    body();
}

pub(super) fn run_program(_job: &Job, body: impl FnOnce() + Send) -> Ended {
    super::in_this_process(body)
}

pub(super) fn tell(_record: &Record) {}

pub(super) fn is_listened_to() -> bool {
    false
}

pub(super) fn restart() {}

pub(super) fn runs_again() -> Option<&'static [Wanted]> {
    None
}

/// What this process was started to run.
pub fn started_for() -> Option<String> {
    None
}
