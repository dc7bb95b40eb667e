//! Memory-regression testing: exact ceilings, leak verdicts and allocation
//! reports in `cargo test`.
//!
//! Install the counting allocator, then wrap what you want to watch:
//!
//! ```
//! #[global_allocator]
//! static ALLOC: highwater::Alloc = highwater::Alloc::system();
//!
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
//! - [`measure`] counts one piece of work, [`measure_async`] a future, [`Scope`] a stretch.
//! - [`Scenario`] repeats a step, holds ceilings, and judges whether memory is
//!   bounded: see [`Verdict`].
//! - [`Report`] is what a scenario returns. Print it, snapshot it, or read its
//!   JSON from `target/highwater/`.
//! - [`return_to_system`] returns freed memory to the system, and reports how much.
//! - [`audit`] compares the memory that a program says it holds with what is live.
//! - `#[highwater::test]` makes a test of a single function.
//!
//! Figures are exact: a deterministic scenario gives the same bytes and blocks
//! on every run, whatever other tests do.
//!
//! # What is counted
//! - In `#[highwater::test]` a test has a process of its own, and every block that Rust's
//!   global allocator serves there counts, whichever thread asks for it. Descriptors, threads
//!   and mapped memory are judged too.
//! - Elsewhere a scenario, a [`Scope`] and [`measure`] count their thread and those that were
//!   started in them (Linux with glibc), and what a [`ScopeHandle`] or [`InScope`] brings in.
//!   Evidence of work that left a scenario is in its [`Coverage`], and the verdict is then not
//!   bounded.
//! - A block is credited back to the scope that owns it, wherever it is freed.
//! - Not counted: what C allocates, the stack, and the harness's own notes.

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
pub use report::{
    Accepted, Breach, Ceiling, Checkpoint, Coverage, Repetition, Report, Resource, SelfTest,
};
pub use scenario::Scenario;
pub use scenario::process::{Returned, return_to_system};
pub use scope::{InScope, Scope, ScopeHandle, Scoped, Usage, measure, measure_async};
pub use symbols::Frame;
pub use text::{ByteSize, ByteSizeError};
pub use verdict::{Law, Verdict};

#[cfg(feature = "macros")]
pub use highwater_macros::test;

/// What the attribute writes, and programs of this project use. It may change in any
/// version.
#[doc(hidden)]
pub mod __private {
    pub use crate::holders::how_held;
    pub use crate::isolation::{Child, Ended, Isolated, isolated, started_for};
    #[cfg(feature = "tokio")]
    pub use crate::scenario::runtime::block_on;
    pub use crate::text::duration::milliseconds;
    pub use crate::text::paths::without_detours;
    pub use crate::text::sparkline::sparkline;
    pub use crate::text::{Thousands, full_name};
}
