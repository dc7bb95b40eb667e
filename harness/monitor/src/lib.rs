//! Watches the memory of a service that runs for months: is it bounded, and if it grows, when
//! does it reach its limit? Made for the service's own process; `cargo highwater watch` does the
//! same from outside.
//!
//! Every interval (60 s unless set) a [`Monitor`] takes a [`Sample`]: resident and virtual memory,
//! swap, threads, descriptors, processor time and the limits of the control group. If the
//! program's allocator is [`highwater::Alloc`], the live heap is in it too. Memory, heap, threads
//! and descriptors are judged by the rule that judges scenarios, over all that was seen and over
//! the last hours, and each [`Verdict`] is one sentence:
//!
//! ```text
//! memory: growing by 38.2 MB an hour over the last 2 h 8 min; it reaches the limit of 1.00 GB
//! in 21 h 40 min
//! ```
//!
//! # Features
//! - `profile`: a heap profile on request, of what was allocated meanwhile and is still live.
//! - `prometheus`: the figures and verdicts as metrics.
//! - `tracing`: alerts as events.
//!
//! # What it does not tell
//! A rise counts once it took a fourteenth of the room below the limit, on ground that was not
//! reached before; without a limit, once two days were seen. So a daily rhythm raises no alert,
//! nor does a cache that fills, if they take less than that. What takes more looks as a leak does:
//! set the limit for it. At least 32 intervals are needed for any verdict.

#![forbid(unsafe_code)]

mod alert;
mod cause;
#[cfg(target_os = "linux")]
mod cgroup;
mod cleanup;
mod component;
mod figure;
mod history;
mod judge;
#[cfg(feature = "prometheus")]
mod metrics;
mod monitor;
#[cfg_attr(not(target_os = "linux"), path = "no_process.rs")]
mod process;
#[cfg(feature = "profile")]
mod profile;
mod reading;
mod sample;
mod sampling;
mod text;
mod verdict;

pub use alert::{Alert, AlertKind, Event};
pub use cleanup::{Cleaned, Cleanup};
pub use component::{Component, ComponentHeap};
pub use figure::Figure;
#[cfg(feature = "prometheus")]
pub use metrics::METRICS_CONTENT_TYPE;
pub use monitor::{Builder, Monitor, Status};
#[cfg(feature = "profile")]
pub use profile::{Profile, ProfileError, Recording};
pub use sample::{Allocator, Cgroup, Heap, Note, Pressure, Sample};
pub use sampling::Sampling;
pub use verdict::{State, Verdict};

pub use highwater::ByteSize;

/// For the tool of this project. It may change in any version.
#[doc(hidden)]
pub mod __private {
    pub use crate::text::Span;
}
