//! `cargo highwater judge`: which call stacks grow through a series of heap profiles.

use super::{Failure, print, reports_of_tests, write_json};
use crate::arguments::JudgeArguments;
use cargo_highwater::exit_code;
use cargo_highwater::judge::found::State;
use cargo_highwater::judge::{self, Place, text};
use cargo_highwater::project::Project;
use highwater_reports::fitted;

/// Profiles may be judged anywhere; in a project, its scenarios are looked at too.
pub(crate) fn judge(asked: &JudgeArguments) -> Result<u8, Failure> {
    let here = std::env::current_dir()?;
    let project = Project::find();
    let found = match &project {
        Ok(project) => {
            let reports = [reports_of_tests(project), project.repro_reports.clone()];
            let place = Place {
                root: &project.root,
                reports: Ok(&reports),
            };
            judge::judge(&asked.profiles, place)?
        }
        Err(_) => {
            let place = Place {
                root: &here,
                reports: Err("this is no cargo project; run this inside of the service's"),
            };
            judge::judge(&asked.profiles, place)?
        }
    };
    write_json(asked.json.as_ref(), &found)?;
    print(&text::render(&found, asked.top, fitted::width()))?;
    Ok(match found.state() {
        State::Growing => exit_code::FAILED,
        State::Bounded => exit_code::PASSED,
        State::Inconclusive => exit_code::NO_ANSWER,
    })
}
