//! A scenario: what is asked of it, how it is run, and what is written down meanwhile.
//!
//! `builder` is what can be asked for, `options` what the environment adds. `run` does it:
//! `under_way` is a scenario that runs, `phases` its way from set-up to drop, `recorder`
//! writes down and concludes, `rest` waits for other threads in between, `replay` runs it again
//! with call stacks, `lookout` looks for work that left it. `scaling` asks how memory grows with the size of some work, not with its
//! steps. `search` looks for steps that leak.

mod accepted;
mod builder;
mod lookout;
mod phases;
pub(crate) mod process;
mod recorder;
mod replay;
mod rest;
mod run;
#[cfg(feature = "tokio")]
pub(crate) mod runtime;
#[cfg(not(feature = "tokio"))]
#[path = "scenario/no_runtime.rs"]
mod runtime;
mod scaling;
#[cfg(feature = "proptest")]
mod search;
mod stack;
mod under_way;

pub use builder::Scenario;
pub use scaling::{Sample, Scaled, Scaling};
#[cfg(feature = "proptest")]
pub use search::{Search, Searched};
