//! What is written down while a scenario runs.
//!
//! Everything that it needs is allocated before the run's scope is entered, or
//! outside every scope, so that the measuring is never measured.

use crate::alloc::{Overruns, Reading, unscoped};
use crate::byte_size::Thousands;
use crate::floors::Floors;
use crate::report::{Breach, Ceiling, Checkpoint, Report};
use crate::scenario::Scenario;
use crate::scope::Scope;
use crate::verdict::{self, Verdict};
use std::time::{Duration, Instant};

/// How many points the requested steps put on the curve.
const CHECKPOINTS: u64 = 10;

/// A safety net: past this the extension ends and the verdict is inconclusive.
const TIME_LIMIT: Duration = Duration::from_secs(300);

/// The clock is looked at only every so many steps.
const STEPS_BETWEEN_CLOCK_READINGS: u64 = 64;

/// Why a run stopped before its last step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    MemoryBudget,
    TimeLimit,
    Panic,
}

/// The record of one run.
pub(crate) struct Recorder {
    requested: u64,
    limit: u64,
    memory_budget: u64,
    checkpoint_every: u64,
    /// Up to where the run is extended as of now.
    target: u64,
    steps_run: u64,
    floors: Floors,
    curve: Vec<Checkpoint>,
    baseline_bytes: i64,
    /// The figures at the end of the requested steps.
    end: Reading,
    end_steps: u64,
    blocks_before_steps: u64,
    residue_bytes: u64,
    overruns: Option<Overruns>,
    stop: Option<Stop>,
    panic_message: String,
    started: Instant,
}

impl Recorder {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let requested = scenario.steps;
        let limit = scenario.step_limit();
        Self {
            requested,
            limit,
            memory_budget: scenario.memory_budget.bytes(),
            checkpoint_every: scenario
                .checkpoint_every
                .unwrap_or_else(|| requested.div_ceil(CHECKPOINTS)),
            target: requested,
            steps_run: 0,
            floors: Floors::new(requested, limit),
            curve: Vec::new(),
            baseline_bytes: 0,
            end: Reading::default(),
            end_steps: 0,
            blocks_before_steps: 0,
            residue_bytes: 0,
            overruns: None,
            stop: None,
            panic_message: String::new(),
            started: Instant::now(),
        }
    }

    /// Set-up and warm-up are done.
    pub(crate) fn start(&mut self, scope: &Scope) {
        let (bytes, blocks) = scope.live();
        let totals = scope.read().totals;
        self.baseline_bytes = totals.live_bytes;
        self.blocks_before_steps = totals.total_blocks;
        self.put_on_curve(bytes, blocks);
    }

    /// A step is done; says so if the run must not go on.
    pub(crate) fn after_step(&mut self, scope: &Scope) -> Option<Stop> {
        self.steps_run += 1;
        let (bytes, blocks) = scope.live();
        self.floors
            .observe(self.steps_run, &[bytes, blocks, 0, 0, 0]);
        if self.checkpoint_every > 0 && self.steps_run % self.checkpoint_every == 0 {
            self.put_on_curve(bytes, blocks);
        }
        if bytes > self.memory_budget {
            self.stop = Some(Stop::MemoryBudget);
        } else if self.steps_run > self.requested
            && self.steps_run % STEPS_BETWEEN_CLOCK_READINGS == 0
            && self.started.elapsed() > TIME_LIMIT
        {
            self.stop = Some(Stop::TimeLimit);
        }
        self.stop
    }

    /// The requested steps are done, or the run was stopped in them.
    pub(crate) fn requested_steps_done(&mut self, scope: &Scope) {
        self.end = scope.read();
        self.end_steps = self.steps_run;
        self.finish_curve(scope);
    }

    /// Whether another step is needed for the verdict.
    pub(crate) fn wants_more(&mut self) -> bool {
        if self.stop.is_some() || self.requested == 0 {
            return false;
        }
        if self.steps_run == self.target {
            let doubled = self.target.saturating_mul(2);
            if doubled > self.limit || verdict::is_clear(self.floors.windows()) {
                return false;
            }
            self.target = doubled;
        }
        true
    }

    pub(crate) fn steps_run(&self) -> u64 {
        self.steps_run
    }

    pub(crate) fn extension_panicked(&mut self, message: &str) {
        self.stop = Some(Stop::Panic);
        message.clone_into(&mut self.panic_message);
    }

    /// The state was dropped; what is live now is residue.
    pub(crate) fn state_dropped(&mut self, scope: &Scope) {
        self.residue_bytes = scope.live().0;
        self.overruns = unscoped(|| scope.overruns());
    }

    fn put_on_curve(&mut self, live_bytes: u64, live_blocks: u64) {
        let step = self.steps_run;
        unscoped(|| {
            self.curve.push(Checkpoint {
                step,
                live_bytes,
                live_blocks,
            });
        });
    }

    /// The end of the requested steps is on the curve, wherever it falls.
    fn finish_curve(&mut self, scope: &Scope) {
        if self
            .curve
            .last()
            .is_none_or(|last| last.step != self.steps_run)
        {
            let (bytes, blocks) = scope.live();
            self.put_on_curve(bytes, blocks);
        }
    }

    fn verdict(&self) -> Verdict {
        if self.requested == 0 {
            return Verdict::inconclusive("no steps were run");
        }
        let verdict = verdict::judge(self.floors.windows());
        if self.stop == Some(Stop::TimeLimit) && !verdict::is_clear(self.floors.windows()) {
            return Verdict::inconclusive(format!(
                "the floor was still moving when the time limit of {} s ended the run",
                TIME_LIMIT.as_secs()
            ));
        }
        verdict
    }

    /// Why the run ended before the budget of steps, in words.
    fn ending(&self, scenario: &Scenario) -> Option<String> {
        let after = Thousands(self.steps_run);
        match self.stop? {
            Stop::MemoryBudget => Some(format!(
                "stopped after {after} steps, when live memory passed the budget of {}",
                scenario.memory_budget
            )),
            Stop::TimeLimit => Some(format!(
                "stopped in the extension by the time limit of {} s",
                TIME_LIMIT.as_secs()
            )),
            Stop::Panic => Some(format!(
                "the extension ended after {after} steps, when the next one panicked: {}",
                self.panic_message
            )),
        }
    }

    pub(crate) fn into_report(self, scenario: &Scenario) -> Report {
        let live_bytes = u64::try_from(self.end.totals.live_bytes).unwrap_or(0);
        let growth_bytes = self.end.totals.live_bytes - self.baseline_bytes;
        let mut report = Report {
            name: scenario.name.clone(),
            variant: scenario.variant.clone(),
            requested_steps: self.requested,
            steps: self.end_steps,
            warm_up_steps: scenario.warm_up,
            extended_steps: self.steps_run,
            growth_bytes,
            peak_bytes: self.end.peak_bytes,
            peak_error_bytes: self.end.peak_error_bytes,
            residue_bytes: self.residue_bytes,
            live_bytes,
            live_blocks: u64::try_from(self.end.totals.live_blocks()).unwrap_or(0),
            total_bytes: self.end.totals.total_bytes,
            total_blocks: self.end.totals.total_blocks,
            step_blocks: self.end.totals.total_blocks - self.blocks_before_steps,
            reallocations: self.end.totals.reallocations,
            ceilings: scenario.ceilings.clone(),
            breaches: Vec::new(),
            verdict: self.verdict(),
            ending: self.ending(scenario),
            overruns: self.overruns,
            curve: self.curve,
        };
        report.breaches = report.judge_ceilings();
        if self.stop == Some(Stop::MemoryBudget) && self.end_steps == self.steps_run {
            report.breaches.push(Breach {
                ceiling: Ceiling::MemoryBudget,
                limit: scenario.memory_budget,
                actual_bytes: live_bytes,
            });
        }
        report
    }
}
