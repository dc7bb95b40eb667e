//! The command-line tool of highwater, as a library: what is behind
//! `cargo highwater`.
//!
//! - [`table`] renders reports for people. The crate `highwater-reports` reads them.
//! - [`baseline`] keeps their figures in files to review.
//! - [`config`] reads `highwater.toml`; [`kind`] names what can block.
//! - [`compare`] says what changed between two runs, [`outcome`] what follows from
//!   that when it is measured again, and [`output`] tells those who read it.
//! - [`sites`] says which call sites hold more or less.
//! - [`project`] knows where things are, and runs the tests; [`base`] checks out
//!   another revision, and [`history`] finds the first one that is not as before; [`merge`]
//!   joins what several machines measured.
//! - [`view`] makes the page.
//! - [`sweep`] measures tests that do not use the library.
//! - [`judge`] judges a series of heap profiles.
//! - [`watch`] judges the memory of a process while it runs.
//! - [`init`] adds the library to a package. [`outside`] finds dependencies that a checkout
//!   elsewhere would miss.
//! - [`exit_code`] lists what the tool exits with.
//!
//! Nothing in here measures: of `highwater` the tool uses the sizes only, so that it
//! can be installed once and read the reports of any project.

#![forbid(unsafe_code)]

pub mod base;
pub mod baseline;
pub mod compare;
pub mod config;
pub mod exit_code;
pub mod history;
pub mod init;
pub mod judge;
pub mod kind;
pub mod lock;
pub mod merge;
pub mod outcome;
pub mod output;
pub mod outside;
pub mod project;
pub mod sites;
mod stretches;
pub mod sweep;
pub mod table;
pub mod view;
pub mod watch;
