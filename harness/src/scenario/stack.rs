//! The stack that the steps of a scenario use, where there is a ceiling on it.
//!
//! Without one nothing is painted, and steps are called as ever. Taking call stacks needs stack
//! itself, so a run that takes them has the figure of the run before it, or none.

use super::under_way::Run;
use crate::alloc::{MeasuredSteps, StackDepth};
use crate::isolation;
use crate::report::Ceiling;
use crate::scope::Scope;

/// What is known of the stack of the steps.
pub(super) enum Stack {
    NotAsked,
    Measured(MeasuredSteps),
    /// From another run; or why it can't be had.
    Known(Result<StackDepth, &'static str>),
}

impl Stack {
    /// Begins to measure steps in this scope, if that is asked for; with a step that does
    /// nothing.
    pub(super) fn begin(
        run: &Run<'_>,
        scope: &Scope,
        is_traced: bool,
        nothing: impl FnOnce(),
    ) -> Self {
        if !run.scenario.has_ceiling(Ceiling::Stack) || run.is_self_test.get() {
            return Self::NotAsked;
        }
        if is_traced {
            let known = isolation::stack_in_first_run(run.ordinal);
            return Self::Known(known.ok_or("not measured: call stacks were taken in this run"));
        }
        match scope.measure_stack(nothing) {
            Ok(steps) => Self::Measured(steps),
            Err(obstacle) => Self::Known(Err(obstacle)),
        }
    }

    /// Runs a step.
    pub(super) fn run(&self, step: impl FnOnce()) {
        match self {
            Self::Measured(steps) => steps.run(step),
            _ => step(),
        }
    }

    /// The requested steps are done: what was found; none if nobody asked. No step is measured
    /// from now on.
    pub(super) fn end(&mut self) -> Option<Result<StackDepth, &'static str>> {
        match std::mem::replace(self, Self::NotAsked) {
            Self::NotAsked => None,
            Self::Measured(steps) => Some(Ok(steps.end())),
            Self::Known(known) => Some(known),
        }
    }
}
