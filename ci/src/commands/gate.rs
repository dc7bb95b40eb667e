//! `check` and `gate`: what is known after a run, and what follows from it.

use super::measure::{Known, again, measure, measure_again, named};
use super::tell::tell;
use super::{Failure, lock, project, say};
use crate::arguments::{BaseArguments, Outputs};
use cargo_highwater::baseline::{self, Baseline};
use cargo_highwater::config::{Config, Date};
use cargo_highwater::exit_code;
use cargo_highwater::outcome::{Base, Comparison, Evidence, Outcome, Status};
use cargo_highwater::project::{Project, base_revision};
use highwater_reports::report::{self, ReadError, Report};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::Path;
use std::time::{Duration, Instant};

/// The baselines for `reports`, each in the folder for builds like the report's, and
/// those in these folders that there is no report for.
pub(super) fn recorded(
    project: &Project,
    reports: &Known<Report>,
    toolchain: &str,
) -> Result<Known<Baseline>, Failure> {
    let folder = |report: &Report| baseline::folder(report, toolchain);
    let folders: BTreeSet<_> = reports.values().map(folder).collect();
    let mut recorded = BTreeMap::new();
    for at in folders {
        for (name, baseline) in baseline::read_folder(&project.baselines.join(&at))? {
            if reports.get(&name).is_none_or(|report| folder(report) == at) {
                recorded.insert(name, baseline);
            }
        }
    }
    Ok(recorded)
}

/// What is known after a run.
pub(super) fn evidence(
    project: &Project,
    config: &Config,
    with_base: bool,
) -> Result<Evidence, Failure> {
    let reports = named(&project.reports, config)?;
    let mut base = None;
    if with_base {
        let (revision, commit) = base_revision(&project.base_reports)?.ok_or(Failure::NoBase)?;
        let reports = match named(&project.base_reports, config) {
            Err(Failure::Read(ReadError::NoReports(_))) => BTreeMap::new(),
            reports => reports?,
        };
        base = Some((Base { revision, commit }, reports));
    }
    let mut baselines = None;
    if project.baselines.is_dir() {
        let mut recorded = recorded(project, &reports, &project.toolchain()?)?;
        if let Some((_, base)) = &base {
            // What neither revision ran was not asked for.
            recorded.retain(|name, _| reports.contains_key(name) || base.contains_key(name));
        }
        baselines = Some(recorded);
    }
    Ok(Evidence {
        reports,
        base,
        baselines,
        again: again(project, config, with_base)?,
        root: project.root.clone(),
    })
}

/// Reports by the names of their baselines' files, in place of their own.
pub(super) fn named_as_baselines(reports: &BTreeMap<OsString, Report>) -> Known<Report> {
    let name = |file| baseline::file_name(Path::new(file));
    let named = reports
        .iter()
        .map(|(file, report)| (name(file), report.clone()));
    named.collect()
}

pub(crate) fn check(base: bool, outputs: &Outputs) -> Result<u8, Failure> {
    let (project, config) = project()?;
    let _lock = lock(&project)?;
    let (config, note) = if base {
        judged_by_base(&project, config)?
    } else {
        (config, None)
    };
    let mut evidence = evidence(&project, &config, base)?;
    measure_again(&project, &config, &mut evidence, None)?;
    let mut outcome = Outcome::of(&evidence, &config)?;
    outcome.notes.extend(note);
    if evidence.baselines.is_none() && !base {
        let note = "this project has no baselines; `cargo highwater bless` creates them";
        outcome.notes.push(note.to_owned());
    }
    tell(&project, &outcome, outputs)?;
    Ok(outcome.exit_code)
}

pub(crate) fn gate(
    base: &BaseArguments<true>,
    outputs: &Outputs,
    tests: &[OsString],
) -> Result<u8, Failure> {
    let started = Instant::now();
    let (project, config) = project()?;
    let _lock = lock(&project)?;
    let measured = measure(&project, base.revision.as_deref(), base.any_base, tests)?;
    let (config, note) = judged_by_base(&project, config)?;
    let mut evidence = evidence(&project, &config, true)?;
    let before = Instant::now();
    measure_again(&project, &config, &mut evidence, measured.checkout.as_ref())?;
    let again = before.elapsed();
    let mut outcome = Outcome::of(&evidence, &config)?;
    outcome.notes.extend(note);
    let unsteady = |c: &Comparison| c.status == Status::Unsteady;
    let unsteady = outcome.scenarios.iter().filter(|c| unsteady(c));
    let unsteady: BTreeSet<_> = unsteady.map(|c| c.scenario.clone()).collect();
    let explains = |report: &Report| report.is_failure() && unsteady.contains(&report.full_name());
    let is_explained = evidence.reports.values().any(explains);
    if !measured.passed && outcome.exit_code != exit_code::FAILED && !is_explained {
        let failing = evidence.reports.values().find(|report| report.is_failure());
        outcome.tests_failed(&match failing {
            Some(report) => format!(
                "the tests failed; if that is since one asserts `{}`, which highwater.toml lets \
                 fail, that test must expect the panic too: #[should_panic]",
                report.full_name()
            ),
            None => "the tests failed, for a reason that no report gives".to_owned(),
        });
    }
    tell(&project, &outcome, outputs)?;
    let of_base = measured.base.unwrap_or_default();
    let own = started
        .elapsed()
        .saturating_sub(measured.head + of_base + again);
    say(&format!(
        "time: the tests {}, with their build; the base {}, with its checkout and build; \
         what changed, again {}; the gate itself {}",
        seconds(measured.head),
        seconds(of_base),
        seconds(again),
        seconds(own)
    ));
    Ok(outcome.exit_code)
}

/// The configuration that scenarios of the base are judged by, which is the base's, and a note
/// if this revision has another. Without a base that was measured here, it is this one's.
fn judged_by_base(project: &Project, config: Config) -> Result<(Config, Option<String>), Failure> {
    let path = project.base_config();
    if !path.exists() {
        return Ok((config, None));
    }
    let of_base = Config::read(&path, Date::today())?;
    let reports = |directory| match report::read_directory(directory) {
        Err(ReadError::NoReports(_)) => Ok(Vec::new()),
        reports => reports,
    };
    let here = reports(&project.reports)?;
    let here: BTreeSet<_> = here.iter().map(Report::full_name).collect();
    let mut known = reports(&project.base_reports)?;
    known.retain(|report| here.contains(&report.full_name()));
    let (config, others) = config.judged_by(&of_base, &known)?;
    let note = (!others.is_empty()).then(|| {
        format!(
            "highwater.toml says of {} something else than the base's, which holds until this is \
             merged",
            others.join(", ")
        )
    });
    Ok((config, note))
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}
