//! The state of an async scenario, and the runtime that it lives on.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::consume_budget;

thread_local! {
    /// Whether this thread's runtime found nothing to run since this was reset.
    static IS_IDLE: Cell<bool> = const { Cell::new(false) };
    /// How many tasks were alive on the last runtime that took a step on this thread.
    static ALIVE_TASKS: Cell<u64> = const { Cell::new(0) };
}

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
    runtime.expect(NO_RUNTIME)
}

const NO_RUNTIME: &str = "a current-thread runtime needs a few descriptors";

/// Whether a runtime polls the caller. Another one cannot run within such a poll, but it can
/// where a runtime is only at hand, as for blocking work.
///
/// Nothing says so outright. In a poll, tokio lets a future go on so many times and then makes
/// it wait; elsewhere it never does.
pub(super) fn is_in_async_code() -> bool {
    /// Some times as often as tokio allows.
    const TRIES: u32 = 1_024;

    let mut context = Context::from_waker(Waker::noop());
    let mut has_to_wait = || pin!(consume_budget()).poll(&mut context).is_pending();
    Handle::try_current().is_ok() && (0..TRIES).any(|_| has_to_wait())
}

/// Lets tasks run until none can go on, or for so many rounds that one seems to run for ever.
/// What a step spawned would look like a leak if it never came to run, as when no step has to
/// wait.
async fn until_idle() {
    /// In each some 60 tasks go on once.
    const ROUNDS: u32 = 1_000;

    IS_IDLE.set(false);
    let mut rounds = 0;
    poll_fn(|context| {
        if IS_IDLE.get() || rounds == ROUNDS {
            return Poll::Ready(());
        }
        rounds += 1;
        // This is polled again after some tasks, or when there are none.
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// A state behind its runtime, which outlives it. What the runtime holds is told apart by
/// where it lies, so that is first in memory.
#[repr(C)]
pub(crate) struct OnRuntime<S> {
    runtime: Runtime,
    /// None only while it is being dropped.
    state: Option<S>,
}

/// What a runtime takes at the start of a state that lies behind one.
pub(super) const RUNTIME_BYTES: usize = size_of::<Runtime>();

/// The type of the state behind a runtime, from the type of both; none if there is no runtime.
pub(super) fn state_on_runtime(state: &str) -> Option<&str> {
    let of_state = state.strip_prefix(concat!(module_path!(), "::OnRuntime<"))?;
    of_state.strip_suffix('>')
}

/// How many tasks were alive after the last step, or the set-up, of the scenario that runs on
/// this thread.
pub(super) fn alive_tasks() -> u64 {
    ALIVE_TASKS.get()
}

impl<S> OnRuntime<S> {
    pub(crate) fn new(setup: impl AsyncFn() -> S) -> Self {
        let mut builder = Builder::new_current_thread();
        // It is called when no task can run.
        builder.enable_all().on_thread_park(|| IS_IDLE.set(true));
        let runtime = builder.build().expect(NO_RUNTIME);
        let on_runtime = Self {
            state: Some(runtime.block_on(setup())),
            runtime,
        };
        on_runtime.count_tasks();
        on_runtime
    }

    fn count_tasks(&self) {
        let alive = self.runtime.metrics().num_alive_tasks();
        ALIVE_TASKS.set(alive as u64);
    }

    pub(crate) fn step(&mut self, step: &impl AsyncFn(&mut S, u64), i: u64) {
        if let Some(state) = &mut self.state {
            self.runtime.block_on(async {
                step(state, i).await;
                until_idle().await;
            });
        }
        self.count_tasks();
    }
}

/// What the state drops may need the runtime's timers and tasks.
impl<S> Drop for OnRuntime<S> {
    fn drop(&mut self) {
        let _inside = self.runtime.enter();
        self.state = None;
    }
}
