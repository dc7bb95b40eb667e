//! [`Figure`]: what of a report is held to a baseline or a base, and compared.

use crate::report::Report;
use crate::thousands::Thousands;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// A figure that is compared, in the order in which they are listed.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Figure {
    /// The steps that the others are for.
    Steps,
    /// The rise of live bytes over the steps.
    Growth,
    /// The maximum of live bytes.
    Peak,
    /// How far the true peak may lie above.
    PeakBound,
    /// Live bytes after the state was dropped.
    Residue,
    /// Live bytes at the end of the steps.
    Live,
    /// Live blocks at the end of the steps.
    LiveBlocks,
    /// All bytes allocated from set-up on.
    Total,
    /// All blocks allocated from set-up on.
    TotalBlocks,
    /// The bytes among them that the steps allocated.
    StepBytes,
    /// The blocks among them that the steps allocated.
    StepBlocks,
    /// How many times a block was resized.
    Reallocations,
}

/// What a figure is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Bytes that the program asked for.
    Bytes,
    /// Blocks of memory.
    Blocks,
    /// Steps of the scenario.
    Steps,
    /// Blocks that were resized.
    Reallocations,
}

/// The figures of one run.
pub type Figures = BTreeMap<Figure, i64>;

impl Figure {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Steps,
        Self::Growth,
        Self::Peak,
        Self::PeakBound,
        Self::Residue,
        Self::Live,
        Self::LiveBlocks,
        Self::Total,
        Self::TotalBlocks,
        Self::StepBytes,
        Self::StepBlocks,
        Self::Reallocations,
    ];

    /// What it is called in files and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Steps => "steps",
            Self::Growth => "growth",
            Self::Peak => "peak",
            Self::PeakBound => "peak bound",
            Self::Residue => "residue",
            Self::Live => "live",
            Self::LiveBlocks => "live blocks",
            Self::Total => "total",
            Self::TotalBlocks => "total blocks",
            Self::StepBytes => "step bytes",
            Self::StepBlocks => "step blocks",
            Self::Reallocations => "reallocations",
        }
    }

    /// What it is counted in.
    pub fn unit(self) -> Unit {
        match self {
            Self::Steps => Unit::Steps,
            Self::LiveBlocks | Self::TotalBlocks | Self::StepBlocks => Unit::Blocks,
            Self::Reallocations => Unit::Reallocations,
            _ => Unit::Bytes,
        }
    }

    /// The figure in `report`.
    pub fn of(self, report: &Report) -> i64 {
        let unsigned = match self {
            Self::Growth => return report.growth_bytes,
            Self::Steps => report.steps,
            Self::Peak => report.peak_bytes,
            Self::PeakBound => report.peak_error_bytes,
            Self::Residue => report.residue_bytes,
            Self::Live => report.live_bytes,
            Self::LiveBlocks => report.live_blocks,
            Self::Total => report.total_bytes,
            Self::TotalBlocks => report.total_blocks,
            Self::StepBytes => report.step_bytes,
            Self::StepBlocks => report.step_blocks,
            Self::Reallocations => report.reallocations,
        };
        i64::try_from(unsigned).unwrap_or(i64::MAX)
    }

    /// The figure with its unit, where that is not in its name.
    pub fn display(self, value: i64) -> impl fmt::Display {
        Amount {
            figure: self,
            value,
        }
    }
}

/// All figures of `report`.
pub fn figures(report: &Report) -> Figures {
    let figures = Figure::ALL.iter();
    figures.map(|figure| (*figure, figure.of(report))).collect()
}

struct Amount {
    figure: Figure,
    value: i64,
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = if self.figure.unit() == Unit::Bytes {
            " B"
        } else {
            ""
        };
        write!(f, "{}{unit}", Thousands(self.value.into()))
    }
}
