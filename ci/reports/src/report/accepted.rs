//! What is accepted of a scenario, and its call sites that grow, each of which can be accepted.

use super::{Diagnosis, Report, Site, Verdict};
use highwater::__private::signature;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What would have failed a scenario, and does not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Accepted {
    /// Which of its failures.
    pub what: Acceptable,
    /// Why that is right.
    pub reason: String,
}

/// What can be accepted of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Acceptable {
    /// That the verdict is inconclusive.
    Inconclusive,
    /// That more is left each time that it is repeated.
    Residue,
    /// That memory grows, at call sites that are known.
    Leak,
}

impl Acceptable {
    /// `"inconclusive"`, `"residue"` or `"leak"`, as in the JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Inconclusive => "inconclusive",
            Self::Residue => "residue",
            Self::Leak => "leak",
        }
    }
}

impl Report {
    /// What is accepted of it, for people, a text each.
    pub fn accepted_texts(&self) -> impl Iterator<Item = String> {
        let text = |of: &Accepted| format!("{} accepted: {}", of.what.word(), of.reason);
        self.accepted.iter().map(text)
    }

    /// Whether it fails since its memory grows, which can be accepted.
    pub fn fails_for_growth(&self) -> bool {
        let is_leak = |accepted: &Accepted| accepted.what == Acceptable::Leak;
        self.verdict == Verdict::Growing && !self.accepted.iter().any(is_leak)
    }

    /// The call sites that grow, or of which that cannot be told; none if there are no call
    /// stacks.
    pub fn unbounded_sites(&self) -> impl Iterator<Item = &Site> {
        let sites = self.diagnosis.iter().flat_map(|diagnosis| &diagnosis.sites);
        sites.filter(|site| site.verdict != Verdict::Bounded)
    }

    /// Whether its call sites account for all that grew, in this run and not only in another.
    pub fn is_explained(&self) -> bool {
        let all = |diagnosis: &Diagnosis| {
            let sites = diagnosis
                .sites
                .iter()
                .map(|site| i128::from(site.growth_bytes));
            diagnosis.lost_blocks == 0 && sites.sum::<i128>() >= diagnosis.growth_bytes.into()
        };
        self.diagnosis_obstacle.is_none() && self.diagnosis.as_ref().is_some_and(all)
    }
}

impl Site {
    /// By what it is known again, though its lines moved: 16 hex digits, the hash FNV-1a of its
    /// type, its functions and the path by which most of its blocks are held. None if its
    /// functions are not known.
    pub fn signature(&self) -> Option<String> {
        let functions = self.frames.iter().map(|frame| frame.function.as_str());
        let holders = self.holders.iter().flatten();
        let holders = holders.map(|of| (of.bytes, of.kind.as_str(), of.path.as_slice()));
        signature(self.type_name.as_deref(), functions, holders)
    }
}
