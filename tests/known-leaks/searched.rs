//! A search in a known leak: prints what it found.

use highwater::{Search, Searched};
use std::process::ExitCode;

/// Exit codes: 0 if no leak was found, 1 if one was, 2 if that could not be told.
pub(crate) fn told(run: impl FnOnce(Search) -> Searched) -> ExitCode {
    let searched = run(Search::new(env!("CARGO_PKG_NAME")));
    print!("{searched}");
    if searched.is_leak() {
        ExitCode::from(1)
    } else if searched.is_inconclusive() {
        ExitCode::from(2)
    } else {
        ExitCode::SUCCESS
    }
}
