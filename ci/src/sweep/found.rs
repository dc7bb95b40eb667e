//! What was found of a test, and of a process.

use super::process::Figures;
use super::stacks::{Blocks, SiteFound, Stacks};
use super::symbols::Symbols;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What was found of one test.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "Test of a sweep")]
pub struct Swept {
    /// The test's name, as its binary lists it; of a binary that ran as one process, the same as
    /// `binary`.
    pub test: String,
    /// The package that it belongs to.
    pub package: String,
    /// The test binary: the package for its library, `package::name` for an integration test,
    /// and `package::bin/name` and so on for others.
    pub binary: String,
    /// Whether it passed.
    pub status: Status,
    /// Why this is a whole binary, as one process, and no single test; null if it is one.
    pub whole: Option<String>,
    /// What it allocated; what is left is beyond what an empty run of the binary leaves.
    #[serde(flatten)]
    pub found: Found,
    /// What is known of it: by the baselines, or by the base; null if nothing is.
    pub before: Option<Known>,
    /// Which way it changed; null if it did not, or nothing was compared.
    pub change: Option<Change>,
    /// What of its left-overs `highwater.toml` accepts; empty if nothing was compared.
    pub accepted: Vec<Accepted>,
}

/// A part of what a test leaves that `highwater.toml` accepts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(title = "Accepted left-over in a sweep")]
pub struct Accepted {
    /// The signature of its call site, in 16 hex digits.
    pub signature: String,
    /// Why it is right.
    pub reason: String,
    /// Its bytes.
    pub bytes: u64,
    /// How many blocks there are.
    pub blocks: u64,
}

impl Swept {
    /// Whether this is the same test, of whatever run.
    pub fn is_same(&self, other: &Self) -> bool {
        self.binary == other.binary && self.test == other.test
    }
}

/// What a process allocated.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Found {
    /// The maximum of the live bytes; not known if `no_figures` says why.
    pub peak_bytes: Option<u64>,
    /// All bytes allocated, with the growth of resized blocks; not known likewise.
    pub total_bytes: Option<u64>,
    /// All blocks allocated; not known likewise.
    pub total_blocks: Option<u64>,
    /// Bytes that were live when the process ended, of a test beyond those of an empty run of its
    /// binary; not known likewise.
    pub left_bytes: Option<u64>,
    /// The same of blocks; not known likewise.
    pub left_blocks: Option<u64>,
    /// The bytes of what is left to which no static, thread-local or stack leads any more, not even
    /// by way of other blocks; not known if `not_searched` or `no_figures` says why.
    pub unreachable_bytes: Option<u64>,
    /// The same of blocks; not known likewise.
    pub unreachable_blocks: Option<u64>,
    /// Why it is not known what is unreachable, where it is known what is left.
    pub not_searched: Option<String>,
    /// Why the figures are not known.
    pub no_figures: Option<String>,
    /// The call sites of what is left, those with most bytes first; null if they were not looked
    /// for.
    pub left_sites: Option<Vec<SiteFound>>,
    /// The same of what was live at the peak; where a limit was passed, the allocation that did.
    pub peak_sites: Option<Vec<SiteFound>>,
}

impl Found {
    /// Finds the call sites of these stacks, if any were taken.
    pub(super) fn with_sites(mut self, stacks: Option<&Stacks>, symbols: &mut Symbols) -> Self {
        let mut sites = |blocks| stacks.map(|stacks| stacks.sites(symbols, blocks));
        self.left_sites = sites(Blocks::Left);
        self.peak_sites = sites(Blocks::AtPeak);
        self
    }

    /// Takes the figures of another run where they are the ones to keep.
    pub(super) fn take(&mut self, again: &Self, keep: Keep) {
        let kept = |one: Option<u64>, other: Option<u64>| match keep {
            Keep::Lowest => one.into_iter().chain(other).min(),
            Keep::Highest => one.into_iter().chain(other).max(),
        };
        self.peak_bytes = kept(self.peak_bytes, again.peak_bytes);
        self.total_bytes = kept(self.total_bytes, again.total_bytes);
        self.total_blocks = kept(self.total_blocks, again.total_blocks);
        self.left_bytes = kept(self.left_bytes, again.left_bytes);
        self.left_blocks = kept(self.left_blocks, again.left_blocks);
        // Where one run does not know, the other can't tell for both.
        let known = |one: Option<u64>, other: Option<u64>| kept(Some(one?), Some(other?));
        self.unreachable_bytes = known(self.unreachable_bytes, again.unreachable_bytes);
        self.unreachable_blocks = known(self.unreachable_blocks, again.unreachable_blocks);
        if self.not_searched.is_none() {
            self.not_searched.clone_from(&again.not_searched);
        }
    }
}

impl From<Result<Figures, String>> for Found {
    fn from(figures: Result<Figures, String>) -> Self {
        let of = |figure: fn(&Figures) -> u64| figures.as_ref().ok().map(figure);
        let unreachable = figures.as_ref().ok().map(|figures| &figures.unreachable);
        let known = unreachable.and_then(|unreachable| unreachable.as_ref().ok());
        Self {
            peak_bytes: of(|figures| figures.peak_bytes),
            total_bytes: of(|figures| figures.total_bytes),
            total_blocks: of(|figures| figures.total_blocks),
            left_bytes: of(|figures| figures.left_bytes),
            left_blocks: of(|figures| figures.left_blocks),
            unreachable_bytes: known.map(|[bytes, _]| *bytes),
            unreachable_blocks: known.map(|[_, blocks]| *blocks),
            not_searched: unreachable.and_then(|unreachable| unreachable.clone().err()),
            no_figures: figures.err(),
            left_sites: None,
            peak_sites: None,
        }
    }
}

/// How a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Its process exited with 0.
    Passed,
    /// It did not.
    Failed,
    /// It did not run; `whole` says why.
    Skipped,
}

/// Which figures count of a test that ran several times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// The lowest of each.
    Lowest,
    /// The highest of each.
    Highest,
}

/// Which way a test changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It leaves more behind, its peak is higher by more than the tolerance, or it is new and
    /// leaves memory behind.
    Worse,
    /// It leaves less behind, or its peak is lower by more than the tolerance.
    Better,
    /// Nothing was known of it.
    New,
}

/// What a test was found to allocate before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// The maximum of the live bytes.
    pub peak_bytes: u64,
    /// The bytes that were left at the end.
    pub left_bytes: u64,
    /// The blocks that were left at the end.
    pub left_blocks: u64,
}

impl Known {
    /// Without what is accepted.
    pub(super) fn without(self, accepted: &[Accepted]) -> Self {
        let sum = |of: fn(&Accepted) -> u64| accepted.iter().map(of).sum();
        Self {
            left_bytes: self
                .left_bytes
                .saturating_sub(sum(|accepted| accepted.bytes)),
            left_blocks: self
                .left_blocks
                .saturating_sub(sum(|accepted| accepted.blocks)),
            ..self
        }
    }

    /// What was found of a test, if it passed and its figures are known.
    pub fn of(test: &Swept) -> Option<Self> {
        if test.status != Status::Passed {
            return None;
        }
        Some(Self {
            peak_bytes: test.found.peak_bytes?,
            left_bytes: test.found.left_bytes?,
            left_blocks: test.found.left_blocks?,
        })
    }
}
