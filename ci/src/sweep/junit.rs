//! `JUnit` XML of a sweep, one test case a test, for the CI systems that show it.

use super::found::{Change, Status, Swept};
use super::text::{figures_told, told};
use crate::table::printable;
use quick_junit::{NonSuccessKind, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};
use std::collections::BTreeMap;

/// The XML, a suite for each binary. A test that failed is a failure, and so is one that became
/// worse.
///
/// # Errors
/// Never, as it is written to memory; but the library that writes it does not know.
pub fn render(tests: &[Swept]) -> Result<String, SerializeError> {
    let mut suites = BTreeMap::<_, Vec<_>>::new();
    for test in tests {
        suites.entry(&test.binary).or_default().push(test);
    }
    let mut report = Report::new("highwater sweep");
    for (binary, mut tests) in suites {
        tests.sort_by_key(|test| &test.test);
        let mut suite = TestSuite::new(printable(binary));
        suite.add_test_cases(tests.into_iter().map(case));
        report.add_test_suite(suite);
    }
    report.to_string()
}

fn case(test: &Swept) -> TestCase {
    let failure = |kind: &str, message: String| {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status.set_type(kind).set_message(message);
        status
    };
    let reason = || test.found.no_figures.as_deref().map(printable);
    let status = match (test.status, test.change) {
        (Status::Skipped, _) => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(test.whole.as_deref().map(printable).unwrap_or_default());
            status
        }
        (Status::Failed, _) => {
            let reason = reason().unwrap_or_else(|| "the test failed".to_owned());
            failure("failed", reason)
        }
        (_, Some(Change::Worse)) => failure("memory", told(test)),
        _ => TestCaseStatus::success(),
    };
    let mut case = TestCase::new(printable(&test.test), status);
    case.set_classname(printable(&test.binary));
    case.set_system_out(reason().unwrap_or_else(|| figures_told(&test.found)));
    case
}
