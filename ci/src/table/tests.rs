//! How reports look, from data that is made up.

use super::{render, summary};
use highwater_reports::fitted::fits;
use highwater_reports::report::{Breach, Report, Verdict};

const WIDTHS: [usize; 3] = [80, 100, 200];

fn bounded() -> Report {
    serde_json::from_str(include_str!("../../reports/tests/data/bounded.json")).expect("a report")
}

fn leak() -> Report {
    let breach = |ceiling: &str, limit, actual| Breach {
        ceiling: ceiling.to_owned(),
        limit,
        actual,
        unit: "bytes".to_owned(),
    };
    Report {
        name: "orders".to_owned(),
        variant: Some("leaky".to_owned()),
        steps: 500,
        requested_steps: 1_000,
        growth_bytes: 1_234_567,
        peak_bytes: 2_000_000,
        peak_error_bytes: 8_192,
        residue_bytes: 900,
        verdict: Verdict::Growing,
        breaches: vec![
            breach("growth", 1_000_000, 1_234_567),
            breach("memory budget", 1_999_999, 2_000_000),
        ],
        failures: vec!["growth: too much".to_owned()],
        ..bounded()
    }
}

#[test]
fn figures_are_aligned() {
    let shrinking = Report {
        name: "a\nb\u{1b}[31m".to_owned(),
        growth_bytes: -64,
        verdict: Verdict::Inconclusive,
        damage: Some("1 block was freed".to_owned()),
        ..bounded()
    };
    let long = Report {
        name: "shop::basket::tests::a_basket_that_is_emptied_each_time_is_as_large_as_before"
            .to_owned(),
        ..bounded()
    };
    let reports = [shrinking, bounded(), leak(), long];
    for width in WIDTHS {
        let table = render(&reports, width);
        assert!(fits(&table, width), "{table}");
        insta::assert_snapshot!(format!("the_reports_at_{width}"), table);
    }
}

#[test]
fn a_note_stands_in_short_where_failures_do() {
    let noted = Report {
        note: Some("nothing outlives a step: there is no state".to_owned()),
        ..bounded()
    };
    let table = render(&[noted], 80);
    assert!(
        table.contains("\n  note: nothing outlives a step\n"),
        "{table}"
    );
}

#[test]
fn the_summary_counts_failures() {
    assert_eq!(summary(&[bounded()], 0), "1 report, 0 failed");
    let reports = [leak(), bounded(), leak()];
    assert_eq!(summary(&reports, 0), "3 reports, 2 failed");
    assert_eq!(summary(&reports, 2), "3 reports, 2 failed as expected");
    assert_eq!(
        summary(&reports, 1),
        "3 reports, 2 failed, 1 of them as expected"
    );
}

#[test]
fn the_largest_figures_do_not_overflow() {
    let largest = Report {
        growth_bytes: i64::MIN,
        peak_bytes: u64::MAX,
        peak_error_bytes: u64::MAX,
        ..bounded()
    };
    for width in WIDTHS {
        let table = render(std::slice::from_ref(&largest), width);
        assert!(fits(&table, width), "{table}");
    }
    let table = render(&[largest], 200);
    assert!(table.contains("-9,223,372,036,854,775,808 B"), "{table}");
    assert!(
        table.contains(" to 36,893,488,147,419,103,230 B"),
        "{table}"
    );
}
