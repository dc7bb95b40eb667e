//! The reports of highwater: reads them as types, and writes their diagnosis in other
//! programs' formats and as a page.
//!
//! - [`report`] reads the JSON that scenarios write; `docs/report-schema.md`
//!   describes it. It is the one place where that JSON is checked: what comes out
//!   of it is typed and whole.
//! - [`figure`] names the figures of a report.
//! - [`fitted`] prints tables that fit the terminal.
//! - [`heap_profile`] reads the heap profiles of other programs.
//! - [`page`] shows a report, and has the parts that larger pages are made of.
//! - [`recorded`] writes what a service allocated while it ran.
//! - [`similar`] guesses what a name that is not known was to be.
//! - [`sites`] tells the call sites of two reports apart.
//! - [`visible`] knows the characters that hide.
//! - [`artefacts`] writes what other programs open of a diagnosis.
//! - [`file`](mod@file) writes files whole or not at all.
//!
//! Nothing in here measures, compares or judges: of `highwater` it uses how sizes, numbers and
//! names are written.

#![forbid(unsafe_code)]

pub mod artefacts;
pub mod figure;
pub mod file;
pub mod fitted;
pub mod heap_profile;
pub mod page;
mod pprof;
pub mod recorded;
pub mod report;
pub mod similar;
pub mod sites;
pub mod visible;
