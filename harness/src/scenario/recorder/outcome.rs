//! The conclusions from what was recorded: the verdict, what it covers, and the report.

use super::{Recorder, Stop};
use crate::text::Thousands;

use crate::diagnosis::Diagnosis;
use crate::isolation;
use crate::report::{
    Breach, Ceiling, Checkpoint, Coverage, OfType, Report, Resource, Unmeasured, c_heap_not_judged,
    is_of,
};
use crate::scenario::Scenario;
use crate::scenario::runtime::future_bytes;
use crate::verdict::floors::{Levels, Quantity};
use crate::verdict::{self, Verdict};

/// All that was painted was used, or one thread too many was started.
const STACK_IS_LEAST: &str = "more was used than is measured";

/// So many points of the curve are shown of a run that has not ended.
const MOST_POINTS: usize = 16;

/// What is watched beside memory.
const KINDS: [(Quantity, Ceiling); 4] = [
    (Quantity::Threads, Ceiling::Threads),
    (Quantity::Tasks, Ceiling::Tasks),
    (Quantity::Descriptors, Ceiling::Descriptors),
    (Quantity::MappedBytes, Ceiling::Mapped),
];

impl Recorder<'_> {
    /// The verdict, and what it covers.
    fn verdict(&mut self) -> (Verdict, Coverage) {
        let verdict = self.verdict_of_memory(self.run.scenario);
        let [now, ..] = self.levels;
        let growing_by = (verdict.is_growing()).then(|| now.saturating_sub(self.baseline[0]));
        let lookout = self.lookout.as_ref();
        let mut coverage = lookout.map_or_else(Coverage::default, |lookout| {
            lookout.coverage(self.scope, growing_by)
        });
        coverage.is_own_process = lookout.is_none();
        coverage.why_shared = isolation::in_process_reason();
        coverage.threads = self.scope.most_threads();
        coverage.not_judged = self.not_judged();
        let verdict = match &coverage.evidence {
            Some(evidence) if verdict.is_bounded() || verdict.is_growing() => {
                verdict.but_inconclusive(evidence.clone())
            }
            _ => verdict,
        };
        (verdict, coverage)
    }

    /// The curve and the verdict as far as the run has come, for who finds it dead.
    pub(super) fn so_far(&self) -> String {
        let verdict = verdict::of_memory(self.floors.windows());
        let mut text = format!("  verdict     {verdict}\n{}", Checkpoint::HEADER);
        let from = self.curve.len().saturating_sub(MOST_POINTS);
        text.extend(self.curve[from..].iter().map(Checkpoint::line));
        text
    }

    /// What the verdict says nothing of, and why.
    fn not_judged(&self) -> Vec<(&'static str, &'static str)> {
        let watched = self.watched();
        // Without a runtime there are no tasks that one could miss.
        let has_some = |figure| figure != Quantity::Tasks || self.tasks.is_some();
        let is_missing = |figure| !watched.contains(&figure) && has_some(figure);
        let missing = KINDS.iter().filter(|(figure, _)| is_missing(*figure));
        missing
            .map(|(figure, kind)| {
                (
                    kind.name(),
                    self.unmeasured(*figure, *kind)
                        .obstacle()
                        .unwrap_or_default(),
                )
            })
            .chain(c_heap_not_judged())
            .collect()
    }

    fn unmeasured(&self, figure: Quantity, kind: Ceiling) -> Resource {
        let why = if self.unmeasured.contains(&figure) {
            Unmeasured::Unavailable
        } else {
            Unmeasured::NotAlone
        };
        Resource::unmeasured(kind, why)
    }

    fn verdict_of_memory(&mut self, scenario: &Scenario) -> Verdict {
        if self.requested == 0 {
            return Verdict::inconclusive("no steps were run");
        }
        let judged = self.seen(verdict::judge);
        let verdict = match (judged.site, &self.watch) {
            (Some(stack), Some(watch)) => judged.verdict.at_site(&watch.describe(stack)),
            _ => judged.verdict,
        };
        if self.stop == Some(Stop::TimeBudget) {
            return verdict.so_far(&format!(
                "the time budget of {} s ended the extension after {} steps",
                scenario.time_budget.as_secs(),
                Thousands(self.steps_run)
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
            .map(|window| window.highest(Quantity::Bytes))
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
        let watched = self.watched();
        let mut resources = Vec::new();
        for (figure, kind) in KINDS {
            let has_ceiling = scenario.ceilings.iter().any(|(known, _)| *known == kind);
            if !watched.contains(&figure) {
                if has_ceiling {
                    resources.push(self.unmeasured(figure, kind));
                }
                continue;
            }
            let (verdict, per_step) = verdict::judge_alone(self.floors.windows(), figure);
            let level = |levels: &Levels| signed(levels[figure as usize]);
            let growth = level(&self.end_levels) - level(&self.baseline);
            let moved = matches!(figure, Quantity::Threads | Quantity::Tasks) && growth != 0;
            if has_ceiling || moved || verdict.is_growing() {
                resources.push(Resource::measured(kind, growth, per_step, verdict));
            }
        }
        resources
    }

    /// Whether call stacks could tell more, and were not taken.
    fn is_coarse(&self, verdict: &Verdict, coverage: &Coverage) -> bool {
        let is_in_time = self.stop != Some(Stop::TimeBudget);
        let may_have_sites = self.watch.is_none() && is_in_time && coverage.evidence.is_none();
        may_have_sites && verdict::is_coarse(verdict, self.floors.windows())
    }

    /// Allocates; the state was dropped.
    pub(crate) fn into_report(mut self) -> Report {
        let scenario = self.run.scenario;
        let [live_bytes, live_blocks, ..] = self.end_levels;
        let growth_bytes = signed(live_bytes) - signed(self.baseline[0]);
        let (verdict, coverage) = self.verdict();
        let is_coarse = self.is_coarse(&verdict, &coverage);
        let (of_steps, of_run) = (self.end.totals, self.end.totals.since(&self.before.totals));
        let peak_bytes = self.peak_bytes.max(live_bytes);
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
            peak_bytes,
            peak_error_bytes: self.peak_error_bytes,
            residue_bytes: self.residue_bytes,
            repetition: None,
            live_bytes,
            live_blocks,
            total_bytes: of_run.total_bytes,
            total_blocks: of_run.total_blocks,
            step_bytes: of_steps.total_bytes - self.before_steps.0,
            step_blocks: of_steps.total_blocks - self.before_steps.1,
            reallocations: of_run.reallocations,
            stack: self.stack,
            future_bytes: self.tasks.and_then(|_| future_bytes()),
            ceilings: scenario.ceilings.clone(),
            breaches: Vec::new(),
            types: Vec::new(),
            verdict,
            is_coarse,
            is_left_open: self.is_left_open,
            has_sites: self.watch.is_some(),
            coverage,
            accepted: Vec::new(),
            resources: self.resources(scenario),
            self_test: None,
            blocks_without_state: self.blocks_without_state,
            ending: self.ending(scenario),
            overruns: self.overruns,
            curve: self.curve,
            diagnosis: None,
            diagnosis_obstacle: None,
        };
        report.judge();
        let is_sound = report.failures().is_empty() && self.stop.is_none();
        // Names take their time.
        let watch = self.watch.filter(|_| !is_sound || self.run.is_to_explain());
        report.diagnosis = watch.map(|watch| watch.into_diagnosis(growth_bytes));
        let stopped = report.look_into_types(&scenario.types);
        report.breaches.extend(match (self.stop, self.stop_at) {
            (Some(Stop::Limit), Some(limit)) => Some(Breach {
                ceiling: Ceiling::StopAt,
                limit,
                actual: stopped.unwrap_or(self.levels[0].max(peak_bytes)),
            }),
            (Some(Stop::MemoryBudget), _) if self.end_steps == self.steps_run => Some(Breach {
                ceiling: Ceiling::MemoryBudget,
                limit: scenario.memory_budget.bytes(),
                actual: peak_bytes,
            }),
            _ => None,
        });
        report
    }
}

impl Report {
    /// Holds it to its ceilings. If the stack has one and was not measured, or could have been
    /// more, the verdict is open.
    fn judge(&mut self) {
        self.breaches = self.judge_ceilings();
        let obstacle = match self.stack {
            Some(Ok(depth)) if depth.is_least => STACK_IS_LEAST,
            Some(Err(obstacle)) => obstacle,
            _ => return,
        };
        let is_breached = self
            .breaches
            .iter()
            .any(|known| known.ceiling == Ceiling::Stack);
        if self.verdict.is_bounded() && !is_breached {
            let reason = format!("it is not known if the stack is within its ceiling: {obstacle}");
            self.verdict = self.verdict.clone().but_inconclusive(reason);
        }
    }

    /// Counts the live blocks of these types. If that can't be done, the verdict is open. Returns
    /// the live bytes with which the run was stopped, if call stacks say that.
    fn look_into_types(&mut self, types: &[(String, u64)]) -> Option<u64> {
        let diagnosis = self.diagnosis.as_ref();
        let count = |(name, limit): &(String, u64)| OfType::of(name, *limit, diagnosis);
        self.types = types.iter().map(count).collect();
        let obstacle = self.types.iter().find_map(OfType::obstacle);
        if let Some(obstacle) = obstacle.filter(|_| self.verdict.is_bounded()) {
            self.verdict = self.verdict.clone().but_inconclusive(obstacle);
        }
        let is_type_alone = !self.verdict.is_growing() && self.breaches.is_empty();
        if is_type_alone && self.types.iter().any(OfType::is_breached) {
            let is_shown = |known: &str| types.iter().any(|(name, _)| is_of(known, name));
            let diagnosis = self.diagnosis.take();
            self.diagnosis = diagnosis.map(|diagnosis| diagnosis.about_types(is_shown));
        }
        self.diagnosis.as_ref().and_then(Diagnosis::stopped_with)
    }
}

fn signed(level: u64) -> i64 {
    i64::try_from(level).unwrap_or(i64::MAX)
}
