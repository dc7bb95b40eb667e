//! What tests of a sweep may leave behind by `highwater.toml`, each by the signature of its call
//! site.

use super::signature::Signature;
use super::{Config, Date, Pattern, Reason};
use serde::Deserialize;

/// Memory that tests are known to leave behind.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AcceptedLeft {
    /// The test's name, in which `*` stands for anything.
    test: String,
    signature: Signature,
    reason: Reason,
    /// The last day on which it is accepted.
    until: Option<Date>,
}

impl AcceptedLeft {
    /// The tests that it is for, as it was written.
    pub fn test(&self) -> &str {
        &self.test
    }

    /// Whether it is for the test with this name.
    pub fn is_of(&self, test: &str) -> bool {
        Pattern::new(&self.test).matches(test)
    }

    /// The signature of the call site, in 16 hex digits.
    pub fn signature(&self) -> &str {
        self.signature.as_str()
    }

    /// Why it is right.
    pub fn reason(&self) -> &str {
        self.reason.as_str()
    }
}

impl Config {
    /// What tests may leave behind.
    pub fn accepted_left(&self) -> &[AcceptedLeft] {
        &self.accepted_left
    }

    /// The last day on which it was accepted; none if it still is.
    pub fn ended(&self, left: &AcceptedLeft) -> Option<Date> {
        self.is_past(left.until)
    }
}
