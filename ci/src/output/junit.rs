//! `JUnit` XML, one test case a scenario, for the CI systems that show it.

use crate::outcome::{Comparison, Outcome, Status};
use crate::table::printable;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

/// The XML. A scenario that blocks is a failure; so is one that is unsteady or not
/// recorded, for that keeps the exit code from 0. An improvement that is not recorded keeps it
/// from 0 as well, and is no failure of the code all the same.
///
/// # Errors
/// Never, as it is written to memory; but the library that writes it does not know.
pub fn render(outcome: &Outcome) -> Result<String, quick_junit::SerializeError> {
    let mut suite = TestSuite::new("memory");
    for comparison in &outcome.scenarios {
        suite.add_test_case(case(comparison));
    }
    let mut report = Report::new("highwater");
    report.add_test_suite(suite);
    report.to_string()
}

fn case(comparison: &Comparison) -> TestCase {
    let changes = comparison.changes.iter().map(ToString::to_string);
    let sites = comparison.sites.iter().map(ToString::to_string);
    let remarks = comparison.failures.iter().chain(&comparison.notes).cloned();
    let ranges = comparison.ranges.iter().map(ToString::to_string);
    let lines: Vec<_> = remarks.chain(changes).chain(ranges).chain(sites).collect();
    let lines: Vec<_> = lines.iter().map(|line| printable(line)).collect();
    let text = lines.join("\n");
    let is_open = comparison.status == Status::Unsteady;
    let is_better = comparison.status == Status::Improvement;
    let is_unrecorded = comparison.recorded == Some(false) && !is_better;
    let fails = comparison.status.blocks() || is_open || is_unrecorded;
    let mut status = TestCaseStatus::success();
    if fails {
        status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        let message = match comparison.status {
            Status::Failed | Status::Regression | Status::Unsteady => {
                comparison.status.word().to_owned()
            }
            status => format!("{}, not recorded", status.word()),
        };
        status
            .set_type(comparison.status.word())
            .set_message(message);
        status.set_description(text.clone());
    }
    let mut case = TestCase::new(printable(&comparison.scenario), status);
    case.set_classname("memory");
    if !fails && !text.is_empty() {
        case.set_system_out(text);
    }
    if let Some(location) = comparison.place() {
        case.extra
            .insert("file".into(), printable(&location.file).into());
        case.extra
            .insert("line".into(), location.line.to_string().into());
    }
    case
}
