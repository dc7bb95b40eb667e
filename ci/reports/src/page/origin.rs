//! [`Origin`]: what reports were made from, as far as that is known.

use crate::report::Report;
use maud::{Markup, html};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What was measured, by what and when. What is not known is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The name of the root package, or of the folder of a workspace that has none.
    pub project: Option<String>,
    /// The full hash of the commit that was checked out.
    pub commit: Option<String>,
    /// Whether files were changed since that commit.
    pub has_changes: bool,
    /// The toolchain that built it, such as `rustc-1.95.0`.
    pub toolchain: Option<String>,
    /// The day and the minute, in UTC.
    pub date: Option<String>,
}

impl Origin {
    /// In one line, with what the reports say of how they were built.
    pub fn line<'a>(&self, reports: impl Iterator<Item = &'a Report>) -> Markup {
        let builds: BTreeSet<_> = reports.map(build).collect();
        let builds: Vec<_> = builds.into_iter().collect();
        html! {
            p.origin {
                @if let Some(project) = &self.project { span { b { (project) } } }
                @if let Some(commit) = &self.commit {
                    span {
                        "commit " code { (short_hash(commit)) }
                        @if self.has_changes { " and changes that are not committed" }
                    }
                }
                @if let Some(toolchain) = &self.toolchain { span { (toolchain) } }
                @if !builds.is_empty() { span { (builds.join("; ")) } }
                @if let Some(date) = &self.date { span { (date) " UTC" } }
            }
        }
    }
}

/// The first characters of a commit's hash, by which people name it.
pub fn short_hash(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}

fn build(report: &Report) -> String {
    let mut text = format!("{}, {}", report.profile, report.target);
    if let Some(allocator) = &report.allocator {
        text.push_str(&format!(", above {allocator}"));
    }
    text
}
