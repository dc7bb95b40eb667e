//! Which scenarios of a project allocate at a site, as far as their reports tell.

use super::found::Coverage;
use crate::sweep::stacks::SiteFrame;
use highwater::__private::plain;
use highwater_reports::report::{Frame, ReadError, Report, read_directory};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What is known of the scenarios' call sites.
#[derive(Debug)]
pub(super) struct Scenarios {
    /// Each scenario with the program's own function that allocates, and its file.
    sites: Vec<(String, Place)>,
    /// Why there may be others.
    gap: Option<String>,
}

/// A function and its file.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    function: String,
    file: Option<String>,
}

impl Scenarios {
    /// Of the reports in these directories, those of a project in the directory `root`.
    pub(super) fn read(root: &Path, directories: &[PathBuf]) -> Self {
        let mut reports = Vec::new();
        for directory in directories {
            match read_directory(directory) {
                Err(ReadError::NoReports(_) | ReadError::NoDirectory(_)) => {}
                Ok(read) => reports.extend(read),
                Err(error) => return Self::unknown(error.to_string()),
            }
        }
        let names: BTreeSet<_> = reports.iter().map(Report::full_name).collect();
        let told = reports.iter().filter(|report| report.diagnosis.is_some());
        let told: BTreeSet<_> = told.map(Report::full_name).collect();
        let silent = names.len() - told.len();
        let gap = match (names.len(), silent) {
            (0, _) => Some(
                "there are no reports of scenarios; run them with call stacks: \
                 `HIGHWATER_SITES=replay cargo highwater run`"
                    .to_owned(),
            ),
            (_, 0) => None,
            (all, silent) => Some(format!(
                "the reports of {silent} of {all} scenarios have no call stacks; take them: \
                 `HIGHWATER_SITES=replay cargo highwater run`"
            )),
        };
        let sites = reports.iter().flat_map(|report| {
            let sites = report.diagnosis.iter().flat_map(|found| &found.sites);
            let own = sites.filter_map(|site| own(&site.frames, root));
            own.map(|place| (report.full_name(), place))
        });
        Self {
            sites: sites.collect(),
            gap,
        }
    }

    /// Nothing is known, for this reason.
    pub(super) fn unknown(reason: String) -> Self {
        Self {
            sites: Vec::new(),
            gap: Some(reason),
        }
    }

    /// Which of them allocate in this function of the program.
    pub(super) fn at(&self, frame: &SiteFrame) -> Coverage {
        let place = Place {
            function: plain(&frame.function),
            file: frame.file.clone(),
        };
        let covering = self.sites.iter().filter(|(_, site)| site.is_same(&place));
        let covering: BTreeSet<_> = covering.map(|(name, _)| name.clone()).collect();
        match &self.gap {
            _ if !covering.is_empty() => Coverage::Covered(covering.into_iter().collect()),
            None => Coverage::NotCovered,
            Some(gap) => Coverage::NotKnown(gap.clone()),
        }
    }
}

impl Place {
    fn is_same(&self, other: &Self) -> bool {
        let is_one_file = |(a, b): (&String, &String)| {
            let (a, b) = (Path::new(a), Path::new(b));
            a.ends_with(b) || b.ends_with(a)
        };
        let files = self.file.as_ref().zip(other.file.as_ref());
        self.function == other.function && files.is_none_or(is_one_file)
    }
}

/// The innermost frame whose file is the project's.
fn own(frames: &[Frame], root: &Path) -> Option<Place> {
    let is_own = |frame: &&Frame| {
        let file = frame.file.as_ref();
        file.is_some_and(|file| root.join(file).is_file())
    };
    let frame = frames.iter().find(is_own)?;
    Some(Place {
        function: plain(&frame.function),
        file: frame.file.clone(),
    })
}
