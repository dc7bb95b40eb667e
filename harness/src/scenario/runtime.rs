//! The state of an async scenario, and the runtime that it lives on.

use tokio::runtime::{Builder, Runtime};

/// Runs a future to its end on a current-thread runtime of its own.
///
/// # Panics
/// If the runtime cannot be made.
#[doc(hidden)]
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    current_thread().block_on(future)
}

fn current_thread() -> Runtime {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("a current-thread runtime needs a few descriptors")
}

/// A state beside its runtime, which outlives it.
pub(crate) struct OnRuntime<S> {
    /// None only while it is being dropped.
    state: Option<S>,
    runtime: Runtime,
}

impl<S> OnRuntime<S> {
    pub(crate) fn new(setup: impl AsyncFn() -> S) -> Self {
        let runtime = current_thread();
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
