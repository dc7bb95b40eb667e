//! The stack that the steps of a scenario use, where there is a ceiling on it.
//!
//! Without one nothing is painted, and steps are called as ever.

use super::under_way::Run;
use crate::alloc::{MeasuredSteps, StackDepth};
use crate::report::Ceiling;
use crate::scope::Scope;

/// What is known of the stack of the steps.
pub(super) enum Stack {
    NotAsked,
    Measured(MeasuredSteps),
    /// It can't be measured, for this reason.
    Unmeasured(&'static str),
}

impl Stack {
    /// Begins to measure steps in this scope, if that is asked for. `nothing` runs a step that
    /// does nothing.
    pub(super) fn begin(
        run: &Run<'_>,
        scope: &Scope,
        nothing: impl FnOnce(&MeasuredSteps),
    ) -> Self {
        if !run.scenario.has_ceiling(Ceiling::Stack) || run.is_self_test.get() {
            return Self::NotAsked;
        }
        match scope.measure_stack(nothing) {
            Ok(steps) => Self::Measured(steps),
            Err(obstacle) => Self::Unmeasured(obstacle),
        }
    }

    /// What steps run on, if they are measured.
    pub(super) fn steps(&self) -> Option<&MeasuredSteps> {
        match self {
            Self::Measured(steps) => Some(steps),
            _ => None,
        }
    }

    /// So many steps were run, and are all that were requested: what was found; none if nobody
    /// asked, or there was no step. No step is measured from now on.
    pub(super) fn end(&mut self, steps_run: u64) -> Option<Result<StackDepth, &'static str>> {
        match std::mem::replace(self, Self::NotAsked) {
            Self::NotAsked => None,
            Self::Measured(steps) => (steps_run > 0).then(|| Ok(steps.end())),
            Self::Unmeasured(obstacle) => Some(Err(obstacle)),
        }
    }
}
