//! The command-line tool of highwater, as a library: what is behind
//! `cargo highwater`.
//!
//! - [`report`] reads the JSON that scenarios write; `docs/report-schema.md`
//!   describes it. It is the one place where that JSON is checked: what comes out
//!   of it is typed and whole.
//! - [`table`] renders reports for people.
//! - [`exit_code`] lists what the tool exits with.
//!
//! Nothing in here measures: the tool does not depend on `highwater`, so that it
//! can be installed once and read the reports of any project.

#![forbid(unsafe_code)]

pub mod exit_code;
pub mod report;
pub mod table;
