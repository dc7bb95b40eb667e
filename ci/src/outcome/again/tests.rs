//! What several runs of one code say of a change.

use super::*;
use crate::config::Config;
use crate::outcome::{Base, Evidence, Outcome, to_measure_again};
use highwater_reports::report::Verdict;

fn grown(growth_bytes: i64) -> Report {
    let report: Report =
        serde_json::from_str(include_str!("../../../reports/tests/data/bounded.json"))
            .expect("a report");
    Report {
        growth_bytes,
        ..report
    }
}

fn growing(report: &Report) -> Report {
    Report {
        failures: vec!["growing: it is".to_owned()],
        verdict: Verdict::Growing,
        ..report.clone()
    }
}

fn by_path(report: Report) -> Reports {
    Reports::from([(PathBuf::from("x.txt"), report)])
}

/// The evidence of some runs of what is checked out, of some of the base if there is one,
/// and of a baseline if there is one.
fn evidence(heads: Vec<Report>, bases: Vec<Report>, baseline: Option<&Report>) -> Evidence {
    let mut heads = heads.into_iter().map(by_path);
    let mut bases = bases.into_iter().map(by_path);
    let revision = Base {
        revision: "main".to_owned(),
        commit: "0123456789abcdef".to_owned(),
    };
    Evidence {
        reports: heads.next().expect("a run"),
        base: bases.next().map(|reports| (revision, reports)),
        baselines: baseline
            .map(|report| BTreeMap::from([(PathBuf::from("x.txt"), Baseline::of(report))])),
        again: Again {
            reports: heads.collect(),
            base: bases.collect(),
            not_again: BTreeMap::new(),
        },
        ..Evidence::default()
    }
}

fn judged(evidence: &Evidence) -> (Status, u8) {
    let outcome = Outcome::of(evidence, &Config::default()).expect("one voice");
    (outcome.scenarios[0].status, outcome.exit_code)
}

/// The outcome for runs with so much growth against so much in the base.
fn against_base<const N: usize>(heads: [i64; 3], bases: [i64; N]) -> (Status, u8) {
    let [heads, bases] =
        [heads.to_vec(), bases.to_vec()].map(|all| all.into_iter().map(grown).collect::<Vec<_>>());
    judged(&evidence(heads, bases, None))
}

fn against_baseline(heads: [i64; 3], baseline: i64) -> (Status, u8) {
    let heads = heads.map(grown).to_vec();
    judged(&evidence(heads, Vec::new(), Some(&grown(baseline))))
}

#[test]
fn runs_that_agree_are_as_one() {
    assert_eq!(against_base([9; 3], [8; 3]), (Status::Regression, 1));
    assert_eq!(against_base([8; 3], [9; 3]), (Status::Improvement, 0));
    assert_eq!(against_baseline([9; 3], 8), (Status::Regression, 1));
    assert_eq!(against_baseline([8; 3], 9), (Status::Improvement, 3));
}

#[test]
fn runs_that_differ_are_no_regression_and_no_improvement() {
    assert_eq!(against_base([9, 7, 8], [8; 3]), (Status::Varies, 0));
    assert_eq!(against_base([7, 9, 8], [8; 3]), (Status::Varies, 0));
    // The base is what varies.
    assert_eq!(against_base([8; 3], [7, 8, 9]), (Status::Varies, 0));
    assert_eq!(against_baseline([9, 7, 8], 8), (Status::Varies, 0));
    // Three runs that are all above one are no wonder.
    assert_eq!(against_baseline([12, 15, 19], 10), (Status::Varies, 0));
    // What was there once only says something too, if it is known at all.
    let two = evidence(vec![grown(9), grown(7)], vec![grown(8)], None);
    assert_eq!(judged(&two), (Status::Varies, 0));
    // What lies outside of what the runs differ by has no answer.
    assert_eq!(against_base([12, 10, 11], [7; 3]), (Status::Regression, 1));
    assert_eq!(against_base([12, 9, 11], [5, 5, 6]), (Status::Varies, 0));
    assert_eq!(against_baseline([13, 10, 11], 4), (Status::Regression, 1));
}

#[test]
fn what_varies_and_has_no_baseline_is_to_be_recorded() {
    let runs = [9, 7, 8].map(grown).to_vec();
    let mut of_base = evidence(runs, vec![grown(8); 3], None);
    of_base.baselines = Some(BTreeMap::new());
    assert_eq!(judged(&of_base), (Status::Varies, 3));
}

#[test]
fn what_varied_when_it_was_recorded_may_vary_as_much() {
    let runs = [8, 6, 7].map(grown);
    let recorded = Baseline::of_runs(&runs[0], &[&runs[1], &runs[2]]);
    let judged = |heads: &[i64]| {
        let heads = heads.iter().copied().map(grown).collect();
        let mut evidence = evidence(heads, Vec::new(), None);
        evidence.baselines = Some(BTreeMap::from([(PathBuf::from("x.txt"), recorded.clone())]));
        let again = to_measure_again(&evidence, &Config::default()).expect("one voice");
        (judged(&evidence), again.len())
    };
    for growth in 4..=10 {
        assert_eq!(judged(&[growth]), ((Status::Same, 0), 0), "{growth}");
    }
    assert_eq!(judged(&[11; 3]), ((Status::Regression, 1), 1));
    assert_eq!(judged(&[3; 3]), ((Status::Improvement, 3), 1));
    assert_eq!(judged(&[11, 9, 8]), ((Status::Varies, 0), 1));
}

#[test]
fn what_is_so_between_any_two_runs_is_certain() {
    assert_eq!(
        against_base([90, 91, 99], [7, 8, 9]),
        (Status::Regression, 1)
    );
    assert_eq!(against_base([1; 3], [7, 8, 9]), (Status::Improvement, 0));
    assert_eq!(against_baseline([90, 91, 99], 8), (Status::Regression, 1));
    // But there is nothing to record of what is better at each time in another way.
    assert_eq!(against_baseline([2, 3, 2], 80), (Status::Unsteady, 2));
    assert_eq!(against_base([1, 2, 1], [7; 3]), (Status::Unsteady, 2));
}

#[test]
fn a_scenario_that_fails_each_time_fails() {
    let [one, two, three] = [1, 2, 3].map(grown);
    let always = [&one, &two, &three].map(growing).to_vec();
    let failed = evidence(always, vec![one.clone()], None);
    assert_eq!(judged(&failed), (Status::Failed, 1));
    let outcome = Outcome::of(&failed, &Config::default()).expect("one voice");
    assert_eq!(outcome.scenarios[0].ranges.len(), 1);

    let at_times = vec![growing(&one), one.clone(), growing(&one)];
    let unsteady = evidence(at_times, vec![one.clone()], None);
    assert_eq!(judged(&unsteady), (Status::Unsteady, 2));
    let outcome = Outcome::of(&unsteady, &Config::default()).expect("one voice");
    assert_eq!(
        outcome.scenarios[0].notes,
        [
            "unsteady: 3 runs of the same code differ: growing (constant), bounded (constant), \
             growing (constant)",
            "run 1 of 3: growing: it is",
            "run 3 of 3: growing: it is",
        ]
    );
}

#[test]
fn the_ranges_are_told() {
    let runs = [9, 7, 8].map(grown).to_vec();
    let bases = [3, 3, 8].map(grown).to_vec();
    let of_base = evidence(runs.clone(), bases, None);
    let outcome = Outcome::of(&of_base, &Config::default()).expect("one voice");
    let comparison = &outcome.scenarios[0];
    let ranges: Vec<_> = comparison.ranges.iter().map(ToString::to_string).collect();
    assert_eq!(ranges, ["growth: 3 to 8 B before, 7 to 9 B now"]);
    assert!(comparison.changes.is_empty());
    assert_eq!(comparison.runs, 3);
    let of_baseline = evidence(runs, Vec::new(), Some(&grown(8)));
    let outcome = Outcome::of(&of_baseline, &Config::default()).expect("one voice");
    let range = outcome.scenarios[0].ranges[0].to_string();
    assert_eq!(range, "growth: 8 B before, 7 to 9 B now");
}

#[test]
fn a_tolerance_makes_it_steady() {
    let config = "[scenario.last-hundred]\ntolerance = { growth = \"2 B\", reason = \"two\" }";
    let config: Config = toml::from_str(config).expect("a configuration");
    let judged = |heads: [i64; 3]| {
        let evidence = evidence(heads.map(grown).to_vec(), Vec::new(), Some(&grown(8)));
        let outcome = Outcome::of(&evidence, &config).expect("one voice");
        (outcome.scenarios[0].status, outcome.exit_code)
    };
    assert_eq!(judged([9, 7, 8]), (Status::Same, 0));
    assert_eq!(judged([11, 12, 13]), (Status::Regression, 1));
    assert_eq!(judged([11, 5, 8]), (Status::Varies, 0));
}

#[test]
fn only_what_changed_is_measured_again() {
    let asked = |head: &Report, baseline: Option<&Report>| {
        let mut evidence = evidence(vec![head.clone()], Vec::new(), baseline);
        evidence.baselines.get_or_insert_default();
        let again = to_measure_again(&evidence, &Config::default());
        again.expect("one voice").len()
    };
    let known = grown(8);
    assert_eq!(asked(&known, Some(&known)), 0);
    assert_eq!(asked(&known, None), 0, "new");
    assert_eq!(asked(&grown(9), Some(&known)), 1);
    assert_eq!(asked(&grown(7), Some(&known)), 1);
    // A promise that is broken as it was before, and one that was not.
    assert_eq!(asked(&growing(&known), Some(&growing(&known))), 0);
    assert_eq!(asked(&growing(&known), Some(&known)), 1);
}
