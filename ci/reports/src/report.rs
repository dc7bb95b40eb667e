//! [`Report`]: what a scenario wrote into `target/highwater/`, read back.
//!
//! The fields are those of the JSON, under the same names. All of them must be
//! there, the nullable ones too: a report that lacks its `damage` must not be
//! taken for one without damage. Fields that are not known are ignored, because
//! a newer library may add some without changing the number of the schema.

mod accepted;
mod read;

pub use accepted::{Acceptable, Accepted};
use highwater::__private::full_name;
pub use read::{ReadError, read_directory, read_file, read_files, unwritten_files, unwritten_text};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

/// The version of the schema that this reads.
pub const SCHEMA: u64 = 1;

/// The report of one run of a scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(expecting = "the object that a report is")]
pub struct Report {
    /// The version of the schema; [`SCHEMA`].
    pub schema: u64,
    /// The scenario's name.
    pub name: String,
    /// The scenario's variant, if it has one.
    #[serde(deserialize_with = "present")]
    pub variant: Option<String>,
    /// Where in the code the scenario is run, if that is known.
    #[serde(deserialize_with = "present")]
    pub location: Option<Location>,
    /// The test that ran it, as libtest names it; none if that is not known, and in
    /// reports of older libraries.
    #[serde(default)]
    pub test: Option<String>,
    /// The system that the program was built for.
    pub target: String,
    /// `"debug"` or `"release"`.
    pub profile: String,
    /// The allocator beneath the counting one, if that is known.
    #[serde(deserialize_with = "present")]
    pub allocator: Option<String>,
    /// The steps that the figures are for.
    pub steps: u64,
    /// The steps that were asked for.
    pub requested_steps: u64,
    /// The steps before growth was counted.
    pub warm_up_steps: u64,
    /// The steps that the verdict is for.
    pub extended_steps: u64,
    /// By how much live bytes rose over the steps; negative if they fell.
    pub growth_bytes: i64,
    /// The maximum of live bytes.
    pub peak_bytes: u64,
    /// How far the true peak may lie above.
    pub peak_error_bytes: u64,
    /// Live bytes after the state was dropped.
    pub residue_bytes: u64,
    /// What is left each time that set-up and drop are repeated.
    #[serde(deserialize_with = "present")]
    pub repetition: Option<Repetition>,
    /// Live bytes at the end of the steps.
    pub live_bytes: u64,
    /// Live blocks at the end of the steps.
    pub live_blocks: u64,
    /// All bytes allocated from set-up to the end of the steps.
    pub total_bytes: u64,
    /// All blocks allocated from set-up to the end of the steps.
    pub total_blocks: u64,
    /// The bytes among `total_bytes` that the steps allocated.
    pub step_bytes: u64,
    /// The blocks among `total_blocks` that the steps allocated.
    pub step_blocks: u64,
    /// How many times a block was resized.
    pub reallocations: u64,
    /// The size of the future of a step; none if the steps are not async, and in reports of
    /// older libraries.
    #[serde(default)]
    pub future_bytes: Option<u64>,
    /// The most stack that a step used; none if that was not asked for or could not be measured,
    /// and in reports of older libraries.
    #[serde(default)]
    pub stack_bytes: Option<u64>,
    /// Whether memory is bounded.
    pub verdict: Verdict,
    /// Why the verdict is what it is.
    pub verdict_reason: String,
    /// How the floor of live memory depends on the steps; none if inconclusive.
    #[serde(deserialize_with = "present")]
    pub law: Option<String>,
    /// By how many bytes the floor rises with each step.
    pub floor_bytes_per_step: f64,
    /// How far that may be off.
    pub floor_bytes_per_step_error: f64,
    /// By how many blocks the floor rises with each step.
    pub floor_blocks_per_step: f64,
    /// How far that may be off.
    pub floor_blocks_per_step_error: f64,
    /// The smallest leak in bytes a step that would have shown.
    #[serde(deserialize_with = "present")]
    pub detectable_bytes_per_step: Option<f64>,
    /// The smallest leak in blocks a step that would have shown.
    #[serde(deserialize_with = "present")]
    pub detectable_blocks_per_step: Option<f64>,
    /// A step by which memory was level, if it was not from the start.
    #[serde(deserialize_with = "present")]
    pub settled_by_step: Option<u64>,
    /// By how many bytes live memory goes up and down.
    #[serde(deserialize_with = "present")]
    pub swing_bytes: Option<u64>,
    /// In how many steps it does so.
    #[serde(deserialize_with = "present")]
    pub swing_period_steps: Option<u64>,
    /// What else was watched.
    pub resources: Vec<Resource>,
    /// What came of a leak that was made on purpose.
    #[serde(deserialize_with = "present")]
    pub self_test: Option<SelfTest>,
    /// Why the scenario failed; empty if it did not.
    pub failures: Vec<String>,
    /// What would have failed it, and is accepted for a reason.
    #[serde(default)]
    pub accepted: Vec<Accepted>,
    /// What was counted, what was seen elsewhere, and what was not judged.
    #[serde(default)]
    pub coverage: Coverage,
    /// What the scenario cannot show, though it may be right as it is; none in reports of older
    /// libraries.
    #[serde(default)]
    pub note: Option<String>,
    /// Why the run ended early, if it did.
    #[serde(deserialize_with = "present")]
    pub ending: Option<String>,
    /// What the program did to its own heap, if that was noticed.
    #[serde(deserialize_with = "present")]
    pub damage: Option<String>,
    /// The ceilings that were set.
    pub ceilings: Vec<Ceiling>,
    /// The ceilings that were passed.
    pub breaches: Vec<Breach>,
    /// Live memory through the run.
    pub curve: Vec<Checkpoint>,
    /// Which call stacks allocated what, if that was asked.
    #[serde(deserialize_with = "present")]
    pub diagnosis: Option<Diagnosis>,
    /// What is missing in the diagnosis, or why there is none; not in reports of older
    /// libraries.
    #[serde(default)]
    pub diagnosis_obstacle: Option<String>,
    /// All of it in words; none in reports of older libraries.
    #[serde(default)]
    pub explanation: Option<String>,
}

/// A location in the code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Location {
    /// The file, as the compiler was given it.
    pub file: String,
    /// The line, from 1 on.
    pub line: u32,
}

/// Whether memory is bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Live memory stays within bounds.
    Bounded,
    /// Live memory rises without end.
    Growing,
    /// The run was too short to tell.
    Inconclusive,
}

impl Verdict {
    /// `"bounded"`, `"growing"` or `"inconclusive"`, as in the JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Bounded => "bounded",
            Self::Growing => "growing",
            Self::Inconclusive => "inconclusive",
        }
    }
}

/// What the figures and the verdict are of. Of older libraries nothing is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Coverage {
    /// Whether the scenario had a process of its own, in which everything counts.
    pub process: Process,
    /// The most threads at one time that were counted; none if that is not known.
    #[serde(deserialize_with = "present")]
    pub threads: Option<u64>,
    /// By how many bytes memory outside of the scenario grew meanwhile; less than none
    /// if others freed.
    pub elsewhere_bytes: i64,
    /// By how many blocks.
    pub elsewhere_blocks: i64,
    /// Blocks of the scenario that threads outside of it freed.
    pub freed_elsewhere_blocks: u64,
    /// Blocks from outside of it that its threads freed.
    pub freed_for_others_blocks: u64,
    /// Why work is believed to have left the scenario; then it is not called bounded.
    #[serde(deserialize_with = "present")]
    pub evidence: Option<String>,
    /// The threads that did such work, if they are known.
    pub threads_elsewhere: Vec<String>,
    /// What was not judged, and why.
    pub not_judged: Vec<NotJudged>,
}

/// Whose process a scenario ran in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Process {
    /// Its own: everything in it counts.
    Own,
    /// One that other tests have too.
    #[default]
    Shared,
}

/// A figure that says nothing about the scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct NotJudged {
    /// Which one.
    pub figure: String,
    /// Why it was not judged.
    pub reason: String,
}

/// What is left each time that the scenario is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Repetition {
    /// Live bytes after each drop.
    pub residue_bytes: u64,
    /// The steps of each repetition.
    pub steps: u64,
}

/// Threads, tasks, descriptors or mapped memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Resource {
    /// Which of them.
    pub resource: String,
    /// By how much it rose over the requested steps; none if that is unknown.
    #[serde(deserialize_with = "present")]
    pub growth: Option<i64>,
    /// By how much it rises with each step; none if that is unknown.
    #[serde(deserialize_with = "present")]
    pub per_step: Option<f64>,
    /// What it is counted in.
    pub unit: String,
    /// Whether it is bounded; none if that is unknown.
    #[serde(deserialize_with = "present")]
    pub verdict: Option<Verdict>,
    /// Why the verdict is what it is, or is not known.
    pub verdict_reason: String,
}

/// What came of a leak that was made on purpose.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct SelfTest {
    /// Whether the verdict found it.
    pub found: bool,
    /// The size of the leaked blocks; none if no leak could have been told.
    #[serde(deserialize_with = "present")]
    pub block_bytes: Option<u64>,
    /// How many of them were leaked in a step, likewise.
    #[serde(deserialize_with = "present")]
    pub blocks_per_step: Option<f64>,
    /// The outcome in words.
    pub text: String,
}

/// A ceiling that was set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ceiling {
    /// What it is set on, such as `"growth"`.
    pub ceiling: String,
    /// What is allowed; equal passes.
    pub limit: u64,
    /// What it is counted in, such as `"bytes"`.
    pub unit: String,
}

/// A ceiling that was passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Breach {
    /// What it is set on, such as `"growth"`.
    pub ceiling: String,
    /// What was allowed.
    pub limit: u64,
    /// What it came to.
    pub actual: u64,
    /// What it is counted in, such as `"bytes"`.
    pub unit: String,
}

impl Breach {
    /// By how much the ceiling was passed.
    pub fn excess(&self) -> u64 {
        self.actual.saturating_sub(self.limit)
    }
}

/// A point on the curve of live memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Checkpoint {
    /// How many steps had been run, warm-up not counted.
    pub step: u64,
    /// Live bytes then.
    pub live_bytes: u64,
    /// Live blocks then.
    pub live_blocks: u64,
}

/// Which call stacks allocated what the scenario holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Diagnosis {
    /// The number of the first step that it is of; more than 0 if the steps went on
    /// where those of the report ended.
    pub first_step: u64,
    /// The number of the step behind the last one.
    pub last_step: u64,
    /// The steps after which it is known what each site held, ascending, from 0 on; none in
    /// reports of older libraries.
    #[serde(default)]
    pub series_steps: Vec<u64>,
    /// Live bytes after each of these steps, at sites or not.
    #[serde(default)]
    pub series_bytes: Vec<u64>,
    /// The step in which the peak was met; none if it was not, and in reports of older
    /// libraries.
    #[serde(default)]
    pub peak_step: Option<u64>,
    /// By how much live bytes rose over these steps.
    pub growth_bytes: i64,
    /// How much of that the sites tell.
    pub explained_bytes: i64,
    /// Blocks that could not be tracked to their sites.
    pub lost_blocks: u64,
    /// The allocation that passed the limit to stop at, if there was one.
    #[serde(default)]
    pub trap: Option<Trap>,
    /// The allocation sites, those that grow and grew most first.
    pub sites: Vec<Site>,
}

/// The allocation that passed the limit to stop at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Trap {
    /// What was allocated, if that is known.
    #[serde(rename = "type", deserialize_with = "present")]
    pub type_name: Option<String>,
    /// How many bytes the block has.
    pub size_bytes: u64,
    /// Live bytes with it.
    pub live_bytes: u64,
    /// The functions, the innermost first; empty if they are not known.
    pub frames: Vec<Frame>,
}

/// A call stack, and what is live of what it allocated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Site {
    /// What was allocated, if that is known.
    #[serde(rename = "type", deserialize_with = "present")]
    pub type_name: Option<String>,
    /// By how many bytes it grew over the requested steps.
    pub growth_bytes: i64,
    /// By how many blocks it grew over the requested steps.
    pub growth_blocks: i64,
    /// Bytes live at the end of the requested steps.
    pub live_bytes: i64,
    /// Blocks live at the end of the requested steps.
    pub live_blocks: i64,
    /// Bytes live after each of the diagnosis' `series_steps`; none in reports of older
    /// libraries.
    #[serde(default)]
    pub series_bytes: Vec<i64>,
    /// Bytes live at the peak, if that was met.
    #[serde(deserialize_with = "present")]
    pub peak_bytes: Option<i64>,
    /// Blocks live at the peak, if that was met.
    #[serde(deserialize_with = "present")]
    pub peak_blocks: Option<i64>,
    /// All bytes that it allocated up to the end of the requested steps; none in reports
    /// of older libraries.
    #[serde(default)]
    pub total_bytes: Option<u64>,
    /// All blocks that it allocated up to the end of the requested steps.
    pub total_blocks: u64,
    /// Whether what is live of it is bounded.
    pub verdict: Verdict,
    /// The functions, the innermost first; empty if they are not known.
    pub frames: Vec<Frame>,
    /// What holds its blocks; none if nobody looked, and in reports of older libraries.
    #[serde(default)]
    pub holders: Option<Vec<Holder>>,
}

/// What holds some of a site's blocks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Holder {
    /// From a root, such as a static, to the blocks.
    pub path: Vec<String>,
    /// How many blocks it holds.
    pub blocks: u64,
    /// Their bytes.
    pub bytes: u64,
    /// `"held"` from a root; `"lost"` if nothing points to them, `"indirectly lost"`
    /// if only lost blocks do, `"cycle"` if they do to each other; `"unknown"` if no root
    /// was found, but not everything could be searched.
    pub kind: String,
}

/// A function in a call stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Frame {
    /// Its path, shortened.
    pub function: String,
    /// Relative to the project, if it is known.
    #[serde(deserialize_with = "present")]
    pub file: Option<String>,
    /// From 1 on.
    #[serde(deserialize_with = "present")]
    pub line: Option<u32>,
}

impl Frame {
    /// Where it is, if that is known.
    pub fn location(&self) -> Option<Location> {
        let (file, line) = (self.file.clone()?, self.line?);
        Some(Location { file, line })
    }
}

impl Diagnosis {
    /// Whether the peak was met, so that it is known what was live then.
    pub fn knows_peak(&self) -> bool {
        self.sites.iter().any(|site| site.peak_bytes.is_some())
    }
}

impl Report {
    /// The lowest of the ceilings on what has this name: that of the code, or of
    /// `highwater.toml`.
    pub fn lowest_ceiling(&self, name: &str) -> Option<&Ceiling> {
        let ceilings = self.ceilings.iter().filter(|set| set.ceiling == name);
        ceilings.min_by_key(|set| set.limit)
    }

    /// The name, with the variant in brackets if there is one.
    pub fn full_name(&self) -> String {
        full_name(&self.name, self.variant.as_deref())
    }

    /// The note in short: what it says before it explains.
    pub fn note_in_short(&self) -> Option<&str> {
        self.note.as_deref()?.split(": ").next()
    }

    /// Whether there are [`failures`](Self::failures).
    pub fn is_failure(&self) -> bool {
        !self.failures.is_empty()
    }
}

/// A value that may be null but must be there; by itself, serde takes a missing
/// one for null.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    Option::deserialize(deserializer)
}

#[cfg(test)]
mod tests;
