//! The state of an async scenario, and the runtime that it lives on.

use crate::alloc::unscoped;
use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::consume_budget;

thread_local! {
    /// Whether the canary goes on.
    static IS_ASKED: Cell<bool> = const { Cell::new(false) };
    /// How often the canary went on.
    static CANARY_POLLS: Cell<u32> = const { Cell::new(0) };
    /// Wakes the canary, if it rests.
    static CANARY: Cell<Option<Waker>> = const { Cell::new(None) };
    /// How many tasks were alive on the last runtime that took a step on this thread.
    static ALIVE_TASKS: Cell<u64> = const { Cell::new(0) };
    /// The size of the future of the last step that was taken on this thread.
    static FUTURE_BYTES: Cell<usize> = const { Cell::new(0) };
    /// The size of the largest one of the scenario that runs on this thread.
    static LARGEST_FUTURE: Cell<Option<usize>> = const { Cell::new(None) };
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

/// How many tasks a runtime polls between two polls of what it blocks on, and how many of its
/// own queue before it looks for what other threads woke: tokio's defaults.
const POLLS_A_ROUND: u32 = 61;
const POLLS_OF_OWN_QUEUE: u32 = 31;
/// After so many a task seems to run for ever.
const ROUNDS: u32 = 1_000;

/// A task that does nothing but go on as long as it is asked to. Where it had all polls of a
/// round, no other task could go on. tokio tells that by itself only of a runtime that is about to
/// wait, and newer versions do not come to that while what the runtime blocks on can go on.
fn canary() -> impl Future<Output = ()> {
    poll_fn(|context| {
        CANARY_POLLS.set(CANARY_POLLS.get() + 1);
        if IS_ASKED.get() {
            context.waker().wake_by_ref();
        } else {
            CANARY.set(Some(context.waker().clone()));
        }
        Poll::Pending
    })
}

/// Lets tasks run until none can go on, or for so many rounds that one seems to run for ever.
/// What a step spawned would look like a leak if it never came to run, as when no step has to
/// wait. Returns the number of rounds.
async fn until_idle() -> u32 {
    IS_ASKED.set(true);
    if let Some(canary) = CANARY.take() {
        canary.wake();
    }
    let mut rounds = 0;
    poll_fn(|context| {
        let is_idle = CANARY_POLLS.replace(0) == POLLS_A_ROUND;
        if rounds > 0 && is_idle || rounds == ROUNDS {
            IS_ASKED.set(false);
            return Poll::Ready(rounds);
        }
        rounds += 1;
        // This is polled again after a round.
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await
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

/// The size of the largest future of a step of the scenario that runs on this thread; none if
/// no step was taken.
pub(super) fn future_bytes() -> Option<u64> {
    LARGEST_FUTURE.get().map(|bytes| bytes as u64)
}

/// The next step is the first of a scenario.
pub(super) fn forget_futures() {
    LARGEST_FUTURE.set(None);
}

/// Notes that this future is the step's, and not the one of the closure that awaits it.
#[doc(hidden)]
pub fn future_of_step<F: Future>(future: F) -> F {
    FUTURE_BYTES.set(size_of::<F>());
    future
}

impl<S> OnRuntime<S> {
    pub(crate) fn new(setup: impl AsyncFn() -> S) -> Self {
        let mut builder = Builder::new_current_thread();
        builder.enable_all().event_interval(POLLS_A_ROUND);
        builder.global_queue_interval(POLLS_OF_OWN_QUEUE);
        let runtime = builder.build().expect(NO_RUNTIME);
        unscoped(|| drop(runtime.spawn(canary())));
        let on_runtime = Self {
            state: Some(runtime.block_on(setup())),
            runtime,
        };
        on_runtime.count_tasks();
        on_runtime
    }

    /// How many tasks are alive, without the canary.
    fn count_tasks(&self) -> u64 {
        let alive = self.runtime.metrics().num_alive_tasks().saturating_sub(1);
        ALIVE_TASKS.set(alive as u64);
        alive as u64
    }

    pub(crate) fn step(&mut self, step: &impl AsyncFn(&mut S, u64), i: u64) {
        if let Some(state) = &mut self.state {
            let future = step(state, i);
            FUTURE_BYTES.set(size_of_val(&future));
            self.runtime.block_on(future);
            LARGEST_FUTURE.set(LARGEST_FUTURE.get().max(Some(FUTURE_BYTES.get())));
            if self.count_tasks() > 0 {
                self.runtime.block_on(until_idle());
            }
        }
        self.count_tasks();
    }
}

/// What the state drops may need the runtime's timers and tasks.
impl<S> Drop for OnRuntime<S> {
    fn drop(&mut self) {
        let _inside = self.runtime.enter();
        self.state = None;
        CANARY.set(None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rounds after a step in which the state was one runtime and no more.
    fn rounds(step: &impl AsyncFn(&mut (), u64)) -> u32 {
        let mut on_runtime = OnRuntime::new(async || ());
        on_runtime.step(step, 0);
        on_runtime.runtime.block_on(until_idle())
    }

    #[test]
    fn tasks_that_wait_take_a_few_rounds_and_one_that_never_rests_all() {
        let waits = rounds(&async |(), _| {
            for _ in 0..3 {
                tokio::spawn(std::future::pending::<()>());
            }
        });
        assert!(waits <= 3, "{waits}");
        let never_rests = rounds(&async |(), _| {
            tokio::spawn(async {
                loop {
                    tokio::task::yield_now().await;
                }
            });
        });
        assert_eq!(never_rests, ROUNDS);
    }
}
