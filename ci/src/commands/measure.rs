//! Running the tests: all of them for the first time, and those of what changed again.

use super::{Failure, say};
use cargo_highwater::base::Base;
use cargo_highwater::config::Config;
use cargo_highwater::outcome::{Evidence, to_measure_again};
use cargo_highwater::project::{Project, Run};
use cargo_highwater::report::Report;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long the parts of a measurement took.
pub(super) struct Measured {
    pub(super) passed: bool,
    pub(super) head: Duration,
    pub(super) base: Option<Duration>,
    /// Where the base is, as long as this is there.
    pub(super) checkout: Option<Base>,
}

pub(super) fn measure(
    project: &Project,
    base: Option<&str>,
    any: bool,
    tests: &[OsString],
) -> Result<Measured, Failure> {
    project.clear()?;
    let started = Instant::now();
    let mut checkout = None;
    if let Some(revision) = base {
        say(&format!("measuring the base {revision}"));
        if let Some(path) = project.shared_configuration() {
            let path = path.display();
            say(&format!(
                "CARGO_HOME is in the project: {path} is the base's configuration too"
            ));
        }
        let (passed, base) = project.measure_base(revision, any, tests)?;
        checkout = Some(base);
        if !passed {
            say("the tests of the base failed; its reports are compared all the same");
        }
    }
    let base = base.map(|_| started.elapsed());
    if base.is_some() {
        say("measuring what is checked out");
    }
    let started = Instant::now();
    let passed = project.measure(&Run::here(tests))?;
    Ok(Measured {
        passed,
        head: started.elapsed(),
        base,
        checkout,
    })
}

/// Measures what changed twice more, and the base with it if that is checked out, unless
/// that was done before. What can't be measured again is noted in the evidence.
pub(super) fn measure_again(
    project: &Project,
    config: &Config,
    evidence: &mut Evidence,
    base: Option<&Base>,
) -> Result<(), Failure> {
    let doubtful = to_measure_again(evidence, config)?;
    let is_known = |place: &PathBuf| {
        let runs = &evidence.again.reports;
        !runs.is_empty() && runs.iter().all(|reports| reports.contains_key(place))
    };
    if doubtful.iter().all(is_known) {
        return Ok(());
    }
    let mut not_again = BTreeMap::new();
    let names = names_of_tests(&doubtful, &evidence.reports, &mut not_again);
    if !names.is_empty() {
        match run_of(project, base.is_some())? {
            Err(reason) => {
                for place in doubtful {
                    not_again.entry(place).or_insert_with(|| reason.to_owned());
                }
            }
            Ok(run) => {
                let count = doubtful.len() - not_again.len();
                let whose = if count == 1 {
                    "scenario again, for it"
                } else {
                    "scenarios again, for they"
                };
                say(&format!("measuring {count} {whose} changed"));
                let [of_head, of_base] = project.again_reports();
                let in_base = evidence.base.as_ref().map(|(_, reports)| reports);
                let names_in_base = in_base
                    .map(|reports| names_of_tests(&doubtful, reports, &mut BTreeMap::new()))
                    .unwrap_or_default();
                for (reports, base_reports) in of_head.iter().zip(&of_base) {
                    if let Some(base) = base
                        && !names_in_base.is_empty()
                    {
                        project.measure_base_again(base, &run, &names_in_base, base_reports)?;
                    }
                    project.measure_again(&run, &names, reports)?;
                }
                evidence.again = super::gate::again(project, config, base.is_some())?;
                for place in &doubtful {
                    let is_there = |reports: &BTreeMap<_, _>| reports.contains_key(place);
                    if !evidence.again.reports.iter().all(is_there) {
                        let reason = "its test wrote no report of it when it was run again";
                        let entry = not_again.entry(place.clone());
                        entry.or_insert_with(|| reason.to_owned());
                    }
                }
            }
        }
    }
    evidence.again.not_again = not_again;
    Ok(())
}

/// The tests of these scenarios; those without are noted.
fn names_of_tests(
    places: &[PathBuf],
    reports: &BTreeMap<PathBuf, Report>,
    not_again: &mut BTreeMap<PathBuf, String>,
) -> Vec<String> {
    let mut names = BTreeSet::new();
    for place in places {
        let Some(report) = reports.get(place) else {
            continue;
        };
        if let Some(test) = &report.test {
            names.insert(test.clone());
        } else {
            let reason = "its report does not name the test that runs it";
            not_again.insert(place.clone(), reason.to_owned());
        }
    }
    names.into_iter().collect()
}

/// How the tests were run, or why that can't be done again. They were built just now if
/// the `base` is still there.
fn run_of(project: &Project, just_now: bool) -> Result<Result<Run, &'static str>, Failure> {
    let Some(run) = Run::read(&project.reports)? else {
        return Ok(Err(
            "nobody knows how its tests were run; `cargo highwater run` remembers that",
        ));
    };
    if just_now || project.is_unchanged(&run)? {
        return Ok(Ok(run));
    }
    Ok(Err(
        "the code is not that of the run any more; `cargo highwater run` measures it",
    ))
}
