//! Reports that are whole, and every way in which one can be not.

use super::{Acceptable, Process, ReadError, Report, Site, Verdict, read_directory, read_file};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use tempfile::TempDir;

/// A report as the library wrote it.
const BOUNDED: &str = include_str!("../../tests/data/bounded.json");
const GROWING: &str = include_str!("../../tests/data/growing.json");

/// The fields that may be null.
const NULLABLE: [&str; 14] = [
    "variant",
    "location",
    "allocator",
    "repetition",
    "law",
    "detectable_bytes_per_step",
    "detectable_blocks_per_step",
    "settled_by_step",
    "swing_bytes",
    "swing_period_steps",
    "self_test",
    "ending",
    "damage",
    "diagnosis",
];

fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for (name, text) in files {
        fs::write(directory.path().join(name), text).expect("a file in it");
    }
    directory
}

fn read(text: &str) -> Result<Report, ReadError> {
    let directory = directory(&[("x.json", text)]);
    read_file(&directory.path().join("x.json"))
}

/// Checks the message for a file with `text`, its directory left out.
#[track_caller]
fn check_error(text: &str, expected: &str) {
    let directory = directory(&[("x.json", text)]);
    let error = read_file(&directory.path().join("x.json")).unwrap_err();
    let prefix = format!("{}/", directory.path().display());
    assert_eq!(error.to_string().replace(&prefix, ""), expected);
}

/// The report with `changes` made to its fields.
fn changed(changes: &[(&str, Value)]) -> String {
    let mut report: Value = serde_json::from_str(BOUNDED).expect("JSON");
    for (field, value) in changes {
        report[field] = value.clone();
    }
    report.to_string()
}

fn without(field: &str) -> String {
    let mut report: Value = serde_json::from_str(BOUNDED).expect("JSON");
    let removed = report.as_object_mut().expect("an object").remove(field);
    assert!(removed.is_some(), "there is no field {field}");
    report.to_string()
}

#[test]
fn a_whole_report() {
    let report = read(BOUNDED).unwrap();
    assert_eq!(report.name, "last-hundred");
    assert_eq!(report.variant, None);
    assert_eq!(report.growth_bytes, 1_024);
    assert_eq!(report.verdict, Verdict::Bounded);
    assert_eq!(report.law.as_deref(), Some("constant"));
    assert_eq!(report.ceilings[1].ceiling, "peak");
    assert_eq!(report.ceilings[1].limit, 8_192);
    assert_eq!(report.curve.len(), 11);
    assert!(!report.is_failure());
}

#[test]
fn what_is_written_again_reads_the_same() {
    let report = read(BOUNDED).unwrap();
    let again = serde_json::to_string(&report).unwrap();
    assert_eq!(read(&again).unwrap(), report);
}

#[test]
fn unknown_fields_are_ignored() {
    let newer = changed(&[("hostname", json!({"name": "here"}))]);
    assert_eq!(read(&newer).unwrap(), read(BOUNDED).unwrap());
}

#[test]
fn a_report_with_failures_is_one() {
    let failed = changed(&[(
        "failures",
        json!(["peak: 3 B, 2 B above its ceiling of 1 B"]),
    )]);
    assert!(read(&failed).unwrap().is_failure());
    let open = changed(&[("verdict", json!("inconclusive")), ("law", Value::Null)]);
    assert!(!read(&open).unwrap().is_failure());
}

#[test]
fn every_field_must_be_there() {
    let fields: Value = serde_json::from_str(BOUNDED).unwrap();
    for field in fields.as_object().unwrap().keys() {
        let error = read(&without(field)).unwrap_err().to_string();
        let expected = format!("x.json is not a report of schema 1: missing field `{field}` at ");
        assert!(error.contains(&expected), "{error}");
    }
}

#[test]
fn only_some_fields_may_be_null() {
    let fields: Value = serde_json::from_str(BOUNDED).unwrap();
    for field in fields.as_object().unwrap().keys() {
        let result = read(&changed(&[(field, Value::Null)]));
        assert_eq!(
            result.is_ok(),
            NULLABLE.contains(&field.as_str()),
            "{field}"
        );
    }
}

#[test]
fn a_report_that_is_cut_off_anywhere() {
    let end = BOUNDED.trim_end().len();
    for length in (0..end).filter(|length| BOUNDED.is_char_boundary(*length)) {
        let error = read(&BOUNDED[..length]).unwrap_err();
        assert!(
            matches!(error, ReadError::CutOff { .. }),
            "{length}: {error}"
        );
    }
    check_error(
        "{\"schema\": 1,\n  \"name\": \"last-hun",
        "x.json is cut off at line 2, column 19: delete it and run `cargo test` again",
    );
}

#[test]
fn other_things_than_reports() {
    check_error(
        "step,live\n",
        "x.json is not JSON: expected value at line 1 column 1: \
         delete it and run `cargo test` again",
    );
    check_error(
        "[]",
        "x.json is not a report of schema 1: \
         invalid length 0, expected the object that a report is at line 1 column 2: \
         delete it and run `cargo test` again",
    );
    check_error(
        "{}",
        "x.json is not a report of schema 1: missing field `schema` at line 1 column 2: \
         delete it and run `cargo test` again",
    );
    check_error(
        &BOUNDED.replace("\"bounded\"", "\"fine\""),
        "x.json is not a report of schema 1: unknown variant `fine`, \
         expected one of `bounded`, `growing`, `inconclusive` at line 25 column 19: \
         delete it and run `cargo test` again",
    );
    check_error(
        &BOUNDED.replace("\"steps\": 10000", "\"steps\": -1"),
        "x.json is not a report of schema 1: invalid value: integer `-1`, expected u64 \
         at line 9 column 13: delete it and run `cargo test` again",
    );
}

#[test]
fn other_schemas() {
    check_error(
        r#"{"schema": 2, "names": []}"#,
        "x.json was written by a newer highwater (schema 2, this reads 1); \
         update cargo-highwater",
    );
    check_error(
        &changed(&[("schema", json!(0))]),
        "x.json was written by an older highwater (schema 0, this reads 1); \
         update highwater and run `cargo test` again",
    );
}

#[test]
fn a_directory_is_sorted_by_name_and_variant() {
    let named = |name: &str, variant: Option<&str>| {
        changed(&[("name", json!(name)), ("variant", json!(variant))])
    };
    let directory = directory(&[
        ("1.json", &named("b", Some("leaky"))),
        ("2.json", &named("b", None)),
        ("3.json", &named("a", Some("sound"))),
        ("4.json", &named("a", Some("leaky"))),
        ("5.json-17-0.tmp", "cut"),
        ("notes.txt", "none"),
    ]);
    let reports = read_directory(directory.path()).unwrap();
    let order: Vec<_> = reports.iter().map(Report::full_name).collect();
    assert_eq!(order, ["a (leaky)", "a (sound)", "b", "b (leaky)"]);
}

#[test]
fn directories_without_an_answer() {
    let directory = directory(&[("notes.txt", "none")]);
    let missing = directory.path().join("missing");
    let error = read_directory(&missing).unwrap_err();
    assert!(matches!(error, ReadError::NoDirectory(path) if path == missing));
    let error = read_directory(directory.path()).unwrap_err();
    assert!(matches!(error, ReadError::NoReports(path) if path == directory.path()));
    let error = read_directory(&directory.path().join("notes.txt")).unwrap_err();
    assert!(matches!(error, ReadError::Unreadable { .. }));

    fs::create_dir(directory.path().join("folder.json")).unwrap();
    let error = read_directory(directory.path()).unwrap_err();
    assert!(matches!(error, ReadError::Unreadable { .. }));
}

#[test]
fn what_newer_libraries_add_is_read() {
    let older = read(BOUNDED).unwrap();
    assert_eq!((older.test, older.accepted), (None, Vec::new()));
    assert_eq!(older.coverage.process, Process::Shared);
    let newer = changed(&[
        ("test", json!("cache::is_bounded")),
        (
            "accepted",
            json!([{"what": "residue", "reason": "a broker"}]),
        ),
        (
            "coverage",
            json!({
                "process": "own", "threads": 3, "elsewhere_bytes": -7616, "elsewhere_blocks": -21,
                "freed_elsewhere_blocks": 4, "freed_for_others_blocks": 5, "evidence": null,
                "threads_elsewhere": ["rayon-1"],
                "not_judged": [{"figure": "descriptors", "reason": "others ran"}]
            }),
        ),
    ]);
    let newer = read(&newer).unwrap();
    assert_eq!(newer.test.as_deref(), Some("cache::is_bounded"));
    assert_eq!(newer.accepted[0].what, Acceptable::Residue);
    assert_eq!(newer.coverage.threads, Some(3));
    assert_eq!(newer.coverage.not_judged[0].figure, "descriptors");
    let texts: Vec<_> = newer.accepted_texts().collect();
    assert_eq!(texts, ["residue accepted: a broker"]);
}

/// The signature of the first call site that grows, after its report was changed.
fn signature_with(change: impl FnOnce(&mut Site)) -> Option<String> {
    let mut report = read(GROWING).unwrap();
    change(&mut report.diagnosis.as_mut().unwrap().sites[0]);
    report.unbounded_sites().next().and_then(Site::signature)
}

#[test]
fn a_signature_stays_when_lines_and_figures_do_not() {
    let expected = Some("46bbb7c998c661c1".to_owned());
    assert_eq!(signature_with(|_| {}), expected);
    let moved = |site: &mut Site| {
        site.frames[0].line = Some(99);
        site.frames[1].file = None;
        site.growth_bytes = 1;
        site.holders.as_mut().unwrap()[0].blocks = 5_000;
    };
    assert_eq!(signature_with(moved), expected);
    let others: [fn(&mut Site); 4] = [
        |site| site.type_name = Some("Vec<u8>".to_owned()),
        |site| site.frames[1].function = "<Cache>::cost".to_owned(),
        |site| site.holders.as_mut().unwrap()[0].path[0] = "static COSTS".to_owned(),
        |site| site.holders = None,
    ];
    let others: BTreeSet<_> = others.into_iter().map(signature_with).collect();
    assert_eq!(others.len(), 4);
    assert!(!others.contains(&expected) && !others.contains(&None));
    assert_eq!(signature_with(|site| site.frames.clear()), None);
}

#[test]
fn cases_of_one_test_are_told_apart_by_their_names() {
    let case = |number: u32| changed(&[("test", json!(format!("case_{number}")))]);
    let directory = directory(&[("1.json", &case(1)), ("2.json", &case(2))]);
    let error = read_directory(directory.path()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "two scenarios are called `last-hundred`, and they differ: tests/memory.rs:12 in the test \
         `case_1` and tests/memory.rs:12 in the test `case_2`; give one of them another name, or a \
         variant"
    );
}

#[test]
fn a_report_that_was_not_written_is_missed() {
    let said = "highwater: the report of `x` could not be written to /x: it is full\n";
    for files in [
        &[("unwritten-1.txt", said), ("x.json", BOUNDED)][..],
        &[("unwritten-1.txt", said)],
    ] {
        let directory = directory(files);
        let error = read_directory(directory.path()).unwrap_err().to_string();
        let expected = "a scenario was measured and has no report: the report of `x` could not be \
                        written to /x: it is full; see to it, and run the tests again (or delete ";
        assert!(error.starts_with(expected), "{error}");
    }
}
