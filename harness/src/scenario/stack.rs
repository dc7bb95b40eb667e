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

    /// The requested steps are done: what was found; none if nobody asked. No step is measured
    /// from now on.
    pub(super) fn end(&mut self) -> Option<Result<StackDepth, &'static str>> {
        match std::mem::replace(self, Self::NotAsked) {
            Self::NotAsked => None,
            Self::Measured(steps) => Some(Ok(steps.end())),
            Self::Unmeasured(obstacle) => Some(Err(obstacle)),
        }
    }
}
