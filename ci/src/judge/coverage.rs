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
        // Of a function that was inlined, line tables have the name without its path.
        let is_end = |long: &str, short: &str| {
            let path = long.strip_suffix(short);
            path.is_some_and(|path| path.is_empty() || path.ends_with("::"))
        };
        let (ours, theirs) = (&self.function, &other.function);
        match self.file.as_ref().zip(other.file.as_ref()) {
            Some(files) => is_one_file(files) && (is_end(ours, theirs) || is_end(theirs, ours)),
            None => ours == theirs,
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(scenario: [&str; 2], profile: [&str; 2], is_same: bool) {
        let [a, b] = [scenario, profile].map(|[function, file]| Place {
            function: plain(function),
            file: Some(file.to_owned()).filter(|file| !file.is_empty()),
        });
        assert_eq!((a.is_same(&b), b.is_same(&a)), (is_same, is_same));
    }

    #[test]
    fn functions_are_known_again() {
        let serve = ["<Sessions>::serve", "crates/shop/src/sessions.rs"];
        check(
            serve,
            ["sessions::Sessions::serve", "src/sessions.rs"],
            true,
        );
        check(serve, ["serve", "crates/shop/src/sessions.rs"], true);
        check(serve, ["Sessions::serve::{{closure}}", ""], true);
        check(serve, ["serve", ""], false);
        check(serve, ["observe", "src/sessions.rs"], false);
        check(serve, ["Orders::serve", "src/sessions.rs"], false);
        check(serve, ["Sessions::serve", "src/orders.rs"], false);
    }
}
