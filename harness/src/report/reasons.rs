//! [`Reason`]: why a report is a failure, once for all that print it.

use super::{Accepted, Breach, Repetition, Report, Resource, SelfTest};
use crate::text::{Steps, Thousands};
use crate::verdict::Verdict;
use std::fmt;

/// One of the things that make a report a failure. Its `Display` form is a sentence.
pub(super) enum Reason<'a> {
    Breach(&'a Breach),
    /// Memory grows, or it can't be told whether it does.
    Memory(&'a Verdict),
    /// So much is left each time.
    Residue(Repetition),
    Resource(&'a Resource, &'a Verdict),
    Damage(String),
    SelfTest(&'a SelfTest),
}

impl Report {
    /// All that there are.
    pub(super) fn reasons(&self) -> Vec<Reason<'_>> {
        let mut reasons: Vec<_> = self.breaches.iter().map(Reason::Breach).collect();
        let is_open = self.is_inconclusive() && !self.is_accepted(Accepted::INCONCLUSIVE);
        let grows = self.verdict.is_growing() && !self.is_accepted(Accepted::LEAK);
        if grows || is_open {
            reasons.push(Reason::Memory(&self.verdict));
        }
        let left = self.residue_each_time();
        let left = left.filter(|_| !self.is_accepted(Accepted::RESIDUE));
        reasons.extend(left.map(Reason::Residue));
        for resource in &self.resources {
            let growing = resource.verdict().filter(|verdict| verdict.is_growing());
            reasons.extend(growing.map(|verdict| Reason::Resource(resource, verdict)));
        }
        reasons.extend(self.damage().map(Reason::Damage));
        let missed = self.self_test.iter().filter(|test| !test.is_found());
        reasons.extend(missed.map(Reason::SelfTest));
        reasons
    }
}

/// How much is left each time, without a name for it.
pub(super) fn left_each_time(repetition: &Repetition) -> String {
    format!(
        "{} B more each time that it is set up, run for {} and dropped",
        Thousands(repetition.residue_bytes),
        Steps(repetition.steps)
    )
}

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Breach(breach) => write!(f, "{breach}"),
            Self::Memory(verdict) => write!(f, "{verdict}"),
            Self::Residue(repetition) => write!(f, "residue: {}", left_each_time(repetition)),
            Self::Resource(resource, verdict) => write!(f, "{}, {verdict}", resource.kind()),
            Self::Damage(damage) => f.write_str(damage),
            Self::SelfTest(test) => write!(f, "self-test {test}"),
        }
    }
}
