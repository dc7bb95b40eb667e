//! [`Scenario`]: work that is repeated step by step, and what its memory may do.
//!
//! A run has these parts, in this order:
//!
//! 1. *rehearsal*: set-up, one step, drop, counted apart, so that statics and
//!    thread-locals that are filled at their first use are not charged to the run
//! 2. *set-up*, then the *warm-up* steps, if any were asked for
//! 3. the requested *steps*: growth, peak and totals are those at their end
//! 4. the *extension*: more steps, for the verdict alone
//! 5. the *drop* of the state: what is live then is residue

use crate::alloc::unscoped;
use crate::byte_size::{ByteSize, Thousands};
use crate::recorder::{Recorder, Stop};
use crate::report::{Ceiling, Report};
use crate::scope::Scope;
use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Once;

/// Work whose memory is judged: set it up, then run it.
///
/// ```
/// # #[global_allocator]
/// # static ALLOC: highwater::Alloc = highwater::Alloc::system();
/// use highwater::{ByteSize, Scenario};
/// use std::collections::VecDeque;
///
/// let report = Scenario::new("last-hundred")
///     .steps(10_000)
///     .growth_ceiling(ByteSize::kib(4))
///     .peak_ceiling(ByteSize::kib(8))
///     .run(VecDeque::new, |window, i| {
///         if window.len() == 100 {
///             window.pop_front();
///         }
///         window.push_back(i);
///     });
/// assert!(report.verdict().is_bounded());
/// report.assert();
/// ```
#[derive(Clone, Debug)]
#[must_use = "a scenario does nothing until it is run"]
pub struct Scenario {
    pub(crate) name: String,
    pub(crate) variant: Option<String>,
    pub(crate) steps: u64,
    pub(crate) warm_up: u64,
    pub(crate) checkpoint_every: Option<u64>,
    pub(crate) ceilings: Vec<(Ceiling, ByteSize)>,
    pub(crate) step_budget: Option<u64>,
    pub(crate) memory_budget: ByteSize,
}

impl Scenario {
    /// A scenario of 1,000 steps without ceilings. The name stands in messages
    /// and names the report's file, so give each its own.
    ///
    /// # Panics
    /// If the name is empty.
    #[track_caller]
    pub fn new(name: impl Into<String>) -> Self {
        let name = name.into();
        assert!(!name.is_empty(), "highwater: a scenario needs a name");
        Self {
            name,
            variant: None,
            steps: 1_000,
            warm_up: 0,
            checkpoint_every: None,
            ceilings: Vec::new(),
            step_budget: None,
            memory_budget: ByteSize::gib(1),
        }
    }

    /// Which configuration of the scenario this is, where there are several. It
    /// stands beside the name in messages and in the name of the report's file.
    pub fn variant(mut self, variant: impl Into<String>) -> Self {
        self.variant = Some(variant.into());
        self
    }

    /// How many steps to run at least. With 0 only set-up and drop are measured
    /// and the verdict is inconclusive.
    pub fn steps(mut self, steps: u64) -> Self {
        self.steps = steps;
        self
    }

    /// How many steps to run before growth is counted, on top of the requested
    /// ones; 0 unless this is called. They count towards the peak.
    pub fn warm_up(mut self, steps: u64) -> Self {
        self.warm_up = steps;
        self
    }

    /// Puts a point on the curve every so many steps, instead of ten points in
    /// the requested steps. At 0 the curve has its first and last point only.
    pub fn checkpoint_every(mut self, steps: u64) -> Self {
        self.checkpoint_every = Some(steps);
        self
    }

    /// The most by which live bytes may rise from the end of set-up and warm-up
    /// to the end of the requested steps. Inclusive: equal passes, so a ceiling
    /// of 0 allows no growth and passes without any.
    pub fn growth_ceiling(self, limit: ByteSize) -> Self {
        self.ceiling(Ceiling::Growth, limit)
    }

    /// The most live bytes at any moment from set-up to the end of the requested
    /// steps. Inclusive. A ceiling of 0 allows no allocation at all.
    pub fn peak_ceiling(self, limit: ByteSize) -> Self {
        self.ceiling(Ceiling::Peak, limit)
    }

    /// The most live bytes after the state was dropped. Inclusive.
    pub fn residue_ceiling(self, limit: ByteSize) -> Self {
        self.ceiling(Ceiling::Residue, limit)
    }

    fn ceiling(mut self, ceiling: Ceiling, limit: ByteSize) -> Self {
        self.ceilings.retain(|(known, _)| *known != ceiling);
        self.ceilings.push((ceiling, limit));
        self.ceilings.sort_by_key(|(ceiling, _)| *ceiling);
        self
    }

    /// The most steps that a run may be extended to; 16 times the requested
    /// steps unless this is called.
    pub fn step_budget(mut self, steps: u64) -> Self {
        self.step_budget = Some(steps);
        self
    }

    /// The most live bytes that a run may reach; 1 GiB unless this is called. It
    /// is checked after each step. To pass it within the requested steps ends
    /// the run and is a breach; during the extension it ends the extension.
    pub fn memory_budget(mut self, limit: ByteSize) -> Self {
        self.memory_budget = limit;
        self
    }

    /// Runs the scenario, writes its report to `target/highwater/` and returns
    /// it. The scenario itself fails nothing: ask the report, or call
    /// [`Report::assert`].
    ///
    /// What a step prints is counted where the test runner keeps it in memory, as
    /// plain `cargo test` does; `cargo nextest run` and `--nocapture` do not.
    ///
    /// `setup` makes the state. `step` is given the state and the number of the
    /// step, from 0 on, warm-up included. Both may be called again, for a state
    /// of its own.
    ///
    /// # Panics
    /// If no counting allocator is installed (the message shows the lines to
    /// add), and if `setup`, a requested step or the state's drop panics (the
    /// message says where). A panic in the extension only ends the extension.
    #[track_caller]
    pub fn run<S>(&self, setup: impl Fn() -> S, step: impl Fn(&mut S, u64)) -> Report {
        keep_panic_output_out_of_scopes();
        let place = Cell::new(Place::Rehearsal);
        let rehearsal = Scope::enter("rehearsal");
        self.guarded(&place, || {
            let mut state = setup();
            if self.warm_up > 0 || self.steps > 0 {
                step(&mut state, 0);
            }
        });
        drop(rehearsal);

        let mut recorder = Recorder::new(self);
        let scope = Scope::enter(&self.name);
        let mut state = self.guarded(&place, || {
            place.set(Place::Setup);
            let mut state = setup();
            for i in 0..self.warm_up {
                place.set(Place::Step(i));
                step(&mut state, i);
            }
            recorder.start(&scope);
            for i in self.warm_up..self.warm_up.saturating_add(self.steps) {
                place.set(Place::Step(i));
                step(&mut state, i);
                if recorder.after_step(&scope) == Some(Stop::MemoryBudget) {
                    break;
                }
            }
            recorder.requested_steps_done(&scope);
            state
        });
        let extension = catch_unwind(AssertUnwindSafe(|| {
            while recorder.wants_more() {
                let i = self.warm_up + recorder.steps_run();
                place.set(Place::Step(i));
                step(&mut state, i);
                recorder.after_step(&scope);
            }
        }));
        if let Err(payload) = extension {
            unscoped(|| recorder.extension_panicked(&message_of(payload.as_ref())));
            drop(payload);
        }
        self.guarded(&place, || {
            place.set(Place::Drop);
            drop(state);
        });
        recorder.state_dropped(&scope);
        drop(scope);
        let report = recorder.into_report(self);
        report.write();
        report
    }

    /// Runs a scenario whose set-up and steps are async, as [`run`](Self::run) does
    /// otherwise.
    ///
    /// They run on a current-thread tokio runtime with what tokio's features give
    /// it. It is made in the set-up, so that what it allocates counts, and the
    /// tasks spawned on it too; it is dropped after the state.
    ///
    /// # Panics
    /// As [`run`](Self::run) does, and if the runtime cannot be made.
    #[cfg(feature = "tokio")]
    #[track_caller]
    // By value, as `run` takes them.
    #[allow(clippy::needless_pass_by_value)]
    pub fn run_async<S>(
        &self,
        setup: impl AsyncFn() -> S,
        step: impl AsyncFn(&mut S, u64),
    ) -> Report {
        self.run(
            || crate::runtime::OnRuntime::new(&setup),
            |on_runtime, i| on_runtime.step(&step, i),
        )
    }

    /// Runs `work`; a panic in it becomes one that says where the run was.
    #[track_caller]
    fn guarded<T>(&self, place: &Cell<Place>, work: impl FnOnce() -> T) -> T {
        match catch_unwind(AssertUnwindSafe(work)) {
            Ok(value) => value,
            Err(payload) => panic!(
                "memory scenario `{}`: {} panicked: {}",
                self.full_name(),
                place.get(),
                message_of(payload.as_ref())
            ),
        }
    }

    /// The name, with the variant if there is one.
    pub(crate) fn full_name(&self) -> String {
        match &self.variant {
            Some(variant) => format!("{} ({variant})", self.name),
            None => self.name.clone(),
        }
    }

    /// The most steps that may be run.
    pub(crate) fn step_limit(&self) -> u64 {
        self.step_budget
            .unwrap_or(self.steps.saturating_mul(16))
            .max(self.steps)
    }
}

/// A panic's message, its backtrace and the buffer that a test runner captures
/// them in are nothing that the scenario allocates: the hook that prints them
/// runs outside every scope.
fn keep_panic_output_out_of_scopes() {
    static INSTALLED: Once = Once::new();
    // A hook cannot be set by a thread that is panicking; the next run will.
    if !std::thread::panicking() {
        INSTALLED.call_once(|| {
            let print = panic::take_hook();
            panic::set_hook(Box::new(move |info| unscoped(|| print(info))));
        });
    }
}

/// Where in a run a panic came from.
#[derive(Clone, Copy)]
enum Place {
    Rehearsal,
    Setup,
    Step(u64),
    Drop,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rehearsal => f.write_str("the rehearsal (set-up, step 0 and drop)"),
            Self::Setup => f.write_str("set-up"),
            Self::Step(i) => write!(f, "step {}", Thousands(*i)),
            Self::Drop => f.write_str("dropping the state"),
        }
    }
}

fn message_of(payload: &(dyn Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "(the panic carried no text)".to_owned())
}
