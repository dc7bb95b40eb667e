//! [`Ceiling`]: everything that a limit can be set on, in one table.
//!
//! A new ceiling is a row here, a method of [`Scenario`](crate::Scenario), and a key of the
//! attribute with the same name. All other code that handles ceilings reads the table.

use super::{Report, Resource};
use crate::text::{ByteSize, Thousands};
use std::fmt;

/// What a limit is set on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Ceiling {
    /// The rise of live bytes over the requested steps.
    Growth,
    /// The maximum of live bytes.
    Peak,
    /// Live bytes after the state was dropped.
    Residue,
    /// Live blocks at the end of the requested steps.
    LiveBlocks,
    /// The blocks that a step allocates, on average over the requested steps.
    StepBlocks,
    /// The bytes that a step allocates, likewise.
    StepBytes,
    /// The rise of the number of threads over the requested steps.
    Threads,
    /// The rise of the number of tasks that are alive on an async scenario's runtime, over the
    /// requested steps.
    Tasks,
    /// The rise of the number of open descriptors over the requested steps.
    Descriptors,
    /// The rise of the bytes mapped outside the heap over the requested steps.
    Mapped,
    /// The size of the future of a step of an async scenario.
    Future,
    /// The most stack that a step used.
    Stack,
    /// Live bytes at any time: the step that passes it ends the run.
    MemoryBudget,
    /// Live bytes at any time: the allocation that passes it is shown, and its step is
    /// the last.
    StopAt,
}

/// What the table says of a ceiling.
struct Row {
    /// Says where the row belongs; only the test below reads it.
    #[cfg_attr(not(test), expect(dead_code))]
    ceiling: Ceiling,
    name: &'static str,
    unit: &'static str,
    /// Whether call stacks explain why it was passed.
    is_of_memory: bool,
    /// Whether the figure is the whole process's.
    is_of_process: bool,
    /// Whether the figure is an average over the steps, rounded up.
    is_of_step: bool,
    /// What is compared with the limit.
    actual: fn(&Report) -> u64,
}

static ROWS: [Row; 14] = [
    memory(Ceiling::Growth, "growth", "bytes", |report| {
        risen(Some(report.growth_bytes))
    }),
    memory(Ceiling::Peak, "peak", "bytes", most),
    memory(Ceiling::Residue, "residue", "bytes", |report| {
        report.residue_bytes
    }),
    memory(Ceiling::LiveBlocks, "live blocks", "blocks", |report| {
        report.live_blocks
    }),
    Row {
        is_of_step: true,
        ..memory(Ceiling::StepBlocks, "step blocks", "blocks", |report| {
            average(report, Ceiling::StepBlocks)
        })
    },
    Row {
        is_of_step: true,
        ..memory(Ceiling::StepBytes, "step bytes", "bytes", |report| {
            average(report, Ceiling::StepBytes)
        })
    },
    Row {
        is_of_memory: false,
        ..memory(Ceiling::Threads, "threads", "threads", |report| {
            resource(report, Ceiling::Threads)
        })
    },
    Row {
        is_of_memory: false,
        ..memory(Ceiling::Tasks, "tasks", "tasks", |report| {
            resource(report, Ceiling::Tasks)
        })
    },
    Row {
        is_of_memory: false,
        is_of_process: true,
        ..memory(
            Ceiling::Descriptors,
            "descriptors",
            "descriptors",
            |report| resource(report, Ceiling::Descriptors),
        )
    },
    Row {
        is_of_process: true,
        ..memory(Ceiling::Mapped, "mapped", "bytes", |report| {
            resource(report, Ceiling::Mapped)
        })
    },
    Row {
        is_of_memory: false,
        ..memory(Ceiling::Future, "future", "bytes", |report| {
            report.future_bytes.unwrap_or(0)
        })
    },
    Row {
        is_of_memory: false,
        ..memory(Ceiling::Stack, "stack", "bytes", |report| {
            report.stack_bytes().unwrap_or(0)
        })
    },
    memory(Ceiling::MemoryBudget, "memory budget", "bytes", most),
    memory(Ceiling::StopAt, "stop at", "bytes", most),
];

const fn memory(
    ceiling: Ceiling,
    name: &'static str,
    unit: &'static str,
    actual: fn(&Report) -> u64,
) -> Row {
    Row {
        ceiling,
        name,
        unit,
        is_of_memory: true,
        is_of_process: false,
        is_of_step: false,
        actual,
    }
}

/// What a step allocates, on average. A ceiling is a whole number, so the average passes it
/// exactly if the average rounded up does.
fn average(report: &Report, ceiling: Ceiling) -> u64 {
    report.of_steps(ceiling).div_ceil(report.steps.max(1))
}

/// The peak, at the upper end of its bound.
fn most(report: &Report) -> u64 {
    report.peak_bytes + report.peak_error_bytes
}

/// By how much one of the resources beside memory rose; 0 if it was not measured.
fn resource(report: &Report, ceiling: Ceiling) -> u64 {
    let resource = report
        .resources
        .iter()
        .find(|known| known.kind() == ceiling);
    risen(resource.and_then(Resource::growth))
}

fn risen(growth: Option<i64>) -> u64 {
    growth
        .and_then(|growth| u64::try_from(growth).ok())
        .unwrap_or(0)
}

impl Ceiling {
    fn row(self) -> &'static Row {
        // A test finds each at its index.
        &ROWS[self as usize]
    }

    /// `"growth"`, `"peak"`, `"residue"`, `"live blocks"`, `"step blocks"`, `"step bytes"`,
    /// `"threads"`, `"tasks"`, `"descriptors"`, `"mapped"`, `"future"`, `"stack"`, `"memory
    /// budget"` or `"stop at"`.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// What it is counted in: `"bytes"`, `"blocks"`, `"threads"`, `"tasks"` or `"descriptors"`.
    pub fn unit(self) -> &'static str {
        self.row().unit
    }

    /// Whether call stacks explain why it was passed.
    pub(crate) fn is_of_memory(self) -> bool {
        self.row().is_of_memory
    }

    /// Whether the figure is the whole process's.
    pub(crate) fn is_of_process(self) -> bool {
        self.row().is_of_process
    }

    /// Whether the figure is an average over the steps.
    pub(crate) fn is_of_step(self) -> bool {
        self.row().is_of_step
    }

    /// What is compared with the limit.
    pub(super) fn actual(self, report: &Report) -> u64 {
        (self.row().actual)(report)
    }

    /// A limit on this in words.
    pub(crate) fn limit(self, limit: u64) -> String {
        match self.unit() {
            "bytes" => ByteSize::b(limit).to_string(),
            _ => Thousands(limit).to_string(),
        }
    }

    /// What the unit is called behind a number, with a space before it.
    pub(super) fn suffix(self) -> &'static str {
        match self.unit() {
            "bytes" => " B",
            _ => "",
        }
    }
}

impl fmt::Display for Ceiling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A ceiling that was passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Breach {
    /// Which one.
    pub ceiling: Ceiling,
    /// What was allowed, in the ceiling's [unit](Ceiling::unit).
    pub limit: u64,
    /// What it came to, likewise. For a peak over several threads this is the upper
    /// end of its error bound; the average of a step is rounded up.
    pub actual: u64,
}

impl Breach {
    pub(super) fn excess(&self) -> u64 {
        self.actual.saturating_sub(self.limit)
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = self.ceiling.suffix();
        write!(
            f,
            "{}: {}{unit}, {}{unit} above its ceiling of {}",
            self.ceiling,
            Thousands(self.actual),
            Thousands(self.excess()),
            self.ceiling.limit(self.limit)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_ceiling_has_its_row() {
        for (index, row) in ROWS.iter().enumerate() {
            assert_eq!(row.ceiling as usize, index, "{}", row.name);
        }
        assert_eq!(
            ROWS.len(),
            1 + Ceiling::StopAt as usize,
            "it is the last one"
        );
    }
}
