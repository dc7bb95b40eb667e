//! What people and machines get to read, each form in a snapshot.

use super::{github, junit, markdown, text};
use crate::baseline::Baseline;
use crate::config::Config;
use crate::outcome::{Again, Base, Evidence, Outcome};
use highwater_reports::fitted::fits;
use highwater_reports::report::{Acceptable, Accepted, Checkpoint, Diagnosis, Report};
use std::collections::BTreeMap;
use std::path::PathBuf;

fn report(name: &str) -> Report {
    let mut report: Report =
        serde_json::from_str(include_str!("../../reports/tests/data/bounded.json"))
            .expect("a report");
    report.name = name.to_owned();
    report
}

fn by_path(reports: Vec<Report>) -> BTreeMap<PathBuf, Report> {
    let keyed = |report: Report| (PathBuf::from(report.full_name()), report);
    reports.into_iter().map(keyed).collect()
}

/// The report with more of everything, on a curve that rises.
fn leak(mut report: Report) -> Report {
    report.growth_bytes = 1_120_000;
    report.peak_bytes = 1_131_344;
    report.live_bytes = 1_131_344;
    report.live_blocks = 10_001;
    report.total_blocks = 10_001;
    report.step_blocks = 10_000;
    report.verdict = highwater_reports::report::Verdict::Growing;
    report.law = Some("linear".to_owned());
    report.failures = vec!["growing: the floor rises by 112 B a step".to_owned()];
    report.diagnosis = Some(diagnosis());
    for point in &mut report.curve {
        let Checkpoint { step, .. } = *point;
        point.live_bytes = 1_000 + step * 112;
    }
    report
}

/// What grows most is allocated by a dependency, which a file of this crate calls.
fn diagnosis() -> Diagnosis {
    let site = |growth: i64, frames: [(&str, &str, u32); 2]| {
        let frames = frames.map(|(function, file, line)| {
            serde_json::json!({"function": function, "file": file, "line": line})
        });
        serde_json::json!({
            "type": "Box<Order>", "growth_bytes": growth, "growth_blocks": 1,
            "live_bytes": growth, "live_blocks": 1, "peak_bytes": null, "peak_blocks": null,
            "total_blocks": 1, "verdict": "growing", "frames": frames,
        })
    };
    let frames = [
        ("grow", "axum-0.7.1/src/lib.rs", 9),
        ("Book::add", "src/sites.rs", 42),
    ];
    let sites = [
        site(8, [frames[0], ("Book::new", "src/kind.rs", 7)]),
        site(1_119_992, frames),
    ];
    let diagnosis = serde_json::json!({
        "first_step": 0, "last_step": 10, "growth_bytes": 1_120_000,
        "explained_bytes": 1_120_000, "lost_blocks": 0, "sites": sites,
    });
    serde_json::from_value(diagnosis).expect("a diagnosis")
}

fn less(mut report: Report) -> Report {
    report.peak_bytes = 512;
    report
}

fn accepted(mut report: Report) -> Report {
    report.accepted = vec![Accepted {
        what: Acceptable::Residue,
        reason: "a broker <in> process".to_owned(),
    }];
    report
}

/// One scenario of each kind, with names that no format can like.
fn outcome() -> Outcome {
    let evil = "evil|`name` <b>, 100%:\n::error::";
    let base = [
        "leaks",
        "less",
        "same",
        "by chance",
        "pool",
        "old name",
        evil,
    ]
    .map(report);
    let head = vec![
        leak(report("leaks")),
        less(report("less")),
        accepted(report("same")),
        less(report("by chance")),
        less(report("pool")),
        report("new name"),
        Report {
            residue_bytes: 16,
            ..report(evil)
        },
    ];
    let by_chance = Report {
        peak_bytes: 500,
        ..report("by chance")
    };
    let revision = Base {
        revision: "origin/main".to_owned(),
        commit: "0123456789abcdef0123456789abcdef01234567".to_owned(),
    };
    let baselines = base
        .iter()
        .map(|r| (PathBuf::from(r.full_name()), Baseline::of(r)));
    let evidence = Evidence {
        baselines: Some(baselines.collect()),
        base: Some((revision, by_path(base.into()))),
        reports: by_path(head),
        again: Again {
            reports: vec![by_path(vec![by_chance, report("pool")]); 2],
            ..Again::default()
        },
        root: env!("CARGO_MANIFEST_DIR").into(),
    };
    let config: Config = toml::from_str(
        "[scenario.same]\ntolerance = { peak = \"1 KiB\", reason = \"a hash map's seed\" }",
    )
    .expect("a configuration");
    Outcome::of(&evidence, &config).expect("one voice")
}

fn all_same() -> Outcome {
    let evidence = Evidence {
        reports: by_path(vec![report("same")]),
        base: None,
        baselines: Some([("same".into(), Baseline::of(&report("same")))].into()),
        ..Evidence::default()
    };
    Outcome::of(&evidence, &Config::default()).expect("one voice")
}

/// A scenario with changes of all sizes, and a long name.
fn by_degrees() -> Outcome {
    let long = "shop::basket::tests::a_basket_that_is_emptied_each_time_is_as_large_as_before";
    let before = Report {
        live_bytes: 10_000,
        live_blocks: 100,
        total_bytes: 1_000_000,
        step_bytes: 900_000,
        step_blocks: 10_000,
        ..report(long)
    };
    let after = Report {
        peak_bytes: 1_100,
        live_bytes: 10_999,
        live_blocks: 109,
        total_bytes: 1_000_001,
        step_bytes: 900_001,
        step_blocks: 9_999,
        reallocations: 1_000,
        ..before.clone()
    };
    let revision = Base {
        revision: "main".to_owned(),
        commit: "0123456789abcdef0123456789abcdef01234567".to_owned(),
    };
    let evidence = Evidence {
        reports: by_path(vec![after]),
        base: Some((revision, by_path(vec![before]))),
        baselines: None,
        ..Evidence::default()
    };
    Outcome::of(&evidence, &Config::default()).expect("one voice")
}

#[test]
fn the_table() {
    for width in [80, 100, 200] {
        let coloured = text::render(&outcome(), width);
        assert!(
            coloured.contains("\u{1b}[1m\u{1b}[31mfailed"),
            "{coloured:?}"
        );
        let plain = anstream::adapter::strip_str(&coloured).to_string();
        assert!(fits(&plain, width), "{plain}");
        insta::assert_snapshot!(format!("the_table_at_{width}"), plain);
        let plain = text::render(&by_degrees(), width);
        let plain = anstream::adapter::strip_str(&plain).to_string();
        assert!(fits(&plain, width), "{plain}");
        insta::assert_snapshot!(format!("what_hardly_changed_at_{width}"), plain);
    }
    assert_eq!(text::render(&all_same(), 80), "1 same\n");
}

#[test]
fn the_comment() {
    insta::assert_snapshot!(markdown::render(&outcome()));
    insta::assert_snapshot!(
        "the_comment_without_a_change",
        markdown::render(&all_same())
    );
}

#[test]
fn a_comment_is_never_longer_than_one_may_be() {
    let names = |count| (0..count).map(|i| report(&format!("scenario number {i:05}")));
    let evidence = Evidence {
        reports: by_path(names(3_000).map(leak).collect()),
        base: None,
        baselines: Some(BTreeMap::new()),
        ..Evidence::default()
    };
    let outcome = Outcome::of(&evidence, &Config::default()).expect("one voice");
    let comment = markdown::render(&outcome);
    assert!(comment.len() < 65_536, "{}", comment.len());
    assert!(comment.contains("3000 failed, 0 same\n"));
    let rows = comment
        .lines()
        .filter(|line| line.contains("🔴 failed"))
        .count();
    let rest = format!("| | and {} more | | |", 3_000 - rows);
    assert!(rows > 100 && comment.contains(&rest), "{rows} rows");
}

#[test]
fn the_xml() {
    insta::assert_snapshot!(junit::render(&outcome()).expect("XML"));
}

#[test]
fn the_annotations() {
    insta::assert_snapshot!(github::annotations(&outcome(), ""));
    assert_eq!(github::annotations(&all_same(), ""), "");
}

#[test]
fn the_json() {
    let json = serde_json::to_string_pretty(&outcome()).expect("JSON");
    insta::assert_snapshot!(json);
}
