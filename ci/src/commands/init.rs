//! `cargo highwater init`: shows what it would add, asks, adds it, and says how to undo that.

use super::{Failure, bless, print, run, say};
use crate::arguments::{BaseArguments, InitArguments};
use cargo_highwater::base;
use cargo_highwater::exit_code;
use cargo_highwater::init::{Asked, Change, Plan, Source};
use cargo_highwater::project::Project;
use std::env;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::Path;

pub(crate) fn init(arguments: &InitArguments) -> Result<u8, Failure> {
    let directory = env::current_dir()?;
    let mut plan = Plan::of(&Asked {
        directory: &directory,
        package: arguments.package.as_deref(),
        workflow: arguments.workflow,
        source: Source::of_this_tool(),
    })?;
    let records = arguments.baselines && !Project::find()?.baselines.is_dir();
    shorten(&mut plan, &directory);
    if plan.changes.is_empty() && !records {
        print(&format!("nothing to do for {}\n{plan}", plan.package))?;
        return Ok(exit_code::PASSED);
    }
    let then = "\nmemory-baselines/: what `cargo highwater run` finds then, recorded\n";
    let then = if records { then } else { "" };
    print(&format!(
        "what is to be added to {}:\n{plan}{then}",
        plan.package
    ))?;
    if !arguments.yes {
        ask()?;
    }
    let (new, changed): (Vec<_>, Vec<_>) = plan.changes.iter().partition(|c| c.before.is_none());
    let undo = undo(&directory, &new, &changed);
    plan.carry_out()?;
    print(&format!("\ndone; {undo}\n"))?;
    if !records {
        print("next: cargo test\n")?;
        return Ok(exit_code::PASSED);
    }
    let none = BaseArguments {
        revision: None,
        any_base: false,
    };
    match run(&none, &[], &[])? {
        exit_code::PASSED => bless(false),
        code => {
            say("the tests failed, so no baselines were recorded");
            Ok(code)
        }
    }
}

/// Paths as a person would write them here.
fn shorten(plan: &mut Plan, directory: &Path) {
    for change in &mut plan.changes {
        if let Ok(short) = change.path.strip_prefix(directory) {
            change.path = short.to_owned();
        }
    }
    let prefix = format!("{}/", directory.display());
    for note in &mut plan.notes {
        *note = note.replace(&prefix, "");
    }
}

fn ask() -> Result<(), Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::NobodyToAsk);
    }
    write!(io::stderr(), "\nadd this? [y/N] ")?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Failure::Declined),
    }
}

/// By git, if that takes back nothing but this.
fn undo(directory: &Path, new: &[&Change], changed: &[&Change]) -> String {
    let paths = |changes: &[&Change]| -> Vec<_> {
        let paths = changes.iter().map(|change| change.path.display());
        paths.map(|path| path.to_string()).collect()
    };
    let (new, names) = (paths(new), paths(changed));
    let files: Vec<_> = changed.iter().map(|change| change.path.as_path()).collect();
    let mut parts = Vec::new();
    if !names.is_empty() && base::are_committed(directory, &files) {
        parts.push(format!("git checkout -- {}", names.join(" ")));
        if !new.is_empty() {
            parts.push(format!("rm {}", new.join(" ")));
        }
        return format!("to undo it: {}", parts.join(" && "));
    }
    if !names.is_empty() {
        parts.push(format!(
            "take the lines above out of {} again",
            names.join(", ")
        ));
    }
    if !new.is_empty() {
        parts.push(format!("remove {}", new.join(", ")));
    }
    if parts.is_empty() {
        return "no file was changed".to_owned();
    }
    format!("to undo it: {}", parts.join(", "))
}
