//! [`Figure`]: what of a report is held to a baseline or a base, and compared, in one table.
//!
//! A new figure is a variant of [`Figure`] and a row here. Everything else that deals with
//! figures asks the table.

use crate::report::Report;
use highwater::__private::Thousands;
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
    /// The size of the future of a step of an async scenario.
    Future,
    /// The most stack that a step used, where there is a ceiling on it.
    Stack,
}

/// What a figure is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

/// The figures of one run, without those that were not measured.
pub type Figures = BTreeMap<Figure, i64>;

/// What the table says of a figure.
struct Row {
    figure: Figure,
    /// In messages, on pages, and in baselines, which have a line for each row.
    name: &'static str,
    /// In `highwater.toml`, and in JSON.
    key: &'static str,
    unit: Unit,
    /// How it is read from a report.
    of: Of,
    /// What a ceiling in `highwater.toml` is compared with; none if there is no such ceiling.
    under_a_ceiling: Option<fn(&Report) -> Option<u64>>,
    /// The figure that says how far the true value may lie above.
    bound: Option<Figure>,
    /// Whether more of it blocks if `highwater.toml` does not say what does.
    blocks_by_default: bool,
    /// Whether it is told for each step too.
    is_of_steps: bool,
}

/// How a figure is read from a report.
#[derive(Clone, Copy)]
enum Of {
    /// Each report has it.
    Each(fn(&Report) -> i128),
    /// It is measured in some scenarios alone.
    Some(fn(&Report) -> Option<u64>),
}

static ROWS: [Row; 14] = [
    row(Figure::Steps, "steps", "steps", Unit::Steps, |report| {
        report.steps.into()
    }),
    Row {
        under_a_ceiling: Some(|report| Some(u64::try_from(report.growth_bytes).unwrap_or(0))),
        blocks_by_default: true,
        ..row(Figure::Growth, "growth", "growth", Unit::Bytes, |report| {
            report.growth_bytes.into()
        })
    },
    Row {
        under_a_ceiling: Some(|report| {
            Some(report.peak_bytes.saturating_add(report.peak_error_bytes))
        }),
        bound: Some(Figure::PeakBound),
        blocks_by_default: true,
        ..row(Figure::Peak, "peak", "peak", Unit::Bytes, |report| {
            report.peak_bytes.into()
        })
    },
    row(
        Figure::PeakBound,
        "peak bound",
        "peak-bound",
        Unit::Bytes,
        |report| report.peak_error_bytes.into(),
    ),
    Row {
        under_a_ceiling: Some(|report| Some(report.residue_bytes)),
        ..row(
            Figure::Residue,
            "residue",
            "residue",
            Unit::Bytes,
            |report| report.residue_bytes.into(),
        )
    },
    row(Figure::Live, "live", "live", Unit::Bytes, |report| {
        report.live_bytes.into()
    }),
    row(
        Figure::LiveBlocks,
        "live blocks",
        "live-blocks",
        Unit::Blocks,
        |report| report.live_blocks.into(),
    ),
    row(Figure::Total, "total", "total", Unit::Bytes, |report| {
        report.total_bytes.into()
    }),
    row(
        Figure::TotalBlocks,
        "total blocks",
        "total-blocks",
        Unit::Blocks,
        |report| report.total_blocks.into(),
    ),
    Row {
        under_a_ceiling: Some(|report| Some(average(report.step_bytes, report.steps))),
        is_of_steps: true,
        ..row(
            Figure::StepBytes,
            "step bytes",
            "step-bytes",
            Unit::Bytes,
            |report| report.step_bytes.into(),
        )
    },
    Row {
        under_a_ceiling: Some(|report| Some(average(report.step_blocks, report.steps))),
        is_of_steps: true,
        ..row(
            Figure::StepBlocks,
            "step blocks",
            "step-blocks",
            Unit::Blocks,
            |report| report.step_blocks.into(),
        )
    },
    row(
        Figure::Reallocations,
        "reallocations",
        "reallocations",
        Unit::Reallocations,
        |report| report.reallocations.into(),
    ),
    Row {
        under_a_ceiling: Some(|report| report.future_bytes),
        ..measured(Figure::Future, "future", |report| report.future_bytes)
    },
    // It is measured where the code has a ceiling, so there is no other one.
    measured(Figure::Stack, "stack", |report| report.stack_bytes),
];

const fn row(
    figure: Figure,
    name: &'static str,
    key: &'static str,
    unit: Unit,
    of: fn(&Report) -> i128,
) -> Row {
    Row {
        figure,
        name,
        key,
        unit,
        of: Of::Each(of),
        under_a_ceiling: None,
        bound: None,
        blocks_by_default: false,
        is_of_steps: false,
    }
}

/// A size that some scenarios have.
const fn measured(figure: Figure, name: &'static str, of: fn(&Report) -> Option<u64>) -> Row {
    Row {
        of: Of::Some(of),
        ..row(figure, name, name, Unit::Bytes, |_| 0)
    }
}

/// What a step does, on average, rounded up: that passes a ceiling exactly if the average does.
fn average(all: u64, steps: u64) -> u64 {
    all.div_ceil(steps.max(1))
}

impl Figure {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        ROWS.iter().map(|row| row.figure)
    }

    fn row(self) -> &'static Row {
        // A test finds each in its place.
        &ROWS[self as usize]
    }

    /// What it is called in baselines and messages.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// What it is called in `highwater.toml`.
    pub fn key(self) -> &'static str {
        self.row().key
    }

    /// What it is counted in.
    pub fn unit(self) -> Unit {
        self.row().unit
    }

    /// The figure in `report`; none if it was not measured.
    pub fn of(self, report: &Report) -> Option<i64> {
        let value = match self.row().of {
            Of::Each(of) => of(report),
            Of::Some(of) => of(report)?.into(),
        };
        Some(i64::try_from(value).unwrap_or(i64::MAX))
    }

    /// Whether each report has it. Others are of some scenarios alone, and say nothing of how
    /// far the rest may vary.
    pub fn is_always_measured(self) -> bool {
        matches!(self.row().of, Of::Each(_))
    }

    /// Whether `highwater.toml` can set a ceiling on it.
    pub fn can_have_a_ceiling(self) -> bool {
        self.row().under_a_ceiling.is_some()
    }

    /// What such a ceiling is compared with; none if there is none, or it was not measured. Of
    /// what the steps did, it is the average of a step, rounded up.
    pub fn under_a_ceiling(self, report: &Report) -> Option<u64> {
        self.row().under_a_ceiling?(report)
    }

    /// The figure that says how far the true value of this one may lie above.
    pub fn bound(self) -> Option<Self> {
        self.row().bound
    }

    /// Whether it is such a bound.
    pub fn is_bound(self) -> bool {
        ROWS.iter().any(|row| row.bound == Some(self))
    }

    /// Whether it is a sum over the whole run, and no level of memory.
    pub fn is_a_total(self) -> bool {
        use Figure::{Reallocations, StepBlocks, StepBytes, Total, TotalBlocks};
        matches!(
            self,
            Total | TotalBlocks | StepBytes | StepBlocks | Reallocations
        )
    }

    /// Whether more of it is worse, and so can block, and be tolerated. Not so the steps, which
    /// the others are for, and bounds.
    pub fn can_block(self) -> bool {
        self.unit() != Unit::Steps && !self.is_bound()
    }

    /// Whether it does if `highwater.toml` does not say what does.
    pub fn blocks_by_default(self) -> bool {
        self.row().blocks_by_default
    }

    /// Whether it is what the steps did, and so told for each step too.
    pub fn is_of_steps(self) -> bool {
        self.row().is_of_steps
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
    Figure::all()
        .filter_map(|figure| Some((figure, figure.of(report)?)))
        .collect()
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
        write!(f, "{}{unit}", Thousands(self.value))
    }
}

#[cfg(test)]
mod tests {
    use super::{Figure, ROWS};

    #[test]
    fn each_figure_has_its_row() {
        for (place, row) in ROWS.iter().enumerate() {
            assert_eq!(row.figure as usize, place, "{}", row.name);
            let in_json = serde_json::to_value(row.figure).expect("a word");
            assert_eq!(in_json, row.key, "the same everywhere");
        }
        let last = Figure::Stack as usize;
        assert_eq!(ROWS.len(), last + 1, "it is the last one");
    }
}
