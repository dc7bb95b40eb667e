//! `cargo highwater sweep`: the memory of the tests that a project already has; and
//! `cargo highwater run-program`: that of any program.

use super::{Failure, lock, print, say, write, write_json};
use crate::arguments::{ProgramArguments, SweepArguments};
use cargo_highwater::base::{self, Base};
use cargo_highwater::config::{Config, Date};
use cargo_highwater::exit_code;
use cargo_highwater::project::Project;
use cargo_highwater::sweep::found::{Change, Keep, Status, Swept};
use cargo_highwater::sweep::recorded::{self, Packages};
use cargo_highwater::sweep::text::{self, Compared, highest_peak};
use cargo_highwater::sweep::{Asked, Finished, Place, Sweep, SweepError, junit, program, scaffold};
use cargo_highwater::sweep::{accepted, changes};
use cargo_highwater::table::printable;
use highwater::ByteSize;
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

/// What is recorded of the project's tests.
struct Baselines {
    folder: PathBuf,
    /// The name of that folder.
    name: String,
    known: Packages,
}

/// What is checked out.
fn here() -> Place<'static> {
    Place {
        name: "this project",
        directory: Path::new("."),
        target: None,
    }
}

pub(crate) fn sweep(asked: &SweepArguments) -> Result<u8, Failure> {
    let project = Project::find()?;
    let config = Config::read(&project.config, Date::today())?;
    let _lock = lock(&project)?;
    if let Some(name) = &asked.scaffold {
        return scaffold(asked, &project, name);
    }
    let base = match &asked.base.revision {
        Some(revision) => Some(of_base(asked, &project, revision)?),
        None => None,
    };
    if base.is_some() {
        say("sweeping what is checked out");
    }
    let sweep = prepared(asked, &project, here())?;
    let baselines = match base {
        Some(_) => None,
        None => baselines(asked, &project, &sweep)?,
    };
    let mut run = Run::new(sweep)?;
    let compared = match (base, baselines) {
        (Some((_checkout, config, base)), _) => Some(against_base(asked, &config, base, &mut run)?),
        (None, Some(baselines)) => against_baselines(asked, &config, &baselines, &mut run)?,
        (None, None) => None,
    };
    run.find_sites(asked.sites)?;
    let tests = &run.tests;
    write_json(asked.json.as_ref(), tests)?;
    if let Some(path) = &asked.junit {
        write(path, junit::render(tests).map_err(io::Error::other))?;
    }
    print(&text::render(
        tests,
        compared.as_ref(),
        asked.top,
        fitted::width(),
    ))?;
    Ok(code(tests, compared.as_ref()))
}

/// Prints the scenario that judges a test.
fn scaffold(asked: &SweepArguments, project: &Project, name: &str) -> Result<u8, Failure> {
    let sweep = prepared(asked, project, here())?;
    let test = with_progress(true, |finished| sweep.run_one(name, finished))?;
    if test.status == Status::Failed {
        say("there is no scenario for a test that fails");
        return Ok(exit_code::FAILED);
    }
    print(&scaffold::render(&test))?;
    Ok(exit_code::PASSED)
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
        !compared.gone.is_empty()
            || !compared.unused.is_empty()
            || tests.iter().any(|test| test.change.is_some())
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
    fn new(sweep: Sweep) -> Result<Self, Failure> {
        let tests = with_progress(true, |finished| sweep.run(finished))?;
        Ok(Self { sweep, tests })
    }

    /// Runs tests again for which `keep` says which figures count.
    fn again(&mut self, keep: impl Fn(&Swept) -> Option<Keep>) -> Result<(), Failure> {
        with_progress(false, |finished| {
            self.sweep.run_again(&mut self.tests, keep, finished)
        })
    }

    /// Finds the call sites of so many tests: of those that became worse, of the one with the
    /// highest peak, of those that leave unreachable memory, and of those that leave most.
    fn find_sites(&mut self, most: usize) -> Result<(), Failure> {
        let highest = highest_peak(&self.tests);
        let rank = |test: &Swept| {
            let is_highest = highest.is_some_and(|highest| highest.is_same(test));
            let is_unreachable = test.found.unreachable_blocks > Some(0);
            (
                test.change == Some(Change::Worse),
                is_highest,
                is_unreachable,
            )
        };
        let is_known =
            |test: &&Swept| test.status == Status::Passed && test.found.peak_bytes.is_some();
        // Of those for which something is accepted they are known.
        let has_none = |test: &&Swept| test.found.left_sites.is_none();
        let known = self.tests.iter().filter(is_known).filter(has_none);
        let mut wanted: Vec<_> = known
            .filter(|test| rank(test) != (false, false, false) || test.found.left_blocks > Some(0))
            .collect();
        wanted.sort_by_key(|test| Reverse(rank(test)));
        wanted.truncate(most);
        let wanted: Vec<_> = wanted.into_iter().cloned().collect();
        self.take_stacks(&wanted)
    }

    /// Runs these tests once more, for the call sites of what they leave and of their peaks.
    fn take_stacks(&mut self, wanted: &[Swept]) -> Result<(), Failure> {
        if wanted.is_empty() {
            return Ok(());
        }
        let tests = text::count(wanted.len() as u64, "test", "tests");
        say(&format!("running {tests} again, with call stacks"));
        let is_wanted = |test: &Swept| wanted.iter().any(|wanted| wanted.is_same(test));
        with_progress(false, |finished| {
            self.sweep.find_sites(&mut self.tests, is_wanted, finished)
        })
    }

    /// Finds what of the left-overs is accepted, for which their call sites are needed.
    fn accept(&mut self, config: &Config) -> Result<(), Failure> {
        let is_asked = |test: &&Swept| accepted::is_asked(test, config);
        let asked: Vec<_> = self.tests.iter().filter(is_asked).cloned().collect();
        self.take_stacks(&asked)?;
        accepted::accept(&mut self.tests, config);
        Ok(())
    }

    /// Compares with what is known: with the `base`, if there is one. What changed is measured
    /// again, and in the base too, for it has to change each time.
    fn compare(
        &mut self,
        known: &Packages,
        config: &Config,
        base: Option<&mut Self>,
    ) -> Result<(), Failure> {
        let tolerance = config.peak_tolerance();
        self.accept(config)?;
        let of_base = base.as_ref().map_or(&[][..], |base| &base.tests);
        changes::compare(&mut self.tests, known, of_base, tolerance);
        let is_doubtful = |test: &&Swept| nearest(test).is_some();
        let doubtful = self.tests.iter().filter(is_doubtful).count();
        if doubtful == 0 {
            return Ok(());
        }
        let tests = text::count(doubtful as u64, "test", "tests");
        say(&format!("running {tests} again, for figures changed"));
        let Some(base) = base else {
            self.again(nearest)?;
            changes::compare(&mut self.tests, known, &[], tolerance);
            return Ok(());
        };
        base.again(|of_base| {
            let is_it = |test: &&Swept| test.is_same(of_base);
            Some(match nearest(self.tests.iter().find(is_it)?)? {
                Keep::Lowest => Keep::Highest,
                Keep::Highest => Keep::Lowest,
            })
        })?;
        self.again(nearest)?;
        let known = recorded::found(&base.tests);
        changes::compare(&mut self.tests, &known, &base.tests, tolerance);
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

/// Checks out the base, reads its configuration, and runs its tests.
fn of_base(
    asked: &SweepArguments,
    project: &Project,
    revision: &str,
) -> Result<(Base, Config, Run), Failure> {
    let checkout = project.check_out(revision, asked.base.any_base)?;
    let path = checkout.counterpart(&project.config).unwrap_or_default();
    let config = Config::read(&path, Date::today())?;
    say(&format!("sweeping the base {revision}"));
    let name = format!("the base `{revision}`");
    let target = project.base_target();
    let place = Place {
        name: &name,
        directory: &checkout.directory,
        target: Some(&target),
    };
    let run = Run::new(prepared(asked, project, place)?)?;
    Ok((checkout, config, run))
}

/// Compares with the base, by its configuration.
fn against_base(
    asked: &SweepArguments,
    config: &Config,
    mut base: Run,
    run: &mut Run,
) -> Result<Compared, Failure> {
    let known = recorded::found(&base.tests);
    run.compare(&known, config, Some(&mut base))?;
    let revision = asked.base.revision.as_deref().unwrap_or_default();
    Ok(Compared {
        with: format!("the base {revision}"),
        gone: changes::gone(&run.tests, &known, run.sweep.extent),
        unused: accepted::unused(&run.tests, config, run.sweep.extent),
        can_bless: false,
    })
}

/// What is recorded; none if nothing is and nothing is to be.
fn baselines(
    asked: &SweepArguments,
    project: &Project,
    sweep: &Sweep,
) -> Result<Option<Baselines>, Failure> {
    let all = project.root.join(BASELINES);
    if !asked.bless && !all.is_dir() {
        return Ok(None);
    }
    let profile = if sweep.is_debug { "debug" } else { "release" };
    let name = format!("x86_64-linux-gnu-{profile}-{}", project.toolchain()?);
    let folder = all.join(&name);
    let known = recorded::read(&folder, &sweep.packages())?;
    Ok(Some(Baselines {
        folder,
        name,
        known,
    }))
}

/// Compares with the baselines; or records them if that was asked for.
fn against_baselines(
    asked: &SweepArguments,
    config: &Config,
    baselines: &Baselines,
    run: &mut Run,
) -> Result<Option<Compared>, Failure> {
    let known = &baselines.known;
    let extent = run.sweep.extent;
    if asked.bless {
        say("running the tests twice more, to record the highest figures");
        run.again(|_| Some(Keep::Highest))?;
        recorded::write(&baselines.folder, known, &run.tests, extent)?;
        say(&format!("recorded in {BASELINES}/{}", baselines.name));
        return Ok(None);
    }
    run.compare(known, config, None)?;
    Ok(Some(Compared {
        with: "the baselines".to_owned(),
        gone: changes::gone(&run.tests, known, extent),
        unused: accepted::unused(&run.tests, config, extent),
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
    let text = program::render(&found, fitted::width());
    let _ = io::stderr().write_all(text.as_bytes());
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

/// Does work that tells of each test when it has ended; and what it printed if it failed, when
/// tests run for the first time.
fn with_progress<T, E: Into<Failure>>(
    is_first: bool,
    work: impl FnOnce(&(dyn Fn(Finished<'_>) + Sync)) -> Result<T, E>,
) -> Result<T, Failure> {
    let is_terminal = io::stderr().is_terminal();
    let done = work(&|finished| tell(&finished, is_first, is_terminal));
    if is_terminal {
        let _ = write!(io::stderr(), "{CLEAR}");
    }
    done.map_err(Into::into)
}

/// Shows how far it is, and in a first run what a test printed that failed.
fn tell(finished: &Finished<'_>, is_first: bool, is_terminal: bool) {
    let mut errors = io::stderr().lock();
    let name = printable(&finished.test.test);
    let clear = if is_terminal { CLEAR } else { "" };
    if is_first && finished.test.status == Status::Failed {
        let output = String::from_utf8_lossy(finished.output);
        let binary = printable(&finished.test.binary);
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
