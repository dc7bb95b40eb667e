//! The places that know the schema must agree: the library that writes reports, the
//! tool that reads them, `docs/report-schema.md`, and the JSON Schemas in `docs/`.

#![forbid(unsafe_code)]

use cargo_highwater::config::Config;
use cargo_highwater::judge::found as judged;
use cargo_highwater::outcome::{Evidence, Outcome};
use cargo_highwater::sweep::found::{Accepted, Change, Found, Known, Status, Swept};
use cargo_highwater::sweep::program::Program;
use highwater::{ByteSize, Scenario};
use highwater_reports::report::{Report, read_file};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

const DOCUMENT: &str = include_str!("../../docs/report-schema.md");

fn written() -> highwater::Report {
    Scenario::new("schema")
        .variant("of the \"tool\"")
        .steps(100)
        .warm_up(10)
        .growth_ceiling(ByteSize::b(0))
        .residue_ceiling(ByteSize::kib(1))
        .run(|| (), |(), i| drop(std::hint::black_box(i.to_string())))
}

/// The example in the document.
fn example() -> &'static str {
    let (_, start) = DOCUMENT.split_once("```json\n").expect("an example");
    let (example, _) = start.split_once("```").expect("its end");
    example
}

/// The first column of each table in the document, one set a table.
fn documented() -> Vec<BTreeSet<String>> {
    let mut tables = Vec::new();
    for line in DOCUMENT.lines() {
        if line.starts_with("| field |") {
            tables.push(BTreeSet::new());
        } else if let Some((field, _)) = line
            .strip_prefix("| `")
            .and_then(|line| line.split_once('`'))
            && let Some(table) = tables.last_mut()
        {
            table.insert(field.to_owned());
        }
    }
    tables
}

fn fields(object: &Value) -> BTreeSet<String> {
    object
        .as_object()
        .expect("an object")
        .keys()
        .cloned()
        .collect()
}

/// The fields of the report, of the objects in it, and of an entry in each of its
/// lists.
fn fields_of_all(report: &Value) -> Vec<BTreeSet<String>> {
    let objects = ["location", "repetition", "self_test", "coverage"];
    let objects = objects.map(|object| fields(&report[object]));
    let not_judged = fields(&report["coverage"]["not_judged"][0]);
    let lists = ["accepted", "resources", "ceilings", "breaches", "curve"];
    let entries = lists.map(|list| fields(&report[list][0]));
    let site = &report["diagnosis"]["sites"][0];
    let diagnosis = [
        &report["diagnosis"],
        site,
        &site["frames"][0],
        &site["holders"][0],
        &report["diagnosis"]["trap"],
    ];
    let diagnosis = diagnosis.map(fields);
    std::iter::once(fields(report))
        .chain(objects)
        .chain([not_judged])
        .chain(entries)
        .chain(diagnosis)
        .collect()
}

#[test]
fn what_the_library_writes_is_read() {
    let written = written();
    let read = read_file(&written.json_path()).expect("a report");
    assert_eq!(read.name, written.name());
    assert_eq!(read.variant.as_deref(), written.variant());
    assert_eq!(read.steps, written.steps());
    assert_eq!(read.warm_up_steps, 10);
    assert_eq!(read.extended_steps, written.extended_steps());
    assert_eq!(read.growth_bytes, written.growth_bytes());
    assert_eq!(read.peak_bytes, written.peak_bytes());
    assert_eq!(read.residue_bytes, written.residue_bytes());
    assert_eq!(read.total_blocks, written.total_blocks());
    assert_eq!(read.verdict.word(), written.verdict().word());
    assert_eq!(read.verdict_reason, written.verdict().reason());
    let ceilings: Vec<_> = read.ceilings.iter().map(|c| c.ceiling.as_str()).collect();
    assert_eq!(ceilings, ["growth", "residue"]);
    assert_eq!(read.curve.len(), written.curve().len());
    assert_eq!(read.is_failure(), written.is_failure());
}

#[test]
fn what_the_library_writes_is_documented() {
    let json: Value = serde_json::from_str(&written().to_json()).expect("JSON");
    assert_eq!(fields(&json), documented()[0]);
}

#[test]
fn the_example_is_documented_and_read() {
    let json: Value = serde_json::from_str(example()).expect("JSON");
    assert_eq!(fields_of_all(&json), documented());
    let report: Report = serde_json::from_str(example()).expect("a report");
    assert!(report.is_failure());
}

#[test]
fn what_is_read_is_documented() {
    let report: Report = serde_json::from_str(example()).expect("a report");
    let json = serde_json::to_value(report).expect("JSON");
    assert_eq!(fields_of_all(&json), documented());
}

/// The schema of `T`, which must be what is published as `file`. With
/// `UPDATE_SCHEMAS=1`, it is published.
fn published<T: JsonSchema>(file: &str) -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let schema = settings.into_generator().into_root_schema_for::<T>();
    let schema = serde_json::to_value(schema).expect("JSON");
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../docs")
        .join(file);
    if std::env::var_os("UPDATE_SCHEMAS").is_some_and(|value| value == "1") {
        let text = serde_json::to_string_pretty(&schema).expect("JSON");
        fs::write(&path, text + "\n").expect("it can be written");
    }
    let text = fs::read_to_string(&path).unwrap_or_default();
    let known: Value = serde_json::from_str(&text).unwrap_or_default();
    assert!(
        known == schema,
        "docs/{file} is not up to date; run the tests with UPDATE_SCHEMAS=1"
    );
    schema
}

#[test]
fn reports_are_as_the_published_schema_says() {
    let schema = published::<Report>("report.schema.json");
    for text in [written().to_json().as_str(), example()] {
        let report: Value = serde_json::from_str(text).expect("JSON");
        jsonschema::validate(&schema, &report).expect("a report");
        let mut lacking = report.clone();
        lacking.as_object_mut().expect("an object").remove("damage");
        assert!(
            !jsonschema::is_valid(&schema, &lacking),
            "nothing may be missing"
        );
    }
}

#[test]
fn outcomes_are_as_the_published_schema_says() {
    let schema = published::<Outcome>("outcome.schema.json");
    let report: Report = serde_json::from_str(example()).expect("a report");
    let evidence = Evidence {
        reports: BTreeMap::from([("x".into(), report)]),
        base: None,
        baselines: Some(BTreeMap::new()),
        ..Evidence::default()
    };
    let outcome = Outcome::of(&evidence, &Config::default()).expect("one voice");
    let outcome = serde_json::to_value(outcome).expect("JSON");
    jsonschema::validate(&schema, &outcome).expect("an outcome");
    let mut other = outcome.clone();
    other["scenarios"][0]["status"] = "fine".into();
    assert!(!jsonschema::is_valid(&schema, &other));
}

const FOUND: Found = Found {
    peak_bytes: Some(30),
    total_bytes: Some(40),
    total_blocks: Some(2),
    left_bytes: Some(10),
    left_blocks: Some(1),
    unreachable_bytes: Some(10),
    unreachable_blocks: Some(1),
    not_searched: None,
    no_figures: None,
    left_sites: None,
    peak_sites: None,
};

#[test]
fn sweeps_are_as_the_published_schema_says() {
    let schema = published::<Vec<Swept>>("sweep.schema.json");
    let known = Swept {
        test: "index::rebuild".to_owned(),
        package: "orders".to_owned(),
        binary: "orders::all".to_owned(),
        status: Status::Passed,
        whole: None,
        found: FOUND,
        before: Some(Known {
            peak_bytes: 10,
            left_bytes: 0,
            left_blocks: 0,
        }),
        change: Some(Change::Worse),
        accepted: vec![Accepted {
            signature: "0f3a96d1c2b4e587".to_owned(),
            reason: "the interner keeps names".to_owned(),
            bytes: 10,
            blocks: 1,
        }],
    };
    let unknown = Swept {
        status: Status::Failed,
        found: Found {
            peak_bytes: None,
            unreachable_bytes: None,
            not_searched: Some("another thread still ran when the process ended".to_owned()),
            no_figures: Some("its process ended by signal: 6 (SIGABRT)".to_owned()),
            ..FOUND
        },
        ..known.clone()
    };
    let tests = serde_json::to_value([known, unknown]).expect("JSON");
    jsonschema::validate(&schema, &tests).expect("a sweep");
    let mut other = tests.clone();
    other[0]["status"] = "fine".into();
    assert!(!jsonschema::is_valid(&schema, &other));
}

#[test]
fn programs_are_as_the_published_schema_says() {
    let schema = published::<Program>("program.schema.json");
    let program = Program {
        command: vec!["sqlite3".to_owned(), "--version".to_owned()],
        exit_code: Some(0),
        found: FOUND,
    };
    let program = serde_json::to_value(program).expect("JSON");
    jsonschema::validate(&schema, &program).expect("a program");
    let mut other = program.clone();
    other["peak_bytes"] = "much".into();
    assert!(!jsonschema::is_valid(&schema, &other));
}

/// What the tool writes is held to the schema in `judge.rs`.
#[test]
fn judged_profiles_have_a_published_schema() {
    let schema = published::<judged::Found>("judge.schema.json");
    assert!(!jsonschema::is_valid(
        &schema,
        &serde_json::json!({"schema": 1})
    ));
}
