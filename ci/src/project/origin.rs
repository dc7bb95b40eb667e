//! What is measured in a workspace, by what and when, remembered beside the reports.

use super::{Project, ProjectError, io_error, report_files};
use crate::base::git;
use highwater_reports::file::write_atomically;
use highwater_reports::page::Origin;
use jiff::Timestamp;
use std::fs;
use std::io;
use std::path::Path;

/// The file among the reports. It is written after them.
pub(super) const FILE: &str = "ORIGIN";

/// What the reports in `directory` were made from, if the run that made them came to its end.
pub(crate) fn origin_in(directory: &Path) -> Option<Origin> {
    let text = fs::read_to_string(directory.join(FILE)).ok()?;
    serde_json::from_str(&text).ok()
}

impl Project {
    /// As it is now. What cannot be found out is left out.
    pub fn origin(&self) -> Origin {
        let commit = git(&self.root, &["rev-parse", "--verify", "--quiet", "HEAD"]).ok();
        // New files count: cargo finds a test that nobody has added yet.
        let status = ["--no-optional-locks", "status", "--porcelain", "--", "."];
        let changes = git(&self.root, &status).ok();
        Origin {
            project: self.name.clone(),
            // Where git does not say, there may be some.
            has_changes: commit.is_some() && changes.is_none_or(|changes| !changes.is_empty()),
            commit,
            toolchain: self.toolchain().ok(),
            date: Some(Timestamp::now().strftime("%Y-%m-%d %H:%M").to_string()),
        }
    }

    /// What the reports were made from. Of reports that were written since by tests that ran
    /// without this tool, that is the project alone.
    pub fn origin_of_reports(&self) -> Origin {
        let path = self.reports.join(FILE);
        let known = origin_in(&self.reports).filter(|_| self.is_last(&path));
        known.unwrap_or_else(|| Origin {
            project: self.name.clone(),
            ..Origin::default()
        })
    }

    pub(super) fn remember(&self, origin: &Origin) -> Result<(), ProjectError> {
        let path = self.reports.join(FILE);
        let text = serde_json::to_string(origin).map_err(io::Error::from);
        text.and_then(|text| write_atomically(&path, &(text + "\n")))
            .map_err(io_error(&path))
    }

    /// Whether no report was written after the file.
    fn is_last(&self, file: &Path) -> bool {
        let written = |path: &Path| fs::metadata(path).and_then(|of| of.modified()).ok();
        let reports = report_files(&self.reports).unwrap_or_default();
        reports
            .iter()
            .all(|report| written(report) <= written(file))
    }
}
