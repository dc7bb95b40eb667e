//! `cargo highwater sweep`: the memory of the tests that a project already has; and
//! `cargo highwater run-program`: that of any program.

use super::{Failure, lock, print, say, write_json};
use crate::arguments::{ProgramArguments, SweepArguments};
use cargo_highwater::base::{self, Base};
use cargo_highwater::config::{Config, Date};
use cargo_highwater::exit_code;
use cargo_highwater::project::Project;
use cargo_highwater::sweep::changes;
use cargo_highwater::sweep::found::{Change, Keep, Status, Swept};
use cargo_highwater::sweep::recorded::{self, Packages};
use cargo_highwater::sweep::text::{self, Compared, highest_peak};
use cargo_highwater::sweep::{Asked, Finished, Place, Sweep, SweepError, junit, program, scaffold};
use highwater::ByteSize;
use highwater_reports::file;
use highwater_reports::fitted;
use std::cmp::Reverse;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

/// Moves to the start of a line of the terminal, and clears it.
const CLEAR: &str = "\r\u{1b}[2K";
/// What of a name fits into the line of the progress.
const NAME: usize = 50;
/// The folder of all baselines of sweeps, in the workspace's root.
const BASELINES: &str = "sweep-baselines";

/// Tests of a revision, and what was found of them.
struct Run {
    sweep: Sweep,
    tests: Vec<Swept>,
}

pub(crate) fn sweep(asked: &SweepArguments) -> Result<u8, Failure> {
    let project = Project::find()?;
    let config = Config::read(&project.config, Date::today())?;
    let _lock = lock(&project)?;
    let base = match &asked.base.revision {
        Some(revision) => Some(of_base(asked, &project, revision)?),
        None => None,
    };
    if base.is_some() {
        say("sweeping what is checked out");
    }
    let place = Place {
        name: "this project",
        directory: Path::new("."),
        target: None,
    };
    if let Some(name) = &asked.scaffold {
        let test = prepared(asked, &project, place)?.run_one(name)?;
        print(&scaffold::render(&test))?;
        return Ok(exit_code::PASSED);
    }
    let mut run = Run::new(asked, &project, place)?;
    let compared = match base {
        Some((checkout, base)) => {
            let path = checkout.counterpart(&project.config).unwrap_or_default();
            let config = Config::read(&path, Date::today())?;
            Some(against_base(asked, &config, base, &mut run)?)
        }
        None => against_baselines(asked, &project, &config, &mut run)?,
    };
    run.find_sites(asked.sites)?;
    let tests = &run.tests;
    write_json(asked.json.as_ref(), tests)?;
    if let Some(path) = &asked.junit {
        let written = junit::render(tests).map_err(io::Error::other);
        let written = written.and_then(|text| file::write_atomically(path, &text));
        written.map_err(|source| Failure::File {
            path: path.clone(),
            source,
        })?;
    }
    print(&text::render(
        tests,
        compared.as_ref(),
        asked.top,
        fitted::width(),
    ))?;
    Ok(code(tests, compared.as_ref()))
}

/// What is new or better is to be recorded where there are baselines, as for scenarios.
fn code(tests: &[Swept], compared: Option<&Compared>) -> u8 {
    let is_worse =
        |test: &Swept| test.status == Status::Failed || test.change == Some(Change::Worse);
    if tests.iter().any(is_worse) {
        return exit_code::FAILED;
    }
    let recorded = compared.filter(|compared| compared.can_bless);
    let is_changed = |compared: &Compared| {
        !compared.gone.is_empty() || tests.iter().any(|test| test.change.is_some())
    };
    if recorded.is_some_and(is_changed) {
        return exit_code::NOT_RECORDED;
    }
    exit_code::PASSED
}

fn prepared(
    asked: &SweepArguments,
    project: &Project,
    place: Place<'_>,
) -> Result<Sweep, SweepError> {
    Sweep::prepare(Asked {
        directory: &directory(project),
        root: &project.root,
        place,
        arguments: &asked.arguments,
        limit: asked.limit.map(ByteSize::bytes),
    })
}

impl Run {
    fn new(asked: &SweepArguments, project: &Project, place: Place<'_>) -> Result<Self, Failure> {
        let sweep = prepared(asked, project, place)?;
        let tests = with_progress(|finished| sweep.run(finished))?;
        Ok(Self { sweep, tests })
    }

    /// Runs tests again for which `keep` says which figures count.
    fn again(&mut self, keep: impl Fn(&Swept) -> Option<Keep>) -> Result<(), Failure> {
        with_progress(|finished| self.sweep.run_again(&mut self.tests, keep, finished))
    }

    /// Finds the call sites of so many tests: of those that became worse, of the one with the
    /// highest peak, and of those that leave most.
    fn find_sites(&mut self, most: usize) -> Result<(), Failure> {
        let highest = highest_peak(&self.tests);
        let rank = |test: &Swept| {
            let is_highest = highest.is_some_and(|highest| highest.is_same(test));
            (test.change == Some(Change::Worse), is_highest)
        };
        let is_known =
            |test: &&Swept| test.status == Status::Passed && test.found.peak_bytes.is_some();
        let known = self.tests.iter().filter(is_known);
        let mut wanted: Vec<_> = known
            .filter(|test| rank(test) != (false, false) || test.found.left_blocks > Some(0))
            .collect();
        wanted.sort_by_key(|test| Reverse(rank(test)));
        wanted.truncate(most);
        let wanted: Vec<_> = wanted.into_iter().cloned().collect();
        if !wanted.is_empty() {
            let noun = if wanted.len() == 1 { "test" } else { "tests" };
            say(&format!(
                "running {} {noun} again, with call stacks",
                wanted.len()
            ));
        }
        let is_wanted = |test: &Swept| wanted.iter().any(|wanted| wanted.is_same(test));
        with_progress(|finished| self.sweep.find_sites(&mut self.tests, is_wanted, finished))
    }

    /// Compares with what is known. What changed is measured again, for it has to change each
    /// time; `again` does that for what is known, if it can be done.
    fn compare(
        &mut self,
        known: &Packages,
        tolerance: u32,
        again: impl FnOnce(&[Swept]) -> Result<Option<Packages>, Failure>,
    ) -> Result<(), Failure> {
        changes::compare(&mut self.tests, known, tolerance);
        let is_doubtful = |test: &&Swept| nearest(test).is_some();
        let doubtful = self.tests.iter().filter(is_doubtful).count();
        if doubtful == 0 {
            return Ok(());
        }
        let noun = if doubtful == 1 { "test" } else { "tests" };
        say(&format!(
            "running {doubtful} {noun} again, for figures changed"
        ));
        let known_again = again(&self.tests)?;
        self.again(nearest)?;
        let known = known_again.as_ref().unwrap_or(known);
        changes::compare(&mut self.tests, known, tolerance);
        Ok(())
    }
}

/// Which figures of a test are the nearest to what is known of it.
fn nearest(test: &Swept) -> Option<Keep> {
    match test.change? {
        Change::Worse => Some(Keep::Lowest),
        Change::Better => Some(Keep::Highest),
        Change::New => None,
    }
}

/// Checks out the base and runs its tests.
fn of_base(
    asked: &SweepArguments,
    project: &Project,
    revision: &str,
) -> Result<(Base, Run), Failure> {
    let checkout = project.check_out(revision, asked.base.any_base)?;
    say(&format!("sweeping the base {revision}"));
    let name = format!("the base `{revision}`");
    let target = project.base_target();
    let place = Place {
        name: &name,
        directory: &checkout.directory,
        target: Some(&target),
    };
    let run = Run::new(asked, project, place)?;
    Ok((checkout, run))
}

/// Compares with the base, by its configuration.
fn against_base(
    asked: &SweepArguments,
    config: &Config,
    mut base: Run,
    run: &mut Run,
) -> Result<Compared, Failure> {
    let known = recorded::found(&base.tests);
    run.compare(&known, config.peak_tolerance(), |tests| {
        base.again(|of_base| {
            let is_it = |test: &&Swept| test.is_same(of_base);
            Some(match nearest(tests.iter().find(is_it)?)? {
                Keep::Lowest => Keep::Highest,
                Keep::Highest => Keep::Lowest,
            })
        })?;
        Ok(Some(recorded::found(&base.tests)))
    })?;
    let revision = asked.base.revision.as_deref().unwrap_or_default();
    Ok(Compared {
        with: format!("the base {revision}"),
        gone: changes::gone(&run.tests, &known, run.sweep.extent),
        can_bless: false,
    })
}

/// Compares with the baselines, if there are some; or records them if that was asked for.
fn against_baselines(
    asked: &SweepArguments,
    project: &Project,
    config: &Config,
    run: &mut Run,
) -> Result<Option<Compared>, Failure> {
    let all = project.root.join(BASELINES);
    if !asked.bless && !all.is_dir() {
        return Ok(None);
    }
    let profile = if run.sweep.is_debug {
        "debug"
    } else {
        "release"
    };
    let name = format!("x86_64-linux-gnu-{profile}-{}", project.toolchain()?);
    let folder = all.join(&name);
    let known = recorded::read(&folder, &run.tests)?;
    let extent = run.sweep.extent;
    if asked.bless {
        say("running the tests twice more, to record the highest figures");
        run.again(|_| Some(Keep::Highest))?;
        recorded::write(&folder, &known, &run.tests, extent)?;
        say(&format!("recorded in {BASELINES}/{name}"));
        return Ok(None);
    }
    run.compare(&known, config.peak_tolerance(), |_| Ok(None))?;
    Ok(Some(Compared {
        with: "the baselines".to_owned(),
        gone: changes::gone(&run.tests, &known, extent),
        can_bless: true,
    }))
}

/// What a program prints is its own, so what is found goes to standard error.
pub(crate) fn run_program(asked: &ProgramArguments) -> Result<u8, Failure> {
    let (directory, root) = match Project::find() {
        Ok(project) => (directory(&project), project.root),
        // A program may be run from anywhere.
        Err(error) => {
            let home = base::cargo_homes().next().ok_or(error)?;
            (home.join("highwater-sweep"), std::env::current_dir()?)
        }
    };
    let found = program::run(program::Asked {
        directory: &directory,
        command: &asked.command,
        limit: asked.limit.map(ByteSize::bytes),
        with_sites: asked.sites,
        root: &root,
    })?;
    write_json(asked.json.as_ref(), &found)?;
    say(found.to_string().trim_end());
    Ok(if found.exit_code == Some(0) {
        exit_code::PASSED
    } else {
        exit_code::FAILED
    })
}

/// Where the counting library is kept.
fn directory(project: &Project) -> PathBuf {
    project.reports.join("sweep")
}

/// Does work that tells of each test when it has ended.
fn with_progress<T, E: Into<Failure>>(
    work: impl FnOnce(&(dyn Fn(Finished<'_>) + Sync)) -> Result<T, E>,
) -> Result<T, Failure> {
    let is_terminal = io::stderr().is_terminal();
    let done = work(&|finished| tell(&finished, is_terminal));
    if is_terminal {
        let _ = write!(io::stderr(), "{CLEAR}");
    }
    done.map_err(Into::into)
}

/// Shows how far it is, and what a test printed that failed.
fn tell(finished: &Finished<'_>, is_terminal: bool) {
    let mut errors = io::stderr().lock();
    let name = &finished.test.test;
    let clear = if is_terminal { CLEAR } else { "" };
    if finished.test.status == Status::Failed {
        let output = String::from_utf8_lossy(finished.output);
        let binary = &finished.test.binary;
        let _ = writeln!(
            errors,
            "{clear}---- {binary} {name} ----\n{}\n",
            output.trim()
        );
    }
    if is_terminal {
        let name: String = name.chars().take(NAME).collect();
        let _ = write!(
            errors,
            "{clear}{} of {} tests: {name}",
            finished.done, finished.of
        );
        let _ = errors.flush();
    }
}
