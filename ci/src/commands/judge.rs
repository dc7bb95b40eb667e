//! `cargo highwater judge`: which call stacks grow through a series of heap profiles.

use super::{Failure, print, reports_of_tests, write, write_json};
use crate::arguments::JudgeArguments;
use cargo_highwater::exit_code;
use cargo_highwater::judge::found::State;
use cargo_highwater::judge::{self, Place, page, text};
use cargo_highwater::project::Project;
use highwater_reports::fitted;

/// Profiles may be judged anywhere; in a project, its scenarios are looked at too.
pub(crate) fn judge(asked: &JudgeArguments) -> Result<u8, Failure> {
    let place = if let Ok(project) = Project::find() {
        Place {
            reports: Ok(vec![reports_of_tests(&project), project.repro_reports]),
            target: Some(project.target),
            root: project.root,
        }
    } else {
        let reason = "this is no cargo project; run this inside of the service's";
        Place {
            reports: Err(reason.to_owned()),
            target: None,
            root: std::env::current_dir()?,
        }
    };
    let found = judge::judge(&asked.profiles, &place)?;
    write_json(asked.json.as_ref(), &found)?;
    if let Some(file) = &asked.page {
        write(file, Ok(page::render(&found)))?;
    }
    print(&text::render(&found, asked.top, fitted::width()))?;
    Ok(match found.state() {
        State::Growing => exit_code::FAILED,
        State::Bounded => exit_code::PASSED,
        State::Inconclusive => exit_code::NO_ANSWER,
    })
}
