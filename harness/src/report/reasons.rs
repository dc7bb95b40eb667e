//! [`Reason`]: why a report is a failure, once for all that print it.

use super::{Accepted, Breach, Ceiling, OfType, Repetition, Report, Resource, SelfTest};
use crate::text::{Rate, Steps, Thousands};
use crate::verdict::Verdict;
use std::fmt;

/// One of the things that make a report a failure. Its `Display` form is a sentence.
pub(super) enum Reason<'a> {
    /// With what an average is of.
    Breach(&'a Breach, Option<Average>),
    /// There are too many blocks of it.
    Type(&'a OfType),
    /// Memory grows, or it can't be told whether it does.
    Memory(&'a Verdict),
    /// So much is left each time.
    Residue(Repetition),
    Resource(&'a Resource, &'a Verdict),
    Damage(String),
    SelfTest(&'a SelfTest),
}

/// What a step allocates.
pub(super) struct Average {
    each: Rate,
    all: u64,
    steps: u64,
    unit: &'static str,
}

impl Report {
    /// All that there are.
    pub(super) fn reasons(&self) -> Vec<Reason<'_>> {
        let breaches = self.breaches.iter();
        let breaches = breaches.map(|breach| Reason::Breach(breach, self.average(breach.ceiling)));
        let mut reasons: Vec<_> = breaches.collect();
        let of_types = self.types.iter().filter(|of_type| of_type.is_breached());
        reasons.extend(of_types.map(Reason::Type));
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

impl Report {
    fn average(&self, ceiling: Ceiling) -> Option<Average> {
        ceiling.is_of_step().then(|| Average {
            each: self.each_step(ceiling),
            all: self.of_steps(ceiling),
            steps: self.steps,
            unit: ceiling.suffix(),
        })
    }
}

impl fmt::Display for Average {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (all, steps) = (Thousands(self.all), Steps(self.steps));
        let each = self.each.significant();
        write!(f, "{each}{0} each ({all}{0} in {steps})", self.unit)
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
            Self::Breach(breach, None) => write!(f, "{breach}"),
            Self::Breach(breach, Some(average)) => {
                let limit = breach.ceiling.limit(breach.limit);
                write!(
                    f,
                    "{}: {average}, above its ceiling of {limit}",
                    breach.ceiling
                )
            }
            Self::Type(of_type) => write!(f, "live blocks: {}", of_type.told()),
            Self::Memory(verdict) => write!(f, "{verdict}"),
            Self::Residue(repetition) => write!(f, "residue: {}", left_each_time(repetition)),
            Self::Resource(resource, verdict) => write!(f, "{}, {verdict}", resource.kind()),
            Self::Damage(damage) => f.write_str(damage),
            Self::SelfTest(test) => write!(f, "self-test {test}"),
        }
    }
}
