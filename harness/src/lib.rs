//! Memory-regression testing: exact ceilings, leak verdicts and allocation
//! reports in `cargo test`.
//!
//! # Getting started
//! Install the counting allocator under `#[cfg(test)]` in `lib.rs`, and in each file in `tests/`
//! that measures. Then write one step of the work. It is repeated, and the test fails if memory
//! passes a ceiling or grows without end:
//!
//! ```
//! #[cfg(test)]
//! #[global_allocator]
//! static ALLOC: highwater::Alloc = highwater::Alloc::system();
//!
//! # #[cfg(feature = "macros")] {
//! #[highwater::test(steps = 10_000, state = Vec::new(), growth = "4 KiB", residue = "0 B")]
//! fn newest_prices(prices: &mut Vec<f64>, i: u64) {
//!     prices.push(i as f64);
//!     if prices.len() > 100 {
//!         prices.remove(0);
//!     }
//! }
//! # }
//! ```
//!
//! The same by hand, in any test:
//!
//! ```
//! # #[global_allocator]
//! # static ALLOC: highwater::Alloc = highwater::Alloc::system();
//! use highwater::{ByteSize, Scenario};
//!
//! # fn main() {
//! let report = Scenario::new("one-string-at-a-time")
//!     .steps(1_000)
//!     .growth_ceiling(ByteSize::b(64))
//!     .run(String::new, |text, i| *text = i.to_string());
//! report.assert();
//! # }
//! ```
//!
//! - [`Scenario`] repeats a step, holds ceilings, and judges whether memory is bounded: see
//!   [`Verdict`].
//! - [`Report`] is what a scenario returns. Print it, snapshot it, or read its JSON from
//!   `target/highwater/`.
//! - [`measure`] counts one piece of work, [`measure_async`] a future, [`Scope`] a stretch.
//! - [`assert_no_allocation`] fails if a piece of code allocates, with the call stack.
//! - [`fail_each_allocation`] has each allocation of some work fail once, and reports which of
//!   these failures abort, panic, leak or leave a broken state.
//! - [`Scaling`] tells how memory grows with the size of some work, and what a unit takes.
//! - `Search` (feature `proptest`) looks for a sequence of operations that leaks.
//! - [`audit`] compares the memory that a program says it holds with what is live.
//! - [`return_to_system`] returns freed memory to the system, and reports how much.
//!
//! # Why did my test fail?
//! The first line of the message says what was too much. "Memory leak" means that memory kept
//! rising when the steps were repeated many times: something is added in a step and not taken
//! away again. The lines below it name the code that allocated what was left, and the value that
//! still holds it, such as a map in the state or a static. If that value is meant to grow, give
//! the test a bound, as the real program has one: a limit, an age, or a clean-up step. "Peak" or
//! "growth" over a ceiling means that the scenario needs more than the test allows, whether it
//! grows or not. "Inconclusive" means that the run could not tell; the reason follows.
//! `HIGHWATER_SITES=replay` names call stacks for tests that pass, too.
//!
//! # Async
//! With the feature `tokio`, `#[highwater::test]` takes `async fn`, and `Scenario::run_async`
//! takes async closures. Both make a current-thread runtime of their own. After each step, tasks
//! run until none can go on, so a task that was spawned and not awaited is no leak. Tasks that
//! stay alive are judged as threads are.
//! [`InScope`] counts a future for a scope, on whichever thread it is polled.
//!
//! # Threads and pools
//! - In `#[highwater::test]` a test has a process of its own, and every block that Rust's
//!   global allocator serves there counts, whichever thread asks for it. Descriptors, threads
//!   and mapped memory are judged too.
//! - Elsewhere a scenario, a [`Scope`] and [`measure`] count their thread and those that were
//!   started in them (Linux with glibc). A pool that was there before is brought in with a
//!   [`ScopeHandle`]. Evidence of work that left a scenario is in its [`Coverage`], and the
//!   verdict is then not bounded.
//! - A block is credited back to the scope that owns it, wherever it is freed.
//!
//! # Determinism
//! Figures are exact: a deterministic scenario gives the same bytes and blocks on every run,
//! whatever other tests do. In `#[highwater::test]` hash maps have the same order in every run,
//! for random numbers are answered from a fixed seed (`real_random` switches that off). Threads
//! that race, clocks and the network make figures differ; a ceiling still serves there.
//!
//! # Continuous integration
//! `cargo test` is all that is needed for ceilings and verdicts. `cargo highwater gate` compares
//! two revisions, and `cargo highwater check` a run with recorded baselines; both are in the
//! package `cargo-highwater`. `HIGHWATER_SELF_TEST=1 cargo test` leaks a little into each scenario
//! that passed, and fails if that is not found.
//!
//! # What it cannot see
//! The stack, but for the most that a step uses, where there is a ceiling on it; resident memory
//! and fragmentation; what C allocates only with the feature `c-heap`, on Linux with glibc on
//! x86-64 or `AArch64`. Call stacks and types need Linux or macOS on one of these, holders Linux
//! on x86-64; elsewhere a failure has its figures alone. What a verdict of bounded would have
//! missed stands in it: the smallest leak that would have shown.

#![deny(unsafe_code)]

mod alloc;
pub mod audit;
mod diagnosis;
mod holders;
mod isolation;
mod options;
mod report;
mod scenario;
mod scope;
mod symbols;
mod text;
mod verdict;

pub use alloc::Alloc;
pub use diagnosis::{Diagnosis, Site, Trap};
pub use holders::{Hold, Holder};
pub use isolation::{AllocationFailures, fail_each_allocation, fail_each_allocation_with};
pub use report::{
    Accepted, Breach, Ceiling, Checkpoint, Coverage, Repetition, Report, Resource, SelfTest,
};
pub use scenario::process::{Returned, return_to_system};
pub use scenario::{Sample, Scaled, Scaling, Scenario};
#[cfg(feature = "proptest")]
pub use scenario::{Search, Searched};
#[cfg(feature = "criterion")]
pub use scope::Allocated;
pub use scope::{
    InScope, Scope, ScopeHandle, Scoped, Usage, assert_no_allocation, measure, measure_async,
};
pub use symbols::Frame;
pub use text::{ByteSize, ByteSizeError};
pub use verdict::{Law, Verdict};

/// A test in a process of its own; with `steps`, a memory scenario.
///
/// ```
/// #[global_allocator]
/// static ALLOC: highwater::Alloc = highwater::Alloc::system();
///
/// #[highwater::test(steps = 10_000, growth = "1 KiB", peak = "64 KiB")]
/// fn numbers_are_not_kept(i: u64) {
///     assert_eq!(i.to_string().parse(), Ok(i));
/// }
///
/// #[highwater::test(steps = 10_000, state = Vec::new(), growth = "1 KiB")]
/// fn the_last_hundred_are_kept(numbers: &mut Vec<u64>, i: u64) {
///     numbers.push(i);
///     if numbers.len() > 100 {
///         numbers.remove(0);
///     }
/// }
///
/// #[highwater::test]
/// fn a_report_is_as_it_was() {
///     let report = highwater::Scenario::new("strings").run(|| (), |(), i| drop(i.to_string()));
///     assert!(report.verdict().is_bounded());
/// }
/// # fn main() {}
/// ```
///
#[cfg(feature = "macros")]
pub use highwater_macros::test;

/// What the attribute writes, and programs of this project use. It may change in any
/// version.
#[doc(hidden)]
pub mod __private {
    pub use crate::alloc::Beneath;
    pub use crate::alloc::beneath::{glibc, jemalloc, mimalloc};
    pub use crate::diagnosis::{Level, Levels, RecordError, Recording};
    pub use crate::holders::how_held;
    pub use crate::isolation::{Child, Ended, Isolated, isolated, started_for};
    #[cfg(feature = "tokio")]
    pub use crate::scenario::runtime::{block_on, future_of_step};
    pub use crate::scope::live_in_process;
    pub use crate::symbols::{Located, frames_told, plain, stack_told};
    pub use crate::text::duration::milliseconds;
    pub use crate::text::fitted::wrapped_to;
    pub use crate::text::paths::{in_registry, is_std_source, reports_below, without_detours};
    pub use crate::text::shell::shell_word;
    pub use crate::text::signature::{Held, signature};
    pub use crate::text::sparkline::sparkline;
    pub use crate::text::{Rate, Size, Thousands, full_name};
    pub use crate::verdict::over_time::{Course, Stretch};
}
