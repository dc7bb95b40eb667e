//! What follows from a report, a base and a baseline.

// Whether there is a base at all, and whether it has the scenario.
#![allow(clippy::option_option)]

use super::*;
use highwater_reports::report::Verdict;
use std::path::Path;

fn report() -> Report {
    serde_json::from_str(include_str!("../../reports/tests/data/bounded.json")).expect("a report")
}

/// The report with so much growth.
fn grown(growth_bytes: i64) -> Report {
    Report {
        growth_bytes,
        ..report()
    }
}

fn failing() -> Report {
    Report {
        failures: vec!["growing: it is".to_owned()],
        verdict: Verdict::Growing,
        ..report()
    }
}

fn one<T>(value: Option<T>) -> BTreeMap<PathBuf, T> {
    let path = Path::new("folder/last-hundred.txt").to_owned();
    value
        .into_iter()
        .map(|value| (path.clone(), value))
        .collect()
}

/// The outcome for one scenario: its report, whether and what there is of it in a
/// base, and in baselines.
fn outcome(
    report: Option<Report>,
    base: Option<Option<Report>>,
    baseline: Option<Option<Report>>,
    config: &str,
) -> Outcome {
    let revision = Base {
        revision: "main".to_owned(),
        commit: "0123456789abcdef".to_owned(),
    };
    let evidence = Evidence {
        reports: one(report),
        base: base.map(|base| (revision, one(base))),
        baselines: baseline.map(|report| one(report.as_ref().map(Baseline::of))),
        ..Evidence::default()
    };
    let config = toml::from_str(config).expect("a configuration");
    Outcome::of(&evidence, &config).expect("one voice")
}

/// The status and the exit code.
fn judged(
    report: Option<Report>,
    base: Option<Option<Report>>,
    baseline: Option<Option<Report>>,
) -> (Status, u8) {
    let outcome = outcome(report, base, baseline, "");
    (outcome.scenarios[0].status, outcome.exit_code)
}

#[test]
fn held_to_a_baseline() {
    let check = |report, baseline| judged(report, None, Some(baseline));
    assert_eq!(check(Some(report()), Some(report())), (Status::Same, 0));
    assert_eq!(
        check(Some(grown(2_000)), Some(report())),
        (Status::Regression, 1)
    );
    assert_eq!(
        check(Some(grown(1_000)), Some(report())),
        (Status::Improvement, 3)
    );
    assert_eq!(check(Some(report()), None), (Status::New, 3));
    assert_eq!(check(None, Some(report())), (Status::Gone, 3));
    let other_steps = Report {
        steps: 5,
        ..report()
    };
    assert_eq!(
        check(Some(other_steps), Some(report())),
        (Status::Changed, 3)
    );
}

#[test]
fn held_to_a_base_alone() {
    let gate = |report, base| judged(report, Some(base), None);
    assert_eq!(gate(Some(report()), Some(report())), (Status::Same, 0));
    assert_eq!(
        gate(Some(grown(2_000)), Some(report())),
        (Status::Regression, 1)
    );
    // There is nowhere to record these.
    assert_eq!(
        gate(Some(grown(1_000)), Some(report())),
        (Status::Improvement, 0)
    );
    assert_eq!(gate(Some(report()), None), (Status::New, 0));
    assert_eq!(gate(None, Some(report())), (Status::Gone, 0));
    // More, but not of what blocks.
    let residue = Report {
        residue_bytes: 8,
        ..report()
    };
    assert_eq!(gate(Some(residue), Some(report())), (Status::Changed, 0));
}

#[test]
fn held_to_both() {
    let gate = |report, base, baseline| judged(report, Some(base), Some(baseline));
    let (less, known, more) = (
        || Some(grown(1_000)),
        || Some(report()),
        || Some(grown(2_000)),
    );
    assert_eq!(gate(known(), known(), known()), (Status::Same, 0));
    assert_eq!(gate(more(), known(), known()), (Status::Regression, 1));
    // Worse than the base, and a reviewer sees the file that says so.
    assert_eq!(gate(more(), known(), more()), (Status::Accepted, 0));
    assert_eq!(gate(less(), known(), known()), (Status::Improvement, 3));
    assert_eq!(gate(less(), known(), less()), (Status::Improvement, 0));
    // The base went past its own baseline.
    assert_eq!(gate(more(), more(), known()), (Status::Regression, 1));
    assert_eq!(gate(known(), None, None), (Status::New, 3));
    assert_eq!(gate(known(), None, known()), (Status::New, 0));
    assert_eq!(gate(None, known(), None), (Status::Gone, 0));
    assert_eq!(gate(None, known(), known()), (Status::Gone, 3));
    let changes = |outcome: &Outcome| {
        let comparison = &outcome.scenarios[0];
        (comparison.against, comparison.changes.len())
    };
    let told = outcome(more(), Some(more()), Some(known()), "");
    assert_eq!(changes(&told), (Against::Baseline, 1));
    let told = outcome(more(), Some(known()), Some(known()), "");
    assert_eq!(changes(&told), (Against::Base, 1));
}

#[test]
fn a_promise_that_is_broken_blocks_whatever_was_before() {
    let failed = outcome(
        Some(failing()),
        Some(Some(failing())),
        Some(Some(failing())),
        "",
    );
    assert_eq!(failed.exit_code, 1);
    assert_eq!(failed.scenarios[0].status, Status::Failed);
    assert_eq!(failed.scenarios[0].failures, ["growing: it is"]);
    // Recording it does not help.
    assert_eq!(failed.scenarios[0].recorded, Some(true));

    let lenient = "[gate]\nblocks = [\"peak\"]";
    let passed = outcome(Some(failing()), Some(Some(failing())), None, lenient);
    assert_eq!(
        (passed.exit_code, passed.scenarios[0].status),
        (0, Status::Same)
    );
    assert_eq!(passed.scenarios[0].notes, ["growing: it is"]);
    // What nobody can switch off.
    let damaged = Report {
        failures: vec!["the heap is damaged".to_owned()],
        ..report()
    };
    assert_eq!(outcome(Some(damaged), None, None, lenient).exit_code, 1);
}

#[test]
fn what_must_fail_must_fail() {
    let config = "[scenario.\"last-*\"]\nexpect-failure = \"its defect is on\"";
    let fails = outcome(Some(failing()), None, Some(Some(failing())), config);
    assert_eq!(
        (fails.exit_code, fails.scenarios[0].status),
        (0, Status::Same)
    );
    assert_eq!(
        fails.scenarios[0].notes,
        ["fails, as expected: its defect is on"]
    );
    let passes = outcome(Some(report()), None, Some(Some(report())), config);
    assert_eq!(
        (passes.exit_code, passes.scenarios[0].status),
        (1, Status::Failed)
    );
    assert_eq!(
        passes.scenarios[0].failures,
        ["did not fail, and must: its defect is on"]
    );
}

#[test]
fn a_tolerance_gives_its_reason() {
    let config =
        "[scenario.last-hundred]\ntolerance = { growth = \"1 KB\", reason = \"two threads\" }";
    let within = outcome(Some(grown(2_024)), None, Some(Some(report())), config);
    assert_eq!(
        (within.exit_code, within.scenarios[0].status),
        (0, Status::Same)
    );
    assert_eq!(within.scenarios[0].notes, ["tolerance: two threads"]);
    let beyond = outcome(Some(grown(2_025)), None, Some(Some(report())), config);
    assert_eq!(beyond.exit_code, 1);
}

#[test]
fn an_entry_for_nothing_is_pointed_out() {
    let outcome = outcome(Some(report()), None, None, "[scenario.last-hundert]");
    assert_eq!(
        outcome.notes,
        [
            "highwater.toml names `last-hundert`, and there is no such scenario in this run; did you mean `last-hundred`?"
        ]
    );
}

#[test]
fn another_name_for_the_same_figures_is_pointed_out() {
    let renamed = Report {
        name: "last-100".to_owned(),
        ..report()
    };
    let evidence = Evidence {
        reports: BTreeMap::from([(PathBuf::from("last-100.txt"), renamed)]),
        base: None,
        baselines: Some(one(Some(Baseline::of(&report())))),
        ..Evidence::default()
    };
    let outcome = Outcome::of(&evidence, &Config::default()).expect("one voice");
    assert_eq!(outcome.exit_code, 3);
    let statuses: Vec<_> = outcome.scenarios.iter().map(|c| c.status).collect();
    assert_eq!(statuses, [Status::Gone, Status::New]);
    assert_eq!(
        outcome.scenarios[1].notes,
        [
            "growth 1,024 B, peak 1,024 B, residue 0 B, bounded",
            "has the figures of `last-hundred`, which is gone: renamed?"
        ]
    );
}

#[test]
fn failed_tests_are_never_a_pass() {
    let mut outcome = outcome(Some(report()), None, Some(Some(report())), "");
    outcome.tests_failed("the tests failed");
    assert_eq!(
        (outcome.exit_code, &outcome.notes[..]),
        (1, &["the tests failed".to_owned()][..])
    );
}

/// A report whose verdict is open, as the configuration sees it.
fn open_report(config: &str) -> Report {
    let config: Config = toml::from_str(config).expect("a configuration");
    let mut open = Report {
        verdict: Verdict::Inconclusive,
        law: None,
        verdict_reason: "too short".to_owned(),
        ..report()
    };
    config.apply(&mut open).expect("one voice");
    open
}

#[test]
fn an_open_verdict_fails_unless_it_is_accepted() {
    let open = open_report("");
    let failed = outcome(Some(open.clone()), None, Some(Some(open)), "");
    assert_eq!(failed.exit_code, 1);
    assert_eq!(failed.scenarios[0].failures, ["inconclusive: too short"]);

    let config = "[scenario.\"last-*\"]\naccept-inconclusive = \"a warm-up of hours\"";
    let accepted = open_report(config);
    let passed = outcome(Some(accepted.clone()), None, Some(Some(accepted)), config);
    assert_eq!(passed.exit_code, 0);
    let text = "inconclusive accepted: a warm-up of hours";
    assert_eq!(passed.scenarios[0].notes, [text]);
    assert_eq!(
        passed.notes,
        [format!("passes for a reason only: `last-hundred`, {text}")]
    );
}

#[test]
fn what_could_not_be_measured_again_says_why() {
    let path = Path::new("folder/last-hundred.txt").to_owned();
    let evidence = Evidence {
        reports: one(Some(grown(2_000))),
        base: None,
        baselines: Some(one(Some(Baseline::of(&report())))),
        again: Again {
            not_again: BTreeMap::from([(path, "no test".to_owned())]),
            ..Again::default()
        },
        ..Evidence::default()
    };
    let outcome = Outcome::of(&evidence, &Config::default()).expect("one voice");
    let comparison = &outcome.scenarios[0];
    assert_eq!(
        (comparison.status, comparison.runs),
        (Status::Regression, 1)
    );
    assert_eq!(
        comparison.notes,
        ["it could not be measured again: no test"]
    );
}

/// A report whose memory grows at one call site, for `highwater.toml` to accept.
fn leaking() -> Report {
    let text = include_str!("../../reports/tests/data/growing.json");
    let mut leaking: Report = serde_json::from_str(text).expect("a report");
    leaking.failures = vec![format!("growing: {}", leaking.verdict_reason)];
    leaking.breaches = Vec::new();
    let diagnosis = leaking.diagnosis.as_mut().expect("call stacks");
    diagnosis.sites.truncate(1);
    diagnosis.growth_bytes = diagnosis.sites[0].growth_bytes;
    diagnosis.lost_blocks = 0;
    leaking
}

const ACCEPTS: &str = "[[accepted-leak]]\nscenario = \"shop (leaky)\"\n\
                       signature = \"46bbb7c998c661c1\"\nreason = \"the vendor keeps each key\"";

/// What comes of a report under a configuration that accepts its leak.
fn outcome_of_accepted(mut report: Report) -> Outcome {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("highwater.toml");
    std::fs::write(&path, ACCEPTS).expect("a file in it");
    let today = "2027-03-01".parse().expect("a date");
    let config = Config::read(&path, today).expect("a configuration");
    config.apply(&mut report).expect("one voice");
    outcome(Some(report.clone()), None, Some(Some(report)), ACCEPTS)
}

#[test]
fn a_leak_that_is_accepted_passes_and_one_that_is_gone_is_to_be_removed() {
    let passed = outcome_of_accepted(leaking());
    assert_eq!(passed.exit_code, 0);
    let text = "leak accepted: the vendor keeps each key (46bbb7c998c661c1)";
    assert_eq!(passed.scenarios[0].notes, [text]);

    // What fails beside it still blocks.
    let mut residue = leaking();
    residue
        .failures
        .push("residue: 8 B more each time".to_owned());
    let failed = outcome_of_accepted(residue);
    assert_eq!(failed.exit_code, 1);
    assert_eq!(
        failed.scenarios[0].failures,
        ["residue: 8 B more each time"]
    );

    let bounded = Report {
        verdict: Verdict::Bounded,
        failures: Vec::new(),
        diagnosis: None,
        ..leaking()
    };
    let gone = outcome_of_accepted(bounded);
    assert_eq!(gone.exit_code, 3);
    let next = gone.next_step().expect("something to do");
    insta::assert_snapshot!(format!("{}\n{next}", gone.notes.join("\n")));
    // A scenario that was not run is not missed.
    let elsewhere = outcome(Some(report()), None, Some(Some(report())), ACCEPTS);
    assert_eq!(elsewhere.exit_code, 0);
    insta::assert_snapshot!("a-leak-of-another-scenario", elsewhere.notes.join("\n"));
}
