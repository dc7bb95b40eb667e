//! Contracts of the service beside growth and peak, each with a twin that breaks it.
//!
//! A contract is data, as a scenario is: one row in [`CONTRACTS`]. Its check asserts, as a test
//! does, so that what is shown of a broken one is the message that a test would fail with.

mod messages;
mod sessions;
mod symbols;
mod ticks;

use crate::Twin;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Every contract, in the order in which they are checked and listed.
pub static CONTRACTS: [&Contract; 8] = [
    &ticks::ONE_TICK,
    &ticks::TICKS,
    &messages::FUTURE,
    &messages::STACK,
    &sessions::CLOSED,
    &symbols::SYMBOLS,
    &sessions::INDEX,
    &sessions::COPY,
];

/// One contract.
pub struct Contract {
    /// Its name on the command line and in messages.
    pub id: &'static str,
    /// What of highwater states it.
    pub by: &'static str,
    /// What it says, in a line.
    pub what: &'static str,
    /// What the leaky twin does otherwise, in a line.
    pub defect: &'static str,
    /// Asserts it, and says what was found.
    check: fn(Twin) -> String,
}

impl Contract {
    /// The contract called `id`.
    pub fn find(id: &str) -> Option<&'static Self> {
        CONTRACTS.into_iter().find(|contract| contract.id == id)
    }

    /// Checks it on the sound service or on the twin that breaks it. What was found, in a line.
    ///
    /// # Errors
    /// The message of the failed assertion, if it is broken.
    pub fn check(&self, twin: Twin) -> Result<String, String> {
        let outcome = catch_unwind(AssertUnwindSafe(|| (self.check)(twin)));
        outcome.map_err(|payload| message_of(&*payload))
    }
}

fn message_of(payload: &(dyn Any + Send)) -> String {
    let formatted = payload.downcast_ref::<String>().cloned();
    let literal = || payload.downcast_ref::<&str>().map(ToString::to_string);
    formatted.or_else(literal).unwrap_or_default()
}
