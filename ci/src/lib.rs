//! The command-line tool of highwater, as a library: what is behind
//! `cargo highwater`.
//!
//! - [`report`] reads the JSON that scenarios write; `docs/report-schema.md`
//!   describes it. It is the one place where that JSON is checked: what comes out
//!   of it is typed and whole.
//! - [`table`] renders reports for people.
//! - [`baseline`] keeps what a scenario is known to need, in a file to review.
//! - [`compare`] says what changed since.
//! - [`project`] knows where things are, and runs the tests.
//! - [`exit_code`] lists what the tool exits with.
//!
//! Nothing in here measures: the tool does not depend on `highwater`, so that it
//! can be installed once and read the reports of any project.

#![forbid(unsafe_code)]

pub mod baseline;
pub mod compare;
pub mod exit_code;
pub mod project;
pub mod report;
pub mod table;
