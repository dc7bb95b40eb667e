//! What is recorded while a scenario runs.
//!
//! Everything that it needs is allocated for the harness, so it is never measured itself. Two
//! scopes make up a run's figures. One is its own, for the thread that steps and those that it
//! starts. The other is the one around it, which existed for the rehearsal and may be the whole
//! process. The memory of others in the outer scope counts by how much it rose since before
//! set-up. If the run frees memory there, that is not subtracted. `outcome.rs` concludes from
//! these figures.

mod outcome;

use super::lookout::Lookout;
use super::process;
use super::under_way::Run;
use crate::alloc::{Overruns, Reading, StackDepth, Trace, unscoped};
use crate::diagnosis::Watch;
use crate::holders::State;
use crate::isolation::progress;
use crate::report::Checkpoint;
use crate::scope::Scope;
use crate::text::ByteSize;
use crate::verdict::floors::{Floors, Levels, Quantity};
use crate::verdict::{self, Ending, Limits, Seen, Traffic};
use std::time::{Duration, Instant};

/// How many points the requested steps put on the curve.
const CHECKPOINTS: u64 = 10;

/// Windows shorter than this part of the requested steps have no figures of the
/// process, which take longer to get than most steps.
const SHORTEST_WATCHED: u64 = 16;

/// Why a run stopped before its last step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    MemoryBudget,
    /// The limit of `stop_at`.
    Limit,
    TimeBudget,
    Panic,
}

/// The record of one run.
pub(crate) struct Recorder<'a> {
    run: &'a Run<'a>,
    /// The run's own scope, and the one around it.
    own: &'a Scope,
    scope: &'a Scope,
    /// Whether other threads were seen in the scope around.
    has_others: bool,
    lookout: Option<Lookout>,
    /// The figures before set-up.
    before: Reading,
    overruns_before: u64,
    watch: Option<Watch<'a>>,
    /// Says how many tasks are alive, in an async scenario.
    tasks: Option<fn() -> u64>,
    /// The blocks after set-up, if there is no state, and as long as no step leaves one more.
    blocks_without_state: Option<u64>,
    requested: u64,
    limits: Limits,
    memory_budget: u64,
    stop_at: Option<u64>,
    time_budget: Duration,
    detect: Option<(u64, u64)>,
    checkpoint_every: u64,
    /// Up to where the run is extended as of now.
    target: u64,
    steps_run: u64,
    traffic: Traffic,
    /// Whether the run ended for call stacks to go on.
    is_left_open: bool,
    floors: Floors,
    levels: Levels,
    /// The step after which the figures of the process are taken next.
    next_sample: u64,
    curve: Vec<Checkpoint>,
    baseline: Levels,
    /// The figures of the scope around at the end of the requested steps, and the peak.
    end: Reading,
    peak_bytes: u64,
    peak_error_bytes: u64,
    end_levels: Levels,
    end_steps: u64,
    /// Total bytes and blocks, and reallocations.
    before_steps: (u64, u64, u64),
    /// The stack of the requested steps, if that was asked for.
    stack: Option<Result<StackDepth, &'static str>>,
    residue_bytes: u64,
    overruns: Option<Overruns>,
    unmeasured: Vec<Quantity>,
    stop: Option<Stop>,
    panic_message: String,
    /// When the requested steps were done.
    extended_since: Option<Instant>,
}

impl<'a> Recorder<'a> {
    /// With a trace, of the sites too; with `tasks`, of how many are alive.
    pub(crate) fn new(
        run: &'a Run<'a>,
        own: &'a Scope,
        trace: Option<&'a Trace>,
        tasks: Option<fn() -> u64>,
    ) -> Self {
        let (scenario, scope) = (run.scenario, &run.scope);
        let requested = scenario.steps;
        let limits = scenario.step_limits();
        Self {
            run,
            own,
            scope,
            has_others: false,
            lookout: Lookout::new(scope, requested, limits.most),
            before: Reading::default(),
            overruns_before: 0,
            watch: trace.map(|trace| Watch::new(trace, requested, limits.most)),
            tasks,
            blocks_without_state: None,
            requested,
            limits,
            memory_budget: scenario.memory_budget.bytes(),
            stop_at: scenario.stop_at.map(ByteSize::bytes),
            time_budget: scenario.time_budget,
            detect: scenario.detect.map(|(size, steps)| (size.bytes(), steps)),
            checkpoint_every: requested.div_ceil(CHECKPOINTS),
            target: requested,
            steps_run: 0,
            traffic: Traffic::default(),
            is_left_open: false,
            floors: Floors::new(requested, limits.most),
            levels: Levels::default(),
            next_sample: 0,
            curve: Vec::new(),
            baseline: Levels::default(),
            end: Reading::default(),
            peak_bytes: 0,
            peak_error_bytes: 0,
            end_levels: Levels::default(),
            end_steps: 0,
            before_steps: (0, 0, 0),
            stack: None,
            residue_bytes: 0,
            overruns: None,
            unmeasured: Vec::with_capacity(4),
            stop: None,
            panic_message: String::new(),
            extended_since: None,
        }
    }

    /// What is live now is not the run's.
    pub(crate) fn begin(&mut self) {
        self.overruns_before = self.scope.overrun_count();
        self.before = self.scope.restart_peak();
        if let Some(watch) = &mut self.watch {
            watch.begin();
        }
    }

    /// Set-up is done, and made nothing that steps could add to.
    pub(crate) fn has_no_state(&mut self) {
        self.blocks_without_state = Some(self.live().1);
    }

    /// The run's live bytes and blocks now.
    fn live(&mut self) -> (u64, u64) {
        let (bytes, blocks) = self.own.live();
        // Without other threads, what is around can only become less.
        self.has_others |= self.scope.threads() > self.own.threads();
        if !self.has_others {
            return (bytes, blocks);
        }
        let (all_bytes, all_blocks) = self.scope.live();
        let before = &self.before.totals;
        let others = |all: u64, own: u64, before: i64| {
            let others = all.saturating_sub(own);
            own + others.saturating_sub(unsigned(before))
        };
        (
            others(all_bytes, bytes, before.live_bytes),
            others(all_blocks, blocks, before.live_blocks()),
        )
    }

    /// The most that was live at any moment, as far as it was told; and how far the truth may
    /// lie above.
    fn peak(&self) -> (u64, u64) {
        let (own, all) = (self.own.read(), self.scope.read());
        let before = unsigned(self.before.totals.live_bytes);
        let peak = own.peak_bytes.max(all.peak_bytes.saturating_sub(before));
        (peak, own.peak_error_bytes.max(all.peak_error_bytes))
    }

    /// Live bytes and blocks when they were last looked at.
    pub(crate) fn last_seen(&self) -> (u64, u64) {
        let [bytes, blocks, ..] = self.levels;
        (bytes, blocks)
    }

    /// Set-up and warm-up are done.
    pub(crate) fn start(&mut self) {
        self.run.rest();
        let (bytes, blocks) = self.live();
        let totals = self.scope.read().totals;
        self.before_steps = (
            totals.total_bytes,
            totals.total_blocks,
            totals.reallocations,
        );
        self.put_on_curve(bytes, blocks);
        self.look();
        if let Some(watch) = &mut self.watch {
            watch.start(self.levels[Quantity::Bytes as usize]);
        }
        if let Some(lookout) = &mut self.lookout {
            unscoped(|| lookout.start(self.scope));
        }
        self.sample();
        self.baseline = self.levels;
    }

    /// A step is done; says if it was the last, for what it took.
    pub(crate) fn after_step(&mut self) -> bool {
        self.steps_run += 1;
        self.look();
        let [_, blocks, ..] = self.levels;
        self.blocks_without_state.take_if(|before| blocks > *before);
        if self.steps_run == self.next_sample {
            self.sample();
        }
        self.floors.observe(self.steps_run, &self.levels);
        if let Some(watch) = &mut self.watch {
            watch.after_step(self.steps_run, self.levels[Quantity::Bytes as usize]);
        }
        if let Some(lookout) = &mut self.lookout {
            lookout.after_step(self.steps_run, self.scope);
        }
        if self.checkpoint_every > 0 && self.steps_run.is_multiple_of(self.checkpoint_every) {
            let [bytes, blocks, ..] = self.levels;
            self.put_on_curve(bytes, blocks);
        }
        let is_over = self.is_over();
        let is_out_of_time =
            (self.extended_since).is_some_and(|since| since.elapsed() > self.time_budget);
        if is_out_of_time && !is_over {
            self.stop = Some(Stop::TimeBudget);
        }
        is_over
    }

    /// Whether memory has passed its budget or the limit to stop at. Then no step follows.
    pub(crate) fn is_over(&mut self) -> bool {
        let before = unsigned(self.before.totals.live_bytes);
        let flushed = self.scope.flushed_peak_bytes().saturating_sub(before);
        let flushed = flushed.max(self.own.flushed_peak_bytes());
        let highest = flushed.max(self.live().0);
        if self.is_above_limit(highest) {
            self.stop = Some(Stop::Limit);
        } else if highest > self.memory_budget {
            self.stop = Some(Stop::MemoryBudget);
        }
        matches!(self.stop, Some(Stop::Limit | Stop::MemoryBudget))
    }

    /// Whether live bytes have passed the limit that the run is to stop at.
    fn is_above_limit(&self, highest: u64) -> bool {
        match &self.watch {
            Some(watch) => watch.is_stopped(),
            None => self.stop_at.is_some_and(|limit| highest > limit),
        }
    }

    /// The figures of the scope.
    fn look(&mut self) {
        let (bytes, blocks) = self.live();
        self.levels[Quantity::Bytes as usize] = bytes;
        self.levels[Quantity::Blocks as usize] = blocks;
        self.note(Quantity::Threads, self.scope.other_threads());
        self.note(Quantity::Tasks, self.tasks.map(|alive| alive()));
    }

    /// The figures of the process, outside every scope.
    fn sample(&mut self) {
        let (descriptors, mapped) = unscoped(|| (process::descriptors(), process::mapped_bytes()));
        self.note(Quantity::Descriptors, descriptors);
        self.note(Quantity::MappedBytes, mapped);
        let shortest = self.requested / SHORTEST_WATCHED;
        let next = self.floors.next_part_after(self.steps_run, shortest);
        self.next_sample = next.unwrap_or(u64::MAX);
    }

    fn note(&mut self, figure: Quantity, level: Option<u64>) {
        match level {
            Some(level) => self.levels[figure as usize] = level,
            None if !self.unmeasured.contains(&figure) => self.unmeasured.push(figure),
            None => {}
        }
    }

    /// The requested steps are done, or the run was stopped in them; so much stack they used.
    pub(crate) fn requested_steps_done(
        &mut self,
        state: &State,
        stack: Option<Result<StackDepth, &'static str>>,
    ) {
        self.stack = stack;
        self.extended_since = Some(Instant::now());
        self.end = self.scope.read();
        (self.peak_bytes, self.peak_error_bytes) = self.peak();
        self.end_steps = self.steps_run;
        self.finish_curve();
        self.look();
        self.sample();
        self.end_levels = self.levels;
        if let Some(watch) = &mut self.watch {
            let live_bytes = self.levels[Quantity::Bytes as usize];
            watch.requested_steps_done(self.end_steps, live_bytes, state);
        }
    }

    /// Whether another step is needed for the verdict.
    pub(crate) fn wants_more(&mut self) -> bool {
        if self.stop.is_some() || self.requested == 0 {
            self.note_traffic();
            return false;
        }
        if self.steps_run == self.target {
            self.note_traffic();
            let doubled = self.target.saturating_mul(2);
            if doubled > self.limits.most || unscoped(|| self.ends()) {
                return false;
            }
            self.target = doubled;
        }
        true
    }

    /// Whether the verdict is clear, or for call stacks to find. Late it is enough that
    /// something grows; before, nothing may, and what was to be detected would have shown.
    fn ends(&mut self) -> bool {
        if self.others_grow() {
            return self.steps_run >= self.limits.late;
        }
        let limits = self.limits;
        match self.seen(|seen| verdict::ending(seen, limits)) {
            Some(Ending::Growing) => true,
            Some(Ending::Bounded) => self.would_detect(),
            Some(Ending::ForCallStacks) => {
                self.is_left_open = self.watch.is_none() && self.run.may_be_followed();
                self.is_left_open
            }
            None => false,
        }
    }

    /// Whether something beside memory grows.
    fn others_grow(&self) -> bool {
        let grows = |figure| {
            let (verdict, _) = verdict::judge_alone(self.floors.windows(), figure);
            verdict.is_growing()
        };
        self.watched().into_iter().any(grows)
    }

    /// What there is to judge now.
    fn seen<T>(&mut self, judge: impl FnOnce(&Seen<'_>) -> T) -> T {
        let has_failed = self.others_grow();
        let sites = self.watch.as_mut().map_or_else(Vec::new, Watch::windows);
        judge(&Seen {
            windows: self.floors.windows(),
            traffic: self.traffic,
            sites: &sites,
            has_failed,
        })
    }

    fn note_traffic(&mut self) {
        let totals = self.scope.read().totals;
        self.traffic = Traffic {
            bytes: totals.total_bytes - self.before_steps.0,
            blocks: totals.total_blocks - self.before_steps.1,
            reallocations: totals.reallocations - self.before_steps.2,
            steps: self.steps_run,
        };
    }

    fn would_detect(&self) -> bool {
        self.detect.is_none_or(|(bytes, per_steps)| {
            verdict::block_shows(self.floors.windows(), bytes, per_steps)
        })
    }

    /// The figures beside memory that can be judged.
    fn watched(&self) -> Vec<Quantity> {
        let mut figures = vec![Quantity::Threads, Quantity::Tasks];
        if self.run.has_process() {
            figures.extend([Quantity::Descriptors, Quantity::MappedBytes]);
        }
        figures.retain(|figure| !self.unmeasured.contains(figure));
        figures
    }

    pub(crate) fn extension_panicked(&mut self, message: &str) {
        self.stop = Some(Stop::Panic);
        self.note_traffic();
        message.clone_into(&mut self.panic_message);
    }

    /// The state was dropped; what is live now is residue.
    pub(crate) fn state_dropped(&mut self) {
        self.run.rest();
        self.residue_bytes = self.live().0;
        let is_new = self.scope.overrun_count() > self.overruns_before;
        self.overruns = is_new.then(|| self.scope.overruns()).flatten();
        if let Some(lookout) = &mut self.lookout {
            lookout.state_dropped(self.scope);
        }
    }

    fn put_on_curve(&mut self, live_bytes: u64, live_blocks: u64) {
        let step = self.steps_run;
        unscoped(|| {
            self.curve.push(Checkpoint {
                step,
                live_bytes,
                live_blocks,
            });
            progress::report_so_far(|| self.so_far());
        });
    }

    /// The end of the requested steps is on the curve, wherever it falls.
    fn finish_curve(&mut self) {
        if self
            .curve
            .last()
            .is_none_or(|last| last.step != self.steps_run)
        {
            let (bytes, blocks) = self.live();
            self.put_on_curve(bytes, blocks);
        }
    }
}

/// What is below zero only while other threads report theirs.
fn unsigned(figure: i64) -> u64 {
    u64::try_from(figure).unwrap_or(0)
}
