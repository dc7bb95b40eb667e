//! What is shown of a report.
//!
//! Each scenario is run in a process of its own, where nothing else counts. What may be
//! shown of its report is made there, and comes back as one line of JSON.

use crate::table::{self, Field};
use crate::{Manner, Plan};
use highwater::__private::{Child, started_for};
use highwater::Report;
use highwater_scenarios::Entry;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Mutex;

/// A report as far as this program prints it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Shown {
    /// Its row in the table of results.
    pub(crate) row: Vec<Field>,
    /// Why the scenario is not sound.
    pub(crate) problems: Vec<String>,
    pub(crate) is_failure: bool,
    /// All that is known of it, as text.
    pub(crate) explanation: String,
    /// The whole report.
    pub(crate) json: String,
    /// Where that was written.
    pub(crate) path: PathBuf,
}

impl Shown {
    fn of(report: &Report) -> Self {
        Self {
            row: table::row(report),
            problems: table::problems_of(report),
            is_failure: report.is_failure(),
            explanation: report.explanation(),
            json: report.to_json(),
            path: report.json_path(),
        }
    }
}

/// Runs a scenario in a process of its own; or why there is no report. In the process that
/// was started for this, does not return; in one that was started for another, does
/// nothing.
pub(crate) fn run(entry: &'static Entry, plan: &Plan) -> Option<Result<Shown, String>> {
    let started_for = started_for();
    if started_for.as_ref().is_some_and(|id| id != entry.id) {
        return None;
    }
    let child = Child {
        name: entry.id.to_owned(),
        arguments: std::env::args_os().skip(1).collect(),
        time_limit: None,
        real_random: false,
    };
    // Where there are no such processes, it is run in this one.
    let here = Mutex::new(None);
    let ended = child.run(|| {
        let report = match plan.manner {
            Manner::Run => entry.run(plan.twin, plan.steps, &plan.inputs),
            Manner::SelfTest => entry.self_test(plan.steps, &plan.inputs),
            Manner::Diagnose => entry.diagnose(plan.twin, plan.steps, &plan.inputs),
        };
        let shown = Shown::of(&report);
        if started_for.is_some() {
            let line = serde_json::to_string(&shown).expect("numbers and texts");
            println!("\n{line}");
        } else {
            *here.lock().expect("nobody else has it") = Some(shown);
        }
    });
    let here = here.into_inner().expect("nobody else has it");
    let (printed, line) = match ended.output.trim_end().rsplit_once('\n') {
        Some((printed, line)) if ended.outcome.is_ok() => (printed, line),
        _ => (ended.output.as_str(), ""),
    };
    // What a scenario prints is not this program's result.
    eprint!("{printed}");
    Some(match ended.outcome {
        Err(problem) => {
            // That of a panic was printed when it happened.
            if !printed.contains(problem.trim_end()) {
                eprintln!("{problem}");
            }
            Err(format!("{} failed; its message is above", entry.id))
        }
        Ok(()) => here.map_or_else(
            || {
                serde_json::from_str(line)
                    .map_err(|error| format!("{}: its report can't be read: {error}", entry.id))
            },
            Ok,
        ),
    })
}
