//! [`Scenario`]: work that is repeated step by step, and the limits on its memory.
//!
//! This file has the settings; [`run`](super::run) runs the scenario.

use crate::report::Ceiling;
use crate::text::{ByteSize, full_name};
use crate::verdict::Limits;
use std::time::Duration;

/// Work whose memory is judged: a set-up, and a step that is repeated.
///
/// ```
/// # #[global_allocator]
/// # static ALLOC: highwater::Alloc = highwater::Alloc::system();
/// use highwater::{ByteSize, Scenario};
/// use std::collections::VecDeque;
///
/// let report = Scenario::new("last-hundred")
///     .steps(10_000)
///     .growth_ceiling(ByteSize::kib(4))
///     .peak_ceiling(ByteSize::kib(8))
///     .run(VecDeque::new, |window, i| {
///         if window.len() == 100 {
///             window.pop_front();
///         }
///         window.push_back(i);
///     });
/// assert!(report.verdict().is_bounded());
/// report.assert();
/// ```
#[derive(Clone, Debug)]
#[must_use = "a scenario does nothing until it is run"]
pub struct Scenario {
    pub(crate) name: String,
    pub(crate) variant: Option<String>,
    pub(crate) steps: u64,
    pub(crate) warm_up: u64,
    /// In bytes, or as a number of threads, tasks or descriptors.
    pub(crate) ceilings: Vec<(Ceiling, u64)>,
    /// The most live blocks of types.
    pub(crate) types: Vec<(String, u64)>,
    pub(crate) detect: Option<(ByteSize, u64)>,
    pub(crate) step_budget: Option<u64>,
    pub(crate) memory_budget: ByteSize,
    pub(crate) stop_at: Option<ByteSize>,
    pub(crate) time_budget: Duration,
    pub(crate) self_test: bool,
    pub(crate) diagnose: bool,
    pub(crate) accept_inconclusive: Option<String>,
    pub(crate) accept_residue: Option<String>,
}

impl Scenario {
    /// A scenario of 1,000 steps without ceilings. The name appears in messages
    /// and in the name of the report's file, so give each scenario its own.
    ///
    /// # Panics
    /// If the name is empty.
    #[track_caller]
    pub fn new(name: impl Into<String>) -> Self {
        let name = name.into();
        assert!(!name.is_empty(), "highwater: a scenario needs a name");
        Self {
            name,
            variant: None,
            steps: 1_000,
            warm_up: 0,
            ceilings: Vec::new(),
            types: Vec::new(),
            detect: None,
            step_budget: None,
            memory_budget: ByteSize::gib(1),
            stop_at: None,
            time_budget: Duration::from_secs(60),
            self_test: false,
            diagnose: false,
            accept_inconclusive: None,
            accept_residue: None,
        }
    }

    /// Which configuration of the scenario this is, if there are several. It
    /// follows the name in messages and in the name of the report's file.
    pub fn variant(mut self, variant: impl Into<String>) -> Self {
        self.variant = Some(variant.into());
        self
    }

    /// How many steps to run at least. With 0 only set-up and drop are measured
    /// and the verdict is inconclusive.
    ///
    /// The environment variable `HIGHWATER_STEPS=10000` overrides this for every scenario.
    /// If its value is no number, running the scenario panics.
    pub fn steps(mut self, steps: u64) -> Self {
        self.steps = steps;
        self
    }

    /// How many steps to run before growth is counted, on top of the requested
    /// ones; 0 unless this is called. They count towards the peak.
    pub fn warm_up(mut self, steps: u64) -> Self {
        self.warm_up = steps;
        self
    }

    /// The most by which live bytes may rise from the end of set-up and warm-up
    /// to the end of the requested steps. Inclusive: equal passes, so a ceiling
    /// of 0 allows no growth and passes without any.
    pub fn growth_ceiling(self, limit: ByteSize) -> Self {
        self.ceiling(Ceiling::Growth, limit.bytes())
    }

    /// The most live bytes at any moment from set-up to the end of the requested
    /// steps. Inclusive. A ceiling of 0 allows no allocation at all.
    pub fn peak_ceiling(self, limit: ByteSize) -> Self {
        self.ceiling(Ceiling::Peak, limit.bytes())
    }

    /// The most live bytes after the state was dropped. Inclusive.
    pub fn residue_ceiling(self, limit: ByteSize) -> Self {
        self.ceiling(Ceiling::Residue, limit.bytes())
    }

    /// The most live blocks at the end of the requested steps. Inclusive.
    pub fn live_blocks_ceiling(self, limit: u64) -> Self {
        self.ceiling(Ceiling::LiveBlocks, limit)
    }

    /// The most live blocks of a type at the end of the requested steps. Inclusive. The type is
    /// named as in reports, without its path: `"Session"` are the blocks of a `Box<Session>`, an
    /// `Arc<Session>` or a `Vec<Session>`, which is one block however many sessions it holds. A
    /// `Vec<Box<Session>>` is none, and its boxes are.
    ///
    /// The run is in call-stack mode from the start. Where the type of a live block is not
    /// known, it could be this one: the verdict is then inconclusive. Types are known on Linux
    /// and macOS, on x86-64 or `AArch64`, with v0 symbols and `debug = "limited"` or more.
    ///
    /// # Panics
    /// If the name is empty.
    #[track_caller]
    pub fn live_blocks_of(mut self, type_name: impl Into<String>, limit: u64) -> Self {
        let name = type_name.into();
        assert!(
            !name.is_empty(),
            "highwater: blocks of a type need its name"
        );
        self.types.retain(|(known, _)| *known != name);
        self.types.push((name, limit));
        self
    }

    /// The most blocks that a step allocates, on average over the requested steps: without
    /// set-up and warm-up. Inclusive. With a ceiling of 0 a single block in any of them is a
    /// failure. The message names the call stacks that allocate in the steps.
    ///
    /// A block that is freed in the same step counts; a block that is resized is no new one,
    /// and its growth counts in [bytes](Self::step_bytes_ceiling). For a piece of code there is
    /// [`assert_no_allocation`](crate::assert_no_allocation).
    ///
    /// ```
    /// # #[global_allocator]
    /// # static ALLOC: highwater::Alloc = highwater::Alloc::system();
    /// use highwater::Scenario;
    ///
    /// let report = Scenario::new("ring")
    ///     .warm_up(1)
    ///     .step_blocks_ceiling(0)
    ///     .run(|| Vec::with_capacity(16), |ring: &mut Vec<u64>, i| {
    ///         if ring.len() == 16 {
    ///             ring.clear();
    ///         }
    ///         ring.push(i);
    ///     });
    /// report.assert();
    /// ```
    pub fn step_blocks_ceiling(self, limit: u64) -> Self {
        self.ceiling(Ceiling::StepBlocks, limit)
    }

    /// The most bytes that a step allocates, on average over the requested steps: without
    /// set-up and warm-up. Inclusive. A block that grows counts by what it grew.
    pub fn step_bytes_ceiling(self, limit: ByteSize) -> Self {
        self.ceiling(Ceiling::StepBytes, limit.bytes())
    }

    /// The most by which the number of threads that the scenario started and that
    /// still run may rise over the requested steps. Inclusive. Counted where
    /// threads are tracked: on Linux with glibc, with the feature `threads`.
    pub fn thread_ceiling(self, limit: u64) -> Self {
        self.ceiling(Ceiling::Threads, limit)
    }

    /// The most by which the number of tasks that are alive may rise over the requested steps
    /// of an async scenario. Inclusive. Tasks are counted after each step, when none can go on:
    /// those that were spawned on the scenario's own runtime and have not ended, and not those
    /// of another runtime, of a `LocalSet` or of `spawn_blocking`.
    pub fn task_ceiling(self, limit: u64) -> Self {
        self.ceiling(Ceiling::Tasks, limit)
    }

    /// The most by which the number of open descriptors (files, sockets, pipes) may
    /// rise over the requested steps. Inclusive; on Linux.
    ///
    /// Descriptors are the whole process's. In a process of its own, as `#[highwater::test]`
    /// gives one, they are the scenario's. In a plain test a scenario with this ceiling waits
    /// until it is the only one that runs, and other tests beside it still count.
    pub fn descriptor_ceiling(self, limit: u64) -> Self {
        self.ceiling(Ceiling::Descriptors, limit)
    }

    /// The most by which memory that is mapped outside the heap (files, stacks, what
    /// libraries map themselves) may rise over the requested steps. Inclusive; on
    /// Linux with glibc, above the system's allocator.
    ///
    /// Mappings are the whole process's, as
    /// [descriptors](Self::descriptor_ceiling) are; the stack of another test's
    /// thread is one of them.
    pub fn mapped_ceiling(self, limit: ByteSize) -> Self {
        self.ceiling(Ceiling::Mapped, limit.bytes())
    }

    /// The most bytes that the [future of a step](crate::Report::future_bytes) may have, in an
    /// async scenario. Inclusive.
    pub fn future_ceiling(self, limit: ByteSize) -> Self {
        self.ceiling(Ceiling::Future, limit.bytes())
    }

    /// The most stack that a step may use, on the scenario's own thread and on each that a step
    /// starts. Inclusive. With this ceiling the stack [is measured](crate::Report::stack_bytes);
    /// without, it is not touched. It is on Linux with glibc on x86-64, with the feature
    /// `threads`. Where it can't be measured the verdict is inconclusive.
    ///
    /// The figure depends on how the code was compiled: a debug build needs several times the
    /// stack of a release build.
    ///
    /// ```
    /// # #[global_allocator]
    /// # static ALLOC: highwater::Alloc = highwater::Alloc::system();
    /// # #[cfg(not(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64")))]
    /// # fn main() {}
    /// # #[cfg(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64"))]
    /// # fn main() {
    /// use highwater::{ByteSize, Scenario};
    ///
    /// fn depth(levels: u64) -> u64 {
    ///     if levels == 0 { 0 } else { 1 + std::hint::black_box(depth(levels - 1)) }
    /// }
    ///
    /// let report = Scenario::new("levels")
    ///     .steps(100)
    ///     .stack_ceiling(ByteSize::kib(16))
    ///     .run(|| (), |(), i| assert_eq!(depth(i % 10), i % 10));
    /// assert!(report.stack_bytes() > Some(0));
    /// report.assert();
    /// # }
    /// ```
    pub fn stack_ceiling(self, limit: ByteSize) -> Self {
        self.ceiling(Ceiling::Stack, limit.bytes())
    }

    fn ceiling(mut self, ceiling: Ceiling, limit: u64) -> Self {
        self.ceilings.retain(|(known, _)| *known != ceiling);
        self.ceilings.push((ceiling, limit));
        self.ceilings.sort_by_key(|(ceiling, _)| *ceiling);
        self
    }

    /// Demands that a leak of one block of `size` every `per_steps` steps would
    /// show. The run is extended until it would. The step budget, unless it was
    /// set, becomes at least 64 times `per_steps`. If that is not enough because other memory
    /// swings, the verdict is inconclusive and not bounded.
    ///
    /// # Panics
    /// If `size` or `per_steps` is 0.
    #[track_caller]
    pub fn detect(mut self, size: ByteSize, per_steps: u64) -> Self {
        assert!(
            size.bytes() > 0 && per_steps > 0,
            "highwater: a leak that is to be detected needs a size and a number of steps above 0"
        );
        self.detect = Some((size, per_steps));
        self
    }

    /// The most steps that a run may be extended to. Unless this is called, growing memory
    /// gets 16 times the requested steps to come to rest. Other runs continue until no leak
    /// that matters could hide, for at most 64 times the requested steps or 524,288 steps,
    /// whichever is more.
    pub fn step_budget(mut self, steps: u64) -> Self {
        self.step_budget = Some(steps);
        self
    }

    /// The most live bytes that a run may reach; 1 GiB unless this is called. The
    /// step that passes it is the last one: within the requested steps that is a
    /// breach, in the extension it ends the extension.
    ///
    /// Code cannot unwind out of an allocation, so the step runs to its end. If it does not
    /// end, allocations of 4 KiB or more fail at twice the budget, as they do when memory
    /// runs out. Most programs abort then. The reason is printed before.
    pub fn memory_budget(mut self, limit: ByteSize) -> Self {
        self.memory_budget = limit;
        self
    }

    /// Stops when live bytes pass `limit`. This is a failure, and it shows the call stack of
    /// the allocation that passed the limit.
    ///
    /// Code cannot unwind out of an allocation, so the step in which that happens runs to its
    /// end, and no step follows. The run is in call-stack mode from the start. Where call
    /// stacks can't be taken, the limit is compared after each step.
    pub fn stop_at(mut self, limit: ByteSize) -> Self {
        self.stop_at = Some(limit);
        self
    }

    /// How long the extension for the verdict may take; 60 s unless this is called. When the
    /// time is up, the verdict is the one so far, and says so. Without this, a leak that makes
    /// its own steps slower would never get a verdict. Only this depends on a clock. It changes
    /// no figure.
    pub fn time_budget(mut self, limit: Duration) -> Self {
        self.time_budget = limit;
        self
    }

    /// Whether to run the scenario once more with a leak in it that the verdict
    /// must find; the report fails if it does not. The environment variable
    /// `HIGHWATER_SELF_TEST=1` does this for every scenario.
    ///
    /// The leak is a block of 64 bytes, twice as often as
    /// [would just have shown](crate::Verdict::detectable_blocks_per_step). Where threads
    /// that are started in a step are counted, every second block is leaked on one. A
    /// scenario that is not bounded gets no self-test.
    pub fn self_test(mut self, on: bool) -> Self {
        self.self_test = on;
        self
    }

    /// Whether to report [where its memory comes from](crate::Report::diagnosis) even if it
    /// does not fail, by running it once more with a call stack for each block. The
    /// environment variable `HIGHWATER_SITES=replay` does this for every scenario.
    pub fn diagnose(mut self, on: bool) -> Self {
        self.diagnose = on;
        self
    }

    /// Lets an inconclusive verdict pass, which is a failure otherwise. The report shows the
    /// `reason`.
    ///
    /// # Panics
    /// If the reason is empty.
    #[track_caller]
    pub fn accept_inconclusive(mut self, reason: impl Into<String>) -> Self {
        self.accept_inconclusive = Some(given(reason.into()));
        self
    }

    /// Accepts memory that is left each time that the state is set up, used and dropped, which
    /// is a failure otherwise: see [`Repetition`](crate::Repetition). The report shows the
    /// `reason`. A [ceiling](Self::residue_ceiling) still holds.
    ///
    /// # Panics
    /// If the reason is empty.
    #[track_caller]
    pub fn accept_residue(mut self, reason: impl Into<String>) -> Self {
        self.accept_residue = Some(given(reason.into()));
        self
    }

    /// The name, with the variant if there is one.
    pub(crate) fn full_name(&self) -> String {
        full_name(&self.name, self.variant.as_deref())
    }

    /// Whether it can't be run without call stacks.
    pub(crate) fn needs_call_stacks(&self) -> bool {
        self.stop_at.is_some() || !self.types.is_empty()
    }

    /// Whether there is this ceiling.
    pub(crate) fn has_ceiling(&self, ceiling: Ceiling) -> bool {
        self.ceilings.iter().any(|(known, _)| *known == ceiling)
    }

    /// Whether there is a ceiling on a figure that only the process has.
    pub(crate) fn needs_the_process_alone(&self) -> bool {
        let mut set = self.ceilings.iter();
        set.any(|(ceiling, _)| ceiling.is_of_process())
    }

    /// The limits of the run: the usual ones, or what was asked for.
    pub(crate) fn step_limits(&self) -> Limits {
        if let Some(budget) = self.step_budget {
            let all = budget.max(self.steps);
            return Limits {
                call_stacks: all,
                late: all,
                most: all,
            };
        }
        let to_detect = self.detect.map_or(0, |(_, steps)| steps.saturating_mul(64));
        let usual = Limits::of(self.steps);
        Limits {
            call_stacks: usual.call_stacks.max(to_detect),
            late: usual.late.max(to_detect),
            most: usual.most.max(to_detect),
        }
    }
}

/// A reason that is one.
#[track_caller]
fn given(reason: String) -> String {
    assert!(
        !reason.trim().is_empty(),
        "highwater: what is accepted needs a reason"
    );
    reason
}
