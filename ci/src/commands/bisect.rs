//! `cargo highwater bisect`: the first commit that changed a scenario.
//!
//! Each commit is built where the gate builds its base, one after the other, so that what
//! they share is built once. Figures are exact, so one run of a commit tells. The two ends
//! are measured twice: if they differ from themselves, no commit is to blame.

use super::{Failure, lock, print, project, say};
use crate::arguments::Ends;
use cargo_highwater::base::{self, Base};
use cargo_highwater::baseline::Baseline;
use cargo_highwater::compare::{self, Change, Rule};
use cargo_highwater::config::Config;
use cargo_highwater::history::{Commit, Search};
use cargo_highwater::project::{Project, ProjectError};
use cargo_highwater::sites::{self, SiteChange};
use cargo_highwater::{exit_code, outside, table};
use highwater_reports::page::short_hash;
use highwater_reports::report::{self, ReadError, Report};
use std::ffi::OsString;
use std::path::Path;

/// Why no commit was found.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BisectError {
    #[error("`{good}` and `{bad}` are one commit, so there is none between them to find")]
    OneCommit { good: String, bad: String },
    #[error("`{good}` is no ancestor of `{bad}`, so no commit leads from one to the other")]
    NoHistory { good: String, bad: String },
    #[error(
        "commit {commit} has no scenario `{asked}`, nor one whose test's name contains that; \
         choose other ends with --good and --bad"
    )]
    NoScenario { asked: String, commit: String },
    #[error(
        "several scenarios belong to tests whose name contains `{asked}`; name one of them: {found}"
    )]
    Several { asked: String, found: String },
    #[error(
        "`{scenario}` is unsteady: two runs of commit {commit} differ, so that no commit is to \
         blame; {change}"
    )]
    Unsteady {
        scenario: String,
        commit: String,
        change: String,
    },
    #[error("`{scenario}` is the same in {good} and in {bad}, within its tolerance")]
    Unchanged {
        scenario: String,
        good: String,
        bad: String,
    },
}

pub(crate) fn bisect(asked: &str, ends: &Ends, arguments: &[OsString]) -> Result<u8, Failure> {
    let (project, config) = project()?;
    let here = Path::new(".");
    let hash = |revision| base::resolve(here, revision, true).map_err(ProjectError::from);
    let (good, bad) = (hash(&ends.good)?, hash(&ends.bad)?);
    let names = |make: fn(String, String) -> BisectError| {
        Failure::from(make(ends.good.clone(), ends.bad.clone()))
    };
    if good == bad {
        return Err(names(|good, bad| BisectError::OneCommit { good, bad }));
    }
    if !base::is_ancestor(here, &good, &bad) {
        return Err(names(|good, bad| BisectError::NoHistory { good, bad }));
    }
    outside::refuse(here)?;
    let _lock = lock(&project)?;
    let base = Base::check_out(here, &bad, true).map_err(ProjectError::from)?;
    let search = Search::new(base.repository().to_owned(), good.clone(), bad.clone());
    let mut bench = Bench {
        project: &project,
        config: &config,
        base,
        asked,
        scenario: None,
        arguments: [&[OsString::from(asked)], arguments].concat(),
        others: arguments,
    };
    let changed = bench.end(&bad)?;
    let same = bench.end(&good)?;
    if bench.changes(&same, &changed)?.is_empty() {
        let scenario = changed.full_name();
        let (good, bad) = (ends.good.clone(), ends.bad.clone());
        return Err(BisectError::Unchanged {
            scenario,
            good,
            bad,
        }
        .into());
    }
    let found = bench.search(search, &same)?;
    print(&found.text(&changed.full_name()))?;
    Ok(exit_code::PASSED)
}

/// Where commits are measured.
struct Bench<'a> {
    project: &'a Project,
    config: &'a Config,
    base: Base,
    asked: &'a str,
    /// The scenario's full name, once it is known.
    scenario: Option<String>,
    /// What its test is chosen by, and the arguments without that.
    arguments: Vec<OsString>,
    others: &'a [OsString],
}

/// What a search ended with.
struct Found {
    commit: Commit,
    skipped: Vec<Commit>,
    changes: Vec<Change>,
    sites: Vec<SiteChange>,
}

impl Bench<'_> {
    /// The first commit that is not as `same`.
    fn search(&mut self, mut search: Search, same: &Report) -> Result<Found, Failure> {
        let git = |error| Failure::from(ProjectError::from(error));
        while let Some(commit) = search.next().map_err(git)? {
            let left = search.candidates().map_err(git)?;
            say(&format!(
                "{left} commits left; measuring {}",
                short_hash(&commit)
            ));
            match self.at(&commit, false) {
                Ok(Some(report)) if self.changes(same, &report)?.is_empty() => {
                    search.is_same(commit);
                }
                Ok(Some(_)) => search.is_changed(commit),
                Ok(None) => {
                    say(&format!(
                        "{} has no such scenario; skipped",
                        short_hash(&commit)
                    ));
                    search.skip(commit);
                }
                Err(Failure::Project(error)) if is_of_commit(&error) => {
                    say(&format!("{} is skipped: {error}", short_hash(&commit)));
                    search.skip(commit);
                }
                Err(error) => return Err(error),
            }
        }
        let (commit, skipped) = search.found().map_err(git)?;
        say("measuring once more, for the call stacks");
        let after = self.at(&commit.hash, true)?;
        let before = match search.parent(&commit.hash) {
            Some(parent) => self.at(&parent, true).ok().flatten(),
            None => None,
        };
        let changes = match &after {
            Some(after) => self.changes(before.as_ref().unwrap_or(same), after)?,
            None => Vec::new(),
        };
        Ok(Found {
            sites: sites::changes(before.as_ref(), after.as_ref(), false),
            commit,
            skipped,
            changes,
        })
    }

    /// The scenario at one of the ends, which must have it and be alike in two runs.
    fn end(&mut self, commit: &str) -> Result<Report, Failure> {
        say(&format!("measuring {}, twice", short_hash(commit)));
        let mut once = || {
            let report = self.at(commit, false)?;
            report.ok_or_else(|| {
                let (asked, commit) = (self.asked.to_owned(), short_hash(commit).to_owned());
                Failure::from(BisectError::NoScenario { asked, commit })
            })
        };
        let (first, second) = (once()?, once()?);
        match self.changes(&first, &second)?.first() {
            None => Ok(first),
            Some(change) => Err(BisectError::Unsteady {
                scenario: first.full_name(),
                commit: short_hash(commit).to_owned(),
                change: change.to_string(),
            }
            .into()),
        }
    }

    /// What the scenario is at this commit; none if it is not there.
    fn at(&mut self, commit: &str, with_sites: bool) -> Result<Option<Report>, Failure> {
        if self.base.commit != commit {
            self.base.go_to(commit).map_err(ProjectError::from)?;
        }
        if let Some(report) = self.measured(with_sites)? {
            return Ok(Some(report));
        }
        if self.scenario.is_some() || self.arguments.len() == self.others.len() {
            return Ok(None);
        }
        say(&format!(
            "no test's name contains `{}`; running all tests to find the scenario",
            self.asked
        ));
        self.arguments = self.others.to_vec();
        self.measured(with_sites)
    }

    fn measured(&mut self, with_sites: bool) -> Result<Option<Report>, Failure> {
        let directory = self
            .project
            .measure_commit(&self.base, with_sites, &self.arguments)?;
        let mut reports = match report::read_directory(&directory) {
            Err(ReadError::NoReports(_) | ReadError::NoDirectory(_)) => Vec::new(),
            reports => reports?,
        };
        for report in &mut reports {
            self.config.apply(report)?;
        }
        let name = self.scenario.as_deref().unwrap_or(self.asked);
        let is_called = |report: &&Report| report.full_name() == name || report.name == name;
        let is_filtered = self.scenario.is_none() && self.arguments.len() > self.others.len();
        let mut found: Vec<_> = reports.iter().filter(is_called).collect();
        if found.is_empty() && is_filtered {
            found.extend(&reports);
        }
        let chosen = match found.as_slice() {
            [] => return Ok(None),
            [one] => *one,
            several => {
                let several = several.iter().map(|one| format!("`{}`", one.full_name()));
                return Err(Failure::from(BisectError::Several {
                    asked: self.asked.to_owned(),
                    found: several.collect::<Vec<_>>().join(", "),
                }));
            }
        };
        self.scenario = Some(chosen.full_name());
        Ok(Some(chosen.clone()))
    }

    fn changes(&self, before: &Report, after: &Report) -> Result<Vec<Change>, Failure> {
        let entry = self.config.entry(&after.full_name())?;
        let rule = Rule {
            tolerance: entry.and_then(|entry| entry.tolerance.as_ref()),
            blocks: None,
        };
        Ok(compare::changes(
            &Baseline::of(before),
            &Baseline::of(after),
            &rule,
        ))
    }
}

/// Whether the commit is what cannot be measured, and others can.
fn is_of_commit(error: &ProjectError) -> bool {
    matches!(
        error,
        ProjectError::NotRun { .. }
            | ProjectError::Unwritten { .. }
            | ProjectError::Outside(_)
            | ProjectError::Base(base::BaseError::NoDirectory { .. })
    )
}

impl Found {
    fn text(&self, scenario: &str) -> String {
        let Commit {
            hash,
            subject,
            author,
        } = &self.commit;
        let line = |text: &str| format!("  {}\n", table::printable(text));
        let mut text = format!(
            "`{}` changed first in {}\n{}{}\n",
            table::printable(scenario),
            short_hash(hash),
            line(subject),
            line(author)
        );
        text.extend(self.changes.iter().map(|change| line(&change.to_string())));
        text.extend(self.sites.iter().map(|site| line(&site.to_string())));
        if !self.skipped.is_empty() {
            text.push_str("\nor in one of these, which could not be measured:\n");
            let skipped = self.skipped.iter();
            text.extend(skipped.map(|c| line(&format!("{} {}", short_hash(&c.hash), c.subject))));
        }
        text
    }
}
