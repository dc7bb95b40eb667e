//! [`Report`]: everything that a run of a scenario found out.
//!
//! A report is data, made of the `parts`. `text` has its text form, `json` its JSON form, and
//! `file` writes it.

mod again;
mod ceiling;
mod coverage;
mod file;
mod json;
mod parts;
mod reasons;
mod summary;
mod text;
mod types;

use crate::alloc::{Overruns, StackDepth, unscoped};
use crate::diagnosis::Diagnosis;
use crate::verdict::Verdict;
pub use ceiling::{Breach, Ceiling};
pub use coverage::Coverage;
pub(crate) use coverage::c_heap_not_judged;
pub(crate) use parts::Unmeasured;
pub use parts::{Accepted, Checkpoint, Repetition, Resource, SelfTest};
use std::panic::Location;
pub(crate) use types::{OfType, is_of};

/// What a run of a [`Scenario`](crate::Scenario) measured, and how it was judged.
///
/// Its `Display` form is the same on every run of a deterministic scenario: no
/// times, no addresses, no paths. Snapshot it. Bytes are what the program asked for, not
/// what the allocator rounded up to.
///
/// ```
/// # #[global_allocator]
/// # static ALLOC: highwater::Alloc = highwater::Alloc::system();
/// use highwater::{ByteSize, Scenario};
///
/// # fn main() {
/// let report = Scenario::new("last-number")
///     .steps(1_000)
///     .peak_ceiling(ByteSize::kib(1))
///     .run(String::new, |text, i| *text = i.to_string());
/// assert!(report.verdict().is_bounded());
/// assert!(report.breaches().is_empty());
/// assert_eq!(report.growth_bytes(), 3);
/// assert_eq!(report.residue_bytes(), 0);
/// report.assert();
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    pub(crate) name: String,
    pub(crate) variant: Option<String>,
    pub(crate) location: Option<&'static Location<'static>>,
    /// The test that ran it, as libtest names it.
    pub(crate) test: Option<String>,
    pub(crate) requested_steps: u64,
    pub(crate) steps: u64,
    pub(crate) warm_up_steps: u64,
    pub(crate) extended_steps: u64,
    pub(crate) growth_bytes: i64,
    pub(crate) peak_bytes: u64,
    pub(crate) peak_error_bytes: u64,
    pub(crate) residue_bytes: u64,
    pub(crate) repetition: Option<Repetition>,
    pub(crate) live_bytes: u64,
    pub(crate) live_blocks: u64,
    pub(crate) total_bytes: u64,
    pub(crate) total_blocks: u64,
    pub(crate) step_bytes: u64,
    pub(crate) step_blocks: u64,
    pub(crate) reallocations: u64,
    pub(crate) future_bytes: Option<u64>,
    /// None if nobody asked; else how much, or why that is not known.
    pub(crate) stack: Option<Result<StackDepth, &'static str>>,
    pub(crate) ceilings: Vec<(Ceiling, u64)>,
    pub(crate) breaches: Vec<Breach>,
    pub(crate) types: Vec<OfType>,
    pub(crate) verdict: Verdict,
    /// Whether call stacks may tell more of it.
    pub(crate) is_coarse: bool,
    /// Whether the run ended for call stacks to decide.
    pub(crate) is_left_open: bool,
    /// Whether call stacks were taken.
    pub(crate) has_sites: bool,
    pub(crate) coverage: Coverage,
    pub(crate) accepted: Vec<Accepted>,
    pub(crate) resources: Vec<Resource>,
    pub(crate) self_test: Option<SelfTest>,
    /// The blocks after set-up, if there is no state, and no step left one more.
    pub(crate) blocks_without_state: Option<u64>,
    pub(crate) ending: Option<String>,
    pub(crate) overruns: Option<Overruns>,
    pub(crate) curve: Vec<Checkpoint>,
    pub(crate) diagnosis: Option<Diagnosis>,
    pub(crate) diagnosis_obstacle: Option<String>,
}

impl Report {
    /// The scenario's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The scenario's variant, if it has one.
    pub fn variant(&self) -> Option<&str> {
        self.variant.as_deref()
    }

    /// Where in the code the scenario was run; none if it is not known.
    pub fn location(&self) -> Option<&'static Location<'static>> {
        self.location
    }

    /// The test that ran the scenario, as libtest names it; none outside of tests.
    pub fn test(&self) -> Option<&str> {
        self.test.as_deref()
    }

    /// The system that the program was built for, such as `x86_64-linux-gnu`.
    pub fn target(&self) -> String {
        json::target()
    }

    /// How this library was compiled: `"debug"` or `"release"`.
    pub fn profile(&self) -> &'static str {
        json::PROFILE
    }

    /// The allocator beneath [`Alloc`](crate::Alloc), such as `System`; none if nothing
    /// was allocated yet.
    pub fn allocator(&self) -> Option<&'static str> {
        crate::alloc::inner_name()
    }

    /// The steps that the figures are for: the requested ones, or fewer if the
    /// memory budget ended the run.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The steps that were [asked for](crate::Scenario::steps).
    pub fn requested_steps(&self) -> u64 {
        self.requested_steps
    }

    /// The steps of the [warm-up](crate::Scenario::warm_up), which come before
    /// [`steps`](Self::steps).
    pub fn warm_up_steps(&self) -> u64 {
        self.warm_up_steps
    }

    /// The steps that the verdict is for: with the extension, without warm-up.
    pub fn extended_steps(&self) -> u64 {
        self.extended_steps
    }

    /// Live bytes at the end of the requested steps, less those after set-up and
    /// warm-up. Negative if memory shrank.
    pub fn growth_bytes(&self) -> i64 {
        self.growth_bytes
    }

    /// The high-water mark: the maximum of live bytes from set-up to the end of the
    /// requested steps.
    pub fn peak_bytes(&self) -> u64 {
        self.peak_bytes
    }

    /// By how many bytes the true peak may lie above [`peak_bytes`](Self::peak_bytes): 0 if
    /// one thread at a time allocated.
    pub fn peak_error_bytes(&self) -> u64 {
        self.peak_error_bytes
    }

    /// Live bytes after the state was dropped, at the end of the extension: what
    /// the scenario never frees.
    pub fn residue_bytes(&self) -> u64 {
        self.residue_bytes
    }

    /// What is left each time when set-up and drop are repeated. None if nothing was
    /// left by the run itself, or a repetition panicked.
    pub fn repetition(&self) -> Option<Repetition> {
        self.repetition
    }

    /// Live blocks at the end of the requested steps.
    pub fn live_blocks(&self) -> u64 {
        self.live_blocks
    }

    /// Live bytes at the end of the requested steps.
    pub fn live_bytes(&self) -> u64 {
        self.live_bytes
    }

    /// All bytes allocated from set-up to the end of the requested steps.
    pub fn total_bytes(&self) -> u64 {
        self.total_bytes
    }

    /// All blocks allocated from set-up to the end of the requested steps.
    pub fn total_blocks(&self) -> u64 {
        self.total_blocks
    }

    /// The part of [`total_bytes`](Self::total_bytes) that the steps allocated, without
    /// set-up and warm-up.
    pub fn step_bytes(&self) -> u64 {
        self.step_bytes
    }

    /// The part of [`total_blocks`](Self::total_blocks) that the steps allocated, without
    /// set-up and warm-up.
    pub fn step_blocks(&self) -> u64 {
        self.step_blocks
    }

    /// How many times a block was resized from set-up to the end of the requested steps.
    pub fn reallocations(&self) -> u64 {
        self.reallocations
    }

    /// The size in bytes of the future of a step, the largest one: what an async scenario needs
    /// for what it keeps while it waits. None if the steps are not async, and if none was taken.
    ///
    /// It is [`size_of_val`] of what the closure of [`run_async`](crate::Scenario::run_async)
    /// returns, or the async function below `#[highwater::test]`. What lies behind a `Box` in it
    /// is no part of it, nor are tasks that it spawns.
    pub fn future_bytes(&self) -> Option<u64> {
        self.future_bytes
    }

    /// The most stack in bytes that a step used, on the scenario's own thread or on one that was
    /// started in the steps: of the requested steps and the warm-up. None unless there is a
    /// [ceiling](crate::Scenario::stack_ceiling) on it, and if it could not be measured.
    ///
    /// On the scenario's thread it is what was written to below the step's own frame, and 0 if
    /// that is no more than for a step that does nothing; on other threads, all that was written
    /// to since they were started.
    pub fn stack_bytes(&self) -> Option<u64> {
        self.stack?.ok().map(|depth| depth.bytes)
    }

    /// Blocks allocated in a step, on average; none if there were no steps.
    pub fn blocks_per_step(&self) -> Option<f64> {
        (self.steps > 0).then(|| self.step_blocks as f64 / self.steps as f64)
    }

    /// All that the steps allocated, where a ceiling is on what one of them does.
    pub(crate) fn of_steps(&self, ceiling: Ceiling) -> u64 {
        match ceiling {
            Ceiling::StepBytes => self.step_bytes,
            Ceiling::StepBlocks => self.step_blocks,
            _ => 0,
        }
    }

    /// The ceilings that were set, each in its [unit](Ceiling::unit).
    pub fn ceilings(&self) -> &[(Ceiling, u64)] {
        &self.ceilings
    }

    /// The ceilings that were breached.
    pub fn breaches(&self) -> &[Breach] {
        &self.breaches
    }

    /// Whether memory is bounded.
    pub fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// What the figures and the verdict cover.
    pub fn coverage(&self) -> &Coverage {
        &self.coverage
    }

    /// What would have been a failure, and was accepted for a reason: an
    /// [inconclusive verdict](crate::Scenario::accept_inconclusive), or a
    /// [residue](crate::Scenario::accept_residue) that is more each time, or a leak that
    /// `highwater.toml` lists.
    pub fn accepted(&self) -> &[Accepted] {
        &self.accepted
    }

    /// Threads, tasks, descriptors and mapped memory, where there is something to say: they
    /// grow, the number of threads or tasks changed, or a ceiling was set. Descriptors and
    /// mapped memory are judged if no other scenario ran at the same time.
    pub fn resources(&self) -> &[Resource] {
        &self.resources
    }

    /// What came of the [self-test](crate::Scenario::self_test), if there was one.
    pub fn self_test(&self) -> Option<&SelfTest> {
        self.self_test.as_ref()
    }

    /// What the scenario cannot show, in words, though it may be right as it is: nothing
    /// outlives its steps, for it has no state, and after each step all that the step allocated
    /// is freed. None if something is kept, or the steps do not allocate.
    pub fn note(&self) -> Option<&str> {
        /// It may be what the steps are there for.
        const VACUOUS: &str = "nothing outlives a step: there is no state, and each step frees \
                               all that it allocates, so nothing can build up from step to \
                               step; what lives longer in the program belongs in the state \
                               (`state = ...`, or the set-up of `run`) or in a static";

        let is_level = |resource: &Resource| resource.growth().is_none_or(|growth| growth == 0);
        let is_vacuous = self.blocks_without_state.is_some()
            && self.step_blocks > 0
            && self.verdict.is_bounded()
            && self.resources.iter().all(is_level);
        is_vacuous.then_some(VACUOUS)
    }

    /// Why the run ended early, in words; none if it ran to its end.
    pub fn ending(&self) -> Option<&str> {
        self.ending.as_deref()
    }

    /// Which blocks the program damaged by writing past their end, in words; none if there
    /// are none.
    pub fn damage(&self) -> Option<String> {
        self.overruns.as_ref().map(ToString::to_string)
    }

    /// Live memory after set-up and at even steps, the extension included.
    pub fn curve(&self) -> &[Checkpoint] {
        &self.curve
    }

    /// Which call stacks allocated what it holds. None unless the scenario failed for its
    /// memory or this was [asked for](crate::Scenario::diagnose). None also where call stacks
    /// can't be taken: on other systems than Linux and macOS on x86-64 or
    /// `AArch64`, and without the feature `diagnosis`.
    pub fn diagnosis(&self) -> Option<&Diagnosis> {
        self.diagnosis.as_ref()
    }

    /// Why there is no [`diagnosis`](Self::diagnosis), or less in it than there should be,
    /// though one was made; none if nothing is missing.
    pub fn diagnosis_obstacle(&self) -> Option<&str> {
        self.diagnosis_obstacle.as_deref()
    }

    /// Whether the scenario failed. It fails if one of these holds:
    ///
    /// - a ceiling was breached, or there are too many [blocks of a
    ///   type](crate::Scenario::live_blocks_of);
    /// - the verdict on memory is growing or inconclusive, or another resource grows;
    /// - more memory is left each time that the state is made and dropped;
    /// - the program damaged its own heap;
    /// - a self-test failed.
    ///
    /// An inconclusive verdict, such a residue and growth at known call sites can be
    /// [accepted](Self::accepted).
    pub fn is_failure(&self) -> bool {
        !self.reasons().is_empty()
    }

    /// Neither bounded nor growing.
    pub(crate) fn is_inconclusive(&self) -> bool {
        !self.verdict.is_bounded() && !self.verdict.is_growing()
    }

    /// What is left more each time that set-up, steps and drop are repeated, if anything is.
    pub(crate) fn residue_each_time(&self) -> Option<Repetition> {
        self.repetition
            .filter(|repetition| repetition.residue_bytes > 0)
    }

    pub(crate) fn is_accepted(&self, what: &str) -> bool {
        self.accepted.iter().any(|accepted| accepted.what == what)
    }

    /// Why it [is a failure](Self::is_failure), a sentence each.
    pub fn failures(&self) -> Vec<String> {
        self.reasons().iter().map(ToString::to_string).collect()
    }

    /// Fails the test if this [is a failure](Self::is_failure).
    ///
    /// # Panics
    /// With [`summary`](Self::summary), if it is.
    #[track_caller]
    pub fn assert(&self) {
        let message = unscoped(|| self.is_failure().then(|| self.summary()));
        assert!(message.is_none(), "{}", message.unwrap_or_default());
    }

    /// The set ceilings that the figures pass.
    pub(crate) fn judge_ceilings(&self) -> Vec<Breach> {
        self.ceilings
            .iter()
            .map(|(ceiling, limit)| Breach {
                ceiling: *ceiling,
                limit: *limit,
                actual: ceiling.actual(self),
            })
            .filter(|breach| breach.actual > breach.limit)
            .collect()
    }
}
