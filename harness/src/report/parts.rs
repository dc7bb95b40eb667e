//! What a report is made of.

use super::Ceiling;
use crate::verdict::Verdict;
use std::fmt;

/// A point on the curve of live memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checkpoint {
    /// How many steps had been run, warm-up not counted.
    pub step: u64,
    /// Live bytes then, from set-up on.
    pub live_bytes: u64,
    /// Live blocks then, from set-up on.
    pub live_blocks: u64,
}

/// What is left each time that the scenario is set up, run for a while and dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Repetition {
    /// The least number of live bytes that each drop left. 0 if the residue of the run was
    /// left only once, as by a static that fills at its first use.
    pub residue_bytes: u64,
    /// How many steps each repetition had.
    pub steps: u64,
}

/// Something that would be a failure, and was accepted with a reason.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Accepted {
    /// What: `"inconclusive"`, `"residue"` or `"leak"`.
    pub what: &'static str,
    /// Why.
    pub reason: String,
}

impl Accepted {
    pub(crate) const INCONCLUSIVE: &str = "inconclusive";
    pub(crate) const RESIDUE: &str = "residue";
    /// That memory grows, at call sites that are all known.
    pub(crate) const LEAK: &str = "leak";
}

/// Threads, tasks, descriptors or mapped memory, which a run may leak beside the heap.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    kind: Ceiling,
    measured: Result<Measured, Unmeasured>,
}

/// Why a resource was not measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unmeasured {
    /// The system does not say, or not to us.
    Unavailable,
    /// Another scenario ran in the process at the same time.
    NotAlone,
}

#[derive(Clone, Debug, PartialEq)]
struct Measured {
    growth: i64,
    per_step: f64,
    verdict: Verdict,
}

impl Resource {
    pub(crate) fn measured(kind: Ceiling, growth: i64, per_step: f64, verdict: Verdict) -> Self {
        Self {
            kind,
            measured: Ok(Measured {
                growth,
                per_step,
                verdict,
            }),
        }
    }

    pub(crate) fn unmeasured(kind: Ceiling, why: Unmeasured) -> Self {
        Self {
            kind,
            measured: Err(why),
        }
    }

    /// [`Ceiling::Threads`], [`Ceiling::Tasks`], [`Ceiling::Descriptors`] or [`Ceiling::Mapped`].
    pub fn kind(&self) -> Ceiling {
        self.kind
    }

    /// By how much it rose over the requested steps, in the kind's
    /// [unit](Ceiling::unit); none if it could not be measured.
    pub fn growth(&self) -> Option<i64> {
        self.measured.as_ref().ok().map(|measured| measured.growth)
    }

    /// By how much its floor rises with each step, in the kind's [unit](Ceiling::unit); none
    /// if it could not be measured.
    pub fn per_step(&self) -> Option<f64> {
        self.measured
            .as_ref()
            .ok()
            .map(|measured| measured.per_step)
    }

    /// Whether it is bounded, by the same rule as memory, over the same steps; none if it
    /// could not be measured. The verdict's bytes and blocks a step are zero.
    pub fn verdict(&self) -> Option<&Verdict> {
        self.measured
            .as_ref()
            .ok()
            .map(|measured| &measured.verdict)
    }

    /// Why it could not be measured; none if it was.
    pub fn obstacle(&self) -> Option<&'static str> {
        let why = self.measured.as_ref().err()?;
        Some(why.of(self.kind))
    }
}

impl Unmeasured {
    /// In words, of this resource.
    pub(crate) fn of(self, kind: Ceiling) -> &'static str {
        match kind {
            _ if self == Self::NotAlone => {
                "not measured: another scenario ran in this process at the same time, within \
                 which or beside which this one began"
            }
            Ceiling::Threads => {
                "not measured: threads are tracked on Linux with glibc alone, with the feature \
                 `threads`"
            }
            Ceiling::Tasks => {
                "not measured: tasks are counted in async scenarios alone, which `run_async` or \
                 `#[highwater::test]` on an `async fn` makes"
            }
            Ceiling::Descriptors => "not measured: descriptors are counted on Linux alone",
            _ => {
                "not measured: mapped memory is told from the heap on Linux with glibc 2.33 or \
                 later alone, and above the system's allocator"
            }
        }
    }
}

/// What came of a leak that was made on purpose.
#[derive(Clone, Debug, PartialEq)]
pub struct SelfTest {
    leak: Option<(u64, f64)>,
    verdict: Option<Verdict>,
}

impl SelfTest {
    pub(crate) fn with_leak(block_bytes: u64, blocks_per_step: f64, verdict: Verdict) -> Self {
        Self {
            leak: Some((block_bytes, blocks_per_step)),
            verdict: Some(verdict),
        }
    }

    /// For a run in which no leak could have been told.
    pub(crate) fn impossible() -> Self {
        Self {
            leak: None,
            verdict: None,
        }
    }

    /// The leak: the size of its blocks in bytes, and how many there were in a step.
    /// None if no leak would have shown in the run.
    pub fn leak(&self) -> Option<(u64, f64)> {
        self.leak
    }

    /// Whether the verdict found it.
    pub fn is_found(&self) -> bool {
        self.verdict.as_ref().is_some_and(Verdict::is_growing)
    }

    /// The verdict of the run with the leak in it; none if there was no such run.
    pub fn verdict(&self) -> Option<&Verdict> {
        self.verdict.as_ref()
    }
}

impl fmt::Display for SelfTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Some((bytes, rate)), Some(verdict)) = (self.leak, &self.verdict) else {
            return f.write_str(
                "failed: no leak could have been told from this run; ask for more steps",
            );
        };
        let leak = format!(
            "a block of {bytes} B, leaked on purpose {} times a step,",
            crate::text::Rate(rate)
        );
        if self.is_found() {
            write!(f, "{leak} was found")
        } else {
            write!(f, "failed: {leak} was called {verdict}")
        }
    }
}
