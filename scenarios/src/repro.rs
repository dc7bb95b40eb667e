//! `repro`: one scenario with call stacks, on the terminal and in files for other programs.

use crate::{EXIT_UNSOUND, EXIT_USAGE, Plan, exit_code, explained};
use highwater_reports::artefacts;
use highwater_reports::page::Origin;
use highwater_reports::report::Report;

/// The text to print, and the exit code of the scenario.
pub(crate) fn report(plan: &Plan) -> Result<(String, u8), String> {
    let outcomes = plan.run();
    let mut text = String::new();
    for outcome in &outcomes {
        text.push_str(&explained(outcome));
        let Ok(shown) = &outcome.report else {
            return Ok((text, EXIT_UNSOUND));
        };
        let path = shown.path.as_path();
        let reports = path.parent().unwrap_or(path);
        let report: Report = serde_json::from_str(&shown.json)
            .map_err(|error| format!("the report is not what this program reads: {error}"))?;
        let directory = artefacts::directory(reports, path);
        match artefacts::write(&report, &Origin::default(), &directory) {
            Ok(artefacts) => text.push_str(&format!("\n{}", artefacts::summary(&artefacts))),
            Err(error) => {
                eprintln!("error: {error}");
                return Ok((text, EXIT_USAGE));
            }
        }
    }
    Ok((text, exit_code(&outcomes)))
}
