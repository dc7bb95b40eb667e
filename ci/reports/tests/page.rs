//! What is on the page of one report.

#![forbid(unsafe_code)]

use highwater_reports::page::render;
use serde_json::Value;

/// A report with call stacks, of every kind that there is.
const GROWING: &str = include_str!("data/growing.json");

#[test]
fn what_is_not_known_of_the_peak_is_no_figure() {
    let mut report: Value = serde_json::from_str(GROWING).expect("JSON");
    for site in report["diagnosis"]["sites"].as_array_mut().expect("a list") {
        site["peak_bytes"] = Value::Null;
        site["peak_blocks"] = Value::Null;
    }
    let page = render(&serde_json::from_value(report).expect("a report"));
    assert_eq!(
        page.matches("<td class=\"figure\">not known</td>").count(),
        5 + 6
    );
}

#[test]
fn of_many_sites_the_last_are_one_line() {
    let mut report: Value = serde_json::from_str(GROWING).expect("JSON");
    let sites = report["diagnosis"]["sites"].as_array_mut().expect("a list");
    let site = sites[3].clone();
    sites.extend(vec![site; 30]);
    let page = render(&serde_json::from_value(report).expect("a report"));
    let last = "<td colspan=\"3\">11 more</td><td class=\"figure\">+11 blocks</td>\
                <td class=\"figure\">+88 B</td>";
    assert!(page.contains(last), "{page}");
}
