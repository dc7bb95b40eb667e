//! The state of an async scenario, and the runtime that it lives on.

use tokio::runtime::{Builder, Runtime};

/// A state beside its runtime, which outlives it.
pub(crate) struct OnRuntime<S> {
    /// None only while it is being dropped.
    state: Option<S>,
    runtime: Runtime,
}

impl<S> OnRuntime<S> {
    pub(crate) fn new(setup: impl AsyncFn() -> S) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a current-thread runtime needs a few descriptors");
        Self {
            state: Some(runtime.block_on(setup())),
            runtime,
        }
    }

    pub(crate) fn step(&mut self, step: &impl AsyncFn(&mut S, u64), i: u64) {
        if let Some(state) = &mut self.state {
            self.runtime.block_on(step(state, i));
        }
    }
}

/// What the state drops may need the runtime's timers and tasks.
impl<S> Drop for OnRuntime<S> {
    fn drop(&mut self) {
        let _inside = self.runtime.enter();
        self.state = None;
    }
}
