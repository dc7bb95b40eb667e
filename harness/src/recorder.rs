//! What is written down while a scenario runs.
//!
//! Everything that it needs is allocated before the run's scope is entered, or
//! outside every scope, so that the measuring is never measured.

use crate::alloc::{Overruns, Reading, Trace, unscoped};
use crate::byte_size::{ByteSize, Thousands};
use crate::diagnosis::{Diagnosis, Watch};
use crate::floors::{Figure, Floors, Levels};
use crate::holders::State;
use crate::process::{self, Turn};
use crate::report::{Breach, Ceiling, Checkpoint, Report, Resource, Unmeasured};
use crate::scenario::Scenario;
use crate::scope::Scope;
use crate::verdict::{self, Verdict};
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
    turn: &'a Turn,
    watch: Option<Watch<'a>>,
    requested: u64,
    limit: u64,
    memory_budget: u64,
    stop_at: Option<u64>,
    time_budget: Duration,
    detect: Option<(u64, u64)>,
    checkpoint_every: u64,
    /// Up to where the run is extended as of now.
    target: u64,
    steps_run: u64,
    floors: Floors,
    levels: Levels,
    /// The step after which the figures of the process are taken next.
    next_sample: u64,
    curve: Vec<Checkpoint>,
    baseline: Levels,
    baseline_bytes: i64,
    /// The figures at the end of the requested steps.
    end: Reading,
    end_levels: Levels,
    end_steps: u64,
    /// Total bytes and blocks.
    before_steps: (u64, u64),
    residue_bytes: u64,
    overruns: Option<Overruns>,
    unmeasured: Vec<Figure>,
    stop: Option<Stop>,
    panic_message: String,
    started: Instant,
}

impl<'a> Recorder<'a> {
    /// With a trace, of the sites too.
    pub(crate) fn new(scenario: &Scenario, turn: &'a Turn, trace: Option<&'a Trace>) -> Self {
        let requested = scenario.steps;
        let limit = scenario.step_limit();
        Self {
            turn,
            watch: trace.map(|trace| Watch::new(trace, requested, limit)),
            requested,
            limit,
            memory_budget: scenario.memory_budget.bytes(),
            stop_at: scenario.stop_at.map(ByteSize::bytes),
            time_budget: scenario.time_budget,
            detect: scenario.detect.map(|(size, steps)| (size.bytes(), steps)),
            checkpoint_every: scenario
                .checkpoint_every
                .unwrap_or_else(|| requested.div_ceil(CHECKPOINTS)),
            target: requested,
            steps_run: 0,
            floors: Floors::new(requested, limit),
            levels: [0; 5],
            next_sample: 0,
            curve: Vec::new(),
            baseline: [0; 5],
            baseline_bytes: 0,
            end: Reading::default(),
            end_levels: [0; 5],
            end_steps: 0,
            before_steps: (0, 0),
            residue_bytes: 0,
            overruns: None,
            unmeasured: Vec::with_capacity(3),
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
        self.before_steps = (totals.total_bytes, totals.total_blocks);
        self.put_on_curve(bytes, blocks);
        if let Some(watch) = &mut self.watch {
            watch.start();
        }
        self.look(scope);
        self.sample();
        self.baseline = self.levels;
        self.started = Instant::now();
    }

    /// A step is done; says so if the run must not go on.
    pub(crate) fn after_step(&mut self, scope: &Scope) -> Option<Stop> {
        self.steps_run += 1;
        self.look(scope);
        if self.steps_run == self.next_sample {
            self.sample();
        }
        self.floors.observe(self.steps_run, &self.levels);
        if let Some(watch) = &mut self.watch {
            watch.after_step(self.steps_run);
        }
        if self.checkpoint_every > 0 && self.steps_run % self.checkpoint_every == 0 {
            let [bytes, blocks, ..] = self.levels;
            self.put_on_curve(bytes, blocks);
        }
        let highest = scope.flushed_peak_bytes().max(self.levels[0]);
        if self.is_above_limit(highest) {
            self.stop = Some(Stop::Limit);
        } else if highest > self.memory_budget {
            self.stop = Some(Stop::MemoryBudget);
        } else if self.steps_run > self.requested && self.started.elapsed() > self.time_budget {
            self.stop = Some(Stop::TimeBudget);
        }
        self.stop
    }

    /// Whether live bytes have passed the limit that the run is to stop at.
    fn is_above_limit(&self, highest: u64) -> bool {
        match &self.watch {
            Some(watch) => watch.is_stopped(),
            None => self.stop_at.is_some_and(|limit| highest > limit),
        }
    }

    /// The figures of the scope.
    fn look(&mut self, scope: &Scope) {
        let (bytes, blocks) = scope.live();
        self.levels[Figure::Bytes as usize] = bytes;
        self.levels[Figure::Blocks as usize] = blocks;
        self.note(Figure::Threads, scope.other_threads());
    }

    /// The figures of the process, outside every scope.
    fn sample(&mut self) {
        let (descriptors, mapped) = unscoped(|| (process::descriptors(), process::mapped_bytes()));
        self.note(Figure::Descriptors, descriptors);
        self.note(Figure::MappedBytes, mapped);
        let shortest = self.requested / SHORTEST_WATCHED;
        let next = self.floors.next_part_after(self.steps_run, shortest);
        self.next_sample = next.unwrap_or(u64::MAX);
    }

    fn note(&mut self, figure: Figure, level: Option<u64>) {
        match level {
            Some(level) => self.levels[figure as usize] = level,
            None if !self.unmeasured.contains(&figure) => self.unmeasured.push(figure),
            None => {}
        }
    }

    /// The requested steps are done, or the run was stopped in them.
    pub(crate) fn requested_steps_done(&mut self, scope: &Scope, state: &State) {
        self.end = scope.read();
        self.end_steps = self.steps_run;
        self.finish_curve(scope);
        self.look(scope);
        self.sample();
        self.end_levels = self.levels;
        if let Some(watch) = &mut self.watch {
            watch.requested_steps_done(self.end_steps, state);
        }
    }

    /// Whether another step is needed for the verdict.
    pub(crate) fn wants_more(&mut self) -> bool {
        if self.stop.is_some() || self.requested == 0 {
            return false;
        }
        if self.steps_run == self.target {
            let doubled = self.target.saturating_mul(2);
            if doubled > self.limit || unscoped(|| self.is_clear()) {
                return false;
            }
            self.target = doubled;
        }
        true
    }

    /// Whether nothing moves, nothing else grows, and what was to be detected
    /// would have shown.
    fn is_clear(&self) -> bool {
        let grows = |figure| {
            verdict::judge_alone(self.floors.windows(), figure)
                .0
                .is_growing()
        };
        verdict::is_clear(self.floors.windows())
            && self.would_detect()
            && !self.watched().into_iter().any(grows)
    }

    fn would_detect(&self) -> bool {
        self.detect.is_none_or(|(bytes, per_steps)| {
            verdict::block_shows(self.floors.windows(), bytes, per_steps)
        })
    }

    /// The figures beside memory that can be judged.
    fn watched(&self) -> Vec<Figure> {
        let mut figures = vec![Figure::Threads];
        if self.turn.was_alone() {
            figures.extend([Figure::Descriptors, Figure::MappedBytes]);
        }
        figures.retain(|figure| !self.unmeasured.contains(figure));
        figures
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

    fn verdict(&self, scenario: &Scenario) -> Verdict {
        if self.requested == 0 {
            return Verdict::inconclusive("no steps were run");
        }
        let windows = self.floors.windows();
        let verdict = verdict::judge(windows);
        if self.stop == Some(Stop::TimeBudget) && !verdict::is_clear(windows) {
            return verdict.but_inconclusive(format!(
                "the floor was still moving when the time budget of {} s ended the run",
                scenario.time_budget.as_secs()
            ));
        }
        if self.stop == Some(Stop::MemoryBudget) && !verdict.is_growing() {
            return self.over_budget(verdict, scenario);
        }
        match scenario.detect {
            Some((size, per_steps)) if verdict.is_bounded() && !self.would_detect() => {
                let reason = format!(
                    "in {} steps a leak of {size} every {} steps would not have shown{}",
                    Thousands(self.steps_run),
                    Thousands(per_steps),
                    verdict.detectability()
                );
                verdict.but_inconclusive(reason)
            }
            _ => verdict,
        }
    }

    /// The verdict of a run that was stopped by its memory budget, though its
    /// complete windows do not tell why. It is growing if memory became more than
    /// twice what it ever was in them.
    fn over_budget(&self, verdict: Verdict, scenario: &Scenario) -> Verdict {
        let windows = self.floors.windows();
        let highest = windows
            .iter()
            .map(|window| window.highest(Figure::Bytes))
            .max();
        let highest = highest.unwrap_or(0);
        let [now, ..] = self.levels;
        let reason = format!(
            "live memory passed the budget of {} after {} steps, with {} B, where it had been \
             {} B at most in the doublings before",
            scenario.memory_budget,
            Thousands(self.steps_run),
            Thousands(now),
            Thousands(highest),
        );
        if now / 2 > highest && highest > 0 {
            verdict.but_growing(reason)
        } else {
            verdict.but_inconclusive(reason)
        }
    }

    /// Why the run ended before the budget of steps, in words.
    fn ending(&self, scenario: &Scenario) -> Option<String> {
        let after = Thousands(self.steps_run);
        match self.stop? {
            Stop::MemoryBudget => Some(format!(
                "stopped after {after} steps, when live memory had passed the budget of {}",
                scenario.memory_budget
            )),
            Stop::Limit => Some(format!(
                "stopped after {after} steps, when live memory had passed the limit to stop at"
            )),
            Stop::TimeBudget => Some(format!(
                "stopped in the extension by the time budget of {} s",
                scenario.time_budget.as_secs()
            )),
            Stop::Panic => Some(format!(
                "the extension ended after {after} steps, when the next one panicked: {}",
                self.panic_message
            )),
        }
    }

    /// What else was watched, where there is something to say.
    fn resources(&self, scenario: &Scenario) -> Vec<Resource> {
        const KINDS: [(Figure, Ceiling); 3] = [
            (Figure::Threads, Ceiling::Threads),
            (Figure::Descriptors, Ceiling::Descriptors),
            (Figure::MappedBytes, Ceiling::Mapped),
        ];
        let watched = self.watched();
        let mut resources = Vec::new();
        for (figure, kind) in KINDS {
            let has_ceiling = scenario.ceilings.iter().any(|(known, _)| *known == kind);
            if !watched.contains(&figure) {
                if has_ceiling {
                    let why = if self.unmeasured.contains(&figure) {
                        Unmeasured::Unavailable
                    } else {
                        Unmeasured::NotAlone
                    };
                    resources.push(Resource::unmeasured(kind, why));
                }
                continue;
            }
            let (verdict, per_step) = verdict::judge_alone(self.floors.windows(), figure);
            let level =
                |levels: &Levels| i64::try_from(levels[figure as usize]).unwrap_or(i64::MAX);
            let growth = level(&self.end_levels) - level(&self.baseline);
            let moved = figure == Figure::Threads && growth != 0;
            if has_ceiling || moved || verdict.is_growing() {
                resources.push(Resource::measured(kind, growth, per_step, verdict));
            }
        }
        resources
    }

    pub(crate) fn into_report(mut self, scenario: &Scenario) -> Report {
        let live_bytes = u64::try_from(self.end.totals.live_bytes).unwrap_or(0);
        let growth_bytes = self.end.totals.live_bytes - self.baseline_bytes;
        let watch = self.watch.take();
        let diagnosis = watch.map(|watch| unscoped(|| watch.into_diagnosis(growth_bytes)));
        let mut report = Report {
            name: scenario.name.clone(),
            variant: scenario.variant.clone(),
            location: None,
            test: None,
            requested_steps: self.requested,
            steps: self.end_steps,
            warm_up_steps: scenario.warm_up,
            extended_steps: self.steps_run,
            growth_bytes,
            peak_bytes: self.end.peak_bytes,
            peak_error_bytes: self.end.peak_error_bytes,
            residue_bytes: self.residue_bytes,
            repetition: None,
            live_bytes,
            live_blocks: u64::try_from(self.end.totals.live_blocks()).unwrap_or(0),
            total_bytes: self.end.totals.total_bytes,
            total_blocks: self.end.totals.total_blocks,
            step_bytes: self.end.totals.total_bytes - self.before_steps.0,
            step_blocks: self.end.totals.total_blocks - self.before_steps.1,
            reallocations: self.end.totals.reallocations,
            ceilings: scenario.ceilings.clone(),
            breaches: Vec::new(),
            verdict: self.verdict(scenario),
            detects_too_little: self.requested > 0 && !self.would_detect(),
            resources: self.resources(scenario),
            self_test: None,
            ending: self.ending(scenario),
            overruns: self.overruns,
            curve: self.curve,
            diagnosis,
        };
        report.breaches = report.judge_ceilings();
        if let (Some(Stop::Limit), Some(limit)) = (self.stop, self.stop_at) {
            let stopped = report.diagnosis.as_ref().and_then(Diagnosis::stopped_with);
            report.breaches.push(Breach {
                ceiling: Ceiling::StopAt,
                limit,
                actual: stopped.unwrap_or(self.levels[0].max(report.peak_bytes)),
            });
        }
        if self.stop == Some(Stop::MemoryBudget) && self.end_steps == self.steps_run {
            report.breaches.push(Breach {
                ceiling: Ceiling::MemoryBudget,
                limit: scenario.memory_budget.bytes(),
                actual: self.end.peak_bytes,
            });
        }
        report
    }
}
