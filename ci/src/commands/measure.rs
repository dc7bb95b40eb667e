//! Running the tests: all of them for the first time, and those of what changed again.

use super::{Failure, say};
use cargo_highwater::base::{self, Base};
use cargo_highwater::baseline;
use cargo_highwater::config::Config;
use cargo_highwater::outcome::{Again, Evidence, to_measure_again, to_record};
use cargo_highwater::outside;
use cargo_highwater::project::{Project, ProjectError, Run};
use highwater_reports::report::{self, ReadError, Report};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What is known of each scenario, by the name of its baseline's file.
pub(super) type Known<T> = BTreeMap<PathBuf, T>;

/// The reports in `directory` as this project sees them.
pub(super) fn named(directory: &Path, config: &Config) -> Result<Known<Report>, Failure> {
    let mut named = BTreeMap::new();
    for (file, mut report) in report::read_files(directory)? {
        config.apply(&mut report)?;
        named.insert(baseline::file_name(&file), report);
    }
    Ok(named)
}

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
    if let Some(revision) = base {
        // What is known of the last run is only given up for another one.
        base::resolve(Path::new("."), revision, any).map_err(ProjectError::from)?;
        outside::refuse(Path::new("."))?;
    }
    tell_of_untested(project, tests);
    project.clear()?;
    let started = Instant::now();
    let mut checkout = None;
    if let Some(revision) = base {
        say(&format!("measuring the base {revision}"));
        if let Some(target) = project.first_build_of_base() {
            let target = target.display();
            say(&format!(
                "it is built for the first time, all dependencies with it, in {target}; the next \
                 gate builds what changed"
            ));
        }
        if let Some(path) = project.shared_configuration() {
            let path = path.display();
            say(&format!(
                "CARGO_HOME is in the project: {path} is the base's configuration too"
            ));
        }
        let (passed, base) = project.measure_base(revision, any, tests)?;
        for (file, is_base) in base.configurations_of_one() {
            let (which, other) = if is_base {
                ("the base", "what is checked out")
            } else {
                ("what is checked out", "the base")
            };
            let file = file.display();
            say(&format!(
                "{file} is cargo's configuration for {which}, and not for {other}"
            ));
        }
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

/// Says whose tests are not run, which is not what one expects at the root of a workspace.
fn tell_of_untested(project: &Project, tests: &[OsString]) {
    let untested = project.untested(tests);
    if untested.is_empty() {
        return;
    }
    let names: Vec<_> = untested.iter().map(|name| format!("`{name}`")).collect();
    say(&format!(
        "not tested: {}; cargo takes only the workspace's default members here. To test all, add: \
         -- --workspace",
        names.join(", ")
    ));
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
    let why = |count: usize| {
        if count == 1 {
            "measuring 1 scenario again, for it changed".to_owned()
        } else {
            format!("measuring {count} scenarios again, for they changed")
        }
    };
    measure_these_again(project, config, evidence, base, doubtful, why)
}

/// Measures what is to be recorded twice more: how far the runs differ is recorded too.
pub(super) fn measure_to_record(
    project: &Project,
    config: &Config,
    evidence: &mut Evidence,
) -> Result<(), Failure> {
    let unrecorded = to_record(evidence, config)?;
    let why = |count: usize| {
        let noun = if count == 1 { "scenario" } else { "scenarios" };
        format!("measuring {count} {noun} twice more, for what differs from run to run")
    };
    measure_these_again(project, config, evidence, None, unrecorded, why)?;
    for (name, reason) in &evidence.again.not_again {
        if let Some(report) = evidence.reports.get(name) {
            let scenario = report.full_name();
            say(&format!("`{scenario}` is recorded from one run: {reason}"));
        }
    }
    Ok(())
}

/// Measures these scenarios twice more, unless that was done before.
fn measure_these_again(
    project: &Project,
    config: &Config,
    evidence: &mut Evidence,
    base: Option<&Base>,
    doubtful: Vec<PathBuf>,
    why: impl Fn(usize) -> String,
) -> Result<(), Failure> {
    let is_missing = |again: &Again, path: &PathBuf| {
        again.reports.is_empty() || again.reports.iter().any(|runs| !runs.contains_key(path))
    };
    if !doubtful
        .iter()
        .any(|path| is_missing(&evidence.again, path))
    {
        return Ok(());
    }
    let mut not_again = BTreeMap::new();
    let names = names_of_tests(&doubtful, &evidence.reports, &mut not_again);
    let mut reason = "its test wrote no report of it when it was run again";
    if !names.is_empty() {
        match run_of(project, base.is_some())? {
            Ok(run) => {
                say(&why(doubtful.len() - not_again.len()));
                let of_base = evidence.base.as_ref().map(|(_, reports)| reports);
                let of_base = of_base.map(|reports| {
                    let mut not_in_base = BTreeMap::new();
                    names_of_tests(&doubtful, reports, &mut not_in_base)
                });
                let of_base = of_base.as_deref().filter(|names| !names.is_empty());
                let of_base = base.zip(of_base);
                run_again(project, &run, &names, of_base)?;
                evidence.again = again(project, config, base.is_some())?;
            }
            Err(obstacle) => reason = obstacle,
        }
    }
    for path in doubtful {
        if is_missing(&evidence.again, &path) {
            not_again.entry(path).or_insert_with(|| reason.to_owned());
        }
    }
    evidence.again.not_again = not_again;
    Ok(())
}

/// Runs the tests with these names, after those in the base; the last time with call stacks,
/// which say where the change comes from.
fn run_again(
    project: &Project,
    run: &Run,
    names: &[String],
    of_base: Option<(&Base, &[String])>,
) -> Result<(), Failure> {
    let [reports, base_reports] = project.again_reports();
    let last = reports.len() - 1;
    for (time, (reports, base_reports)) in reports.iter().zip(&base_reports).enumerate() {
        let with_sites = time == last;
        if let Some((base, names)) = of_base {
            project.measure_base_again(base, run, names, with_sites, base_reports)?;
        }
        project.measure_again(run, names, with_sites, reports)?;
    }
    Ok(())
}

/// The tests of these scenarios; those without are noted.
fn names_of_tests(
    paths: &[PathBuf],
    reports: &BTreeMap<PathBuf, Report>,
    not_again: &mut BTreeMap<PathBuf, String>,
) -> Vec<String> {
    let mut names = BTreeSet::new();
    for path in paths {
        let Some(report) = reports.get(path) else {
            continue;
        };
        if let Some(test) = &report.test {
            names.insert(test.clone());
        } else {
            let reason = "its report does not name the test that runs it";
            not_again.insert(path.clone(), reason.to_owned());
        }
    }
    names.into_iter().collect()
}

/// How the tests were run, or why that can't be done again. They were built just now if
/// the `base` is still there.
fn run_of(project: &Project, just_now: bool) -> Result<Result<Run, &'static str>, Failure> {
    let Some(run) = Run::read(&project.reports)? else {
        return Ok(Err(
            "how its tests were run is not recorded; `cargo highwater run` records it",
        ));
    };
    if just_now || project.is_unchanged(&run)? {
        return Ok(Ok(run));
    }
    Ok(Err(
        "the code was changed since the run; `cargo highwater run` measures it",
    ))
}

/// What was measured again since the last run.
pub(super) fn again(project: &Project, config: &Config, with_base: bool) -> Result<Again, Failure> {
    let read = |directories: &[PathBuf]| {
        let mut runs = Vec::new();
        for directory in directories {
            match named(directory, config) {
                Err(Failure::Read(ReadError::NoReports(_) | ReadError::NoDirectory(_))) => {}
                reports => runs.push(reports?),
            }
        }
        Ok::<_, Failure>(runs)
    };
    let [of_head, of_base] = project.again_reports();
    Ok(Again {
        reports: read(&of_head)?,
        base: if with_base {
            read(&of_base)?
        } else {
            Vec::new()
        },
        not_again: BTreeMap::new(),
    })
}
