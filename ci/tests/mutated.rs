//! Reports, baselines, configurations and outcomes that somebody damaged, or wrote to do
//! damage: none of them makes the tool panic, and none speaks for it.
//!
//! A few values of a valid document take others' places: extreme numbers, hostile texts, other
//! kinds of values. What can still be read goes through everything that is made of it.
//! `PROPTEST_CASES` says how many are tried.

#![forbid(unsafe_code)]

use cargo_highwater::baseline::Baseline;
use cargo_highwater::config::{Config, Date};
use cargo_highwater::outcome::{Base, Evidence, Outcome};
use cargo_highwater::output::{export, github, junit, markdown, text};
use cargo_highwater::{table, view};
use highwater_reports::page::Origin;
use highwater_reports::report::{Report, read_file};
use highwater_reports::{artefacts, page};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Number, Value};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::slice;

/// What is in none of the documents, so that where it comes out it came from the mutation.
const TAG: &str = "<b>hw</b>";

/// Texts that mean something to whom they are printed for.
const HOSTILE: [&str; 14] = [
    "",
    "<b>hw</b>",
    "</script><script>alert(1)</script><b>hw</b>",
    "\n::error::<b>hw</b>",
    "\r\n\u{1b}]0;title\u{7}",
    "\u{202e}desrever\u{2066}",
    "\u{fffe}\u{ffff}\u{0}",
    "@somebody, see `code` | #1 ![x](https://example.org)",
    "../../outside",
    "a\\nb\\u{110000}",
    "=== ` `` ``` ~~~ \\",
    "::",
    "é̀́🦀 wide 漢字",
    "growing",
];

fn numbers() -> [Number; 9] {
    [
        0.into(),
        1.into(),
        (-1).into(),
        i64::MIN.into(),
        i64::MAX.into(),
        u64::MAX.into(),
        Number::from_f64(1e308).expect("it is finite"),
        Number::from_f64(-1e-308).expect("it is finite"),
        Number::from_f64(0.5).expect("it is finite"),
    ]
}

/// One change: of which value, to what.
#[derive(Clone, Debug)]
enum Mutation {
    Number(Index, Index),
    Text(Index, Index),
    Null(Index),
    Remove(Index),
    Repeat(Index),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let place = any::<Index>;
    prop_oneof![
        4 => (place(), place()).prop_map(|(at, to)| Mutation::Number(at, to)),
        4 => (place(), place()).prop_map(|(at, to)| Mutation::Text(at, to)),
        1 => place().prop_map(Mutation::Null),
        1 => place().prop_map(Mutation::Remove),
        1 => place().prop_map(Mutation::Repeat),
    ]
}

fn mutations() -> impl Strategy<Value = Vec<Mutation>> {
    prop::collection::vec(mutation(), 0..5)
}

/// The paths of all values in `value`.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>, wanted: fn(&Value) -> bool) {
    if wanted(value) {
        found.push(at.to_owned());
    }
    match value {
        Value::Array(items) => {
            for (place, item) in items.iter().enumerate() {
                pointers(item, &format!("{at}/{place}"), found, wanted);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                let name = name.replace('~', "~0").replace('/', "~1");
                pointers(field, &format!("{at}/{name}"), found, wanted);
            }
        }
        _ => {}
    }
}

/// One of the values that are `wanted`.
fn pick(document: &mut Value, at: Index, wanted: fn(&Value) -> bool) -> Option<&mut Value> {
    let mut found = Vec::new();
    pointers(document, "", &mut found, wanted);
    let pointer = (!found.is_empty()).then(|| at.get(&found).clone())?;
    document.pointer_mut(&pointer)
}

fn mutate(document: &mut Value, mutation: &Mutation) {
    match mutation {
        Mutation::Number(at, to) => {
            if let Some(number) = pick(document, *at, Value::is_number) {
                *number = to.get(&numbers()).clone().into();
            }
        }
        Mutation::Text(at, to) => {
            if let Some(text) = pick(document, *at, Value::is_string) {
                *text = (*to.get(&HOSTILE)).into();
            }
        }
        Mutation::Null(at) => {
            if let Some(value) = pick(document, *at, |_| true) {
                *value = Value::Null;
            }
        }
        Mutation::Remove(at) => match pick(document, *at, is_filled) {
            Some(Value::Array(items)) => drop(items.pop()),
            Some(Value::Object(fields)) => {
                let name = at.get(&fields.keys().cloned().collect::<Vec<_>>()).clone();
                fields.remove(&name);
            }
            _ => {}
        },
        Mutation::Repeat(at) => {
            if let Some(Value::Array(items)) = pick(document, *at, is_filled) {
                items.extend(items.last().cloned());
            }
        }
    }
}

fn is_filled(value: &Value) -> bool {
    match value {
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        _ => false,
    }
}

fn data(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("reports/tests/data");
    let text = fs::read_to_string(path.join(name)).expect("a report");
    serde_json::from_str(&text).expect("JSON")
}

/// A report, of which some is other than it was.
fn mutated(document: &Value, mutations: &[Mutation]) -> Value {
    let mut document = document.clone();
    for mutation in mutations {
        mutate(&mut document, mutation);
    }
    document
}

/// The report that the tool would read, if it is one.
fn read(directory: &Path, document: &Value) -> Option<Report> {
    let file = directory.join("report.json");
    fs::write(&file, document.to_string()).expect("a file");
    read_file(&file).ok()
}

/// No characters that a terminal or a runner takes for a command.
fn is_plain(text: &str) {
    let hidden = |c: char| {
        c.is_control() && c != '\n'
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    assert!(!text.contains(hidden), "{text:?}");
}

/// Everything that is made of an outcome.
fn tell(outcome: &Outcome) {
    for width in [80, 100] {
        // Its own colours are styles of text, which end with an `m`.
        let text = text::render(outcome, width).replace("\u{1b}[", "");
        is_plain(&text);
    }
    let comment = markdown::render(outcome);
    is_plain(&comment);
    let annotations = github::annotations(outcome, "");
    is_plain(&annotations);
    for line in annotations.lines() {
        let is_ours = line.starts_with("::error ") || line.starts_with("::warning ");
        assert!(is_ours, "{annotations:?}");
    }
    let junit = junit::render(outcome).expect("it is written to memory");
    let is_foreign =
        |c: char| matches!(c, '\u{fffe}' | '\u{ffff}' | '\0'..='\u{8}' | '\u{b}'..='\u{1f}');
    assert!(!junit.contains(is_foreign), "{junit:?}");
    assert!(!junit.contains(TAG), "{junit}");
}

/// Everything that is made of reports: the second takes the place of the base's.
fn tell_of(directory: &Path, head: Report, base: Option<Report>, config: &Config) {
    let _ = table::render(slice::from_ref(&head), 80);
    for format in [export::Format::Bencher, export::Format::GithubBenchmark] {
        let exported = export::render(slice::from_ref(&head), format);
        serde_json::from_str::<Value>(&exported).expect("it is JSON");
    }
    assert!(!page::render(&head, &Origin::default()).contains(TAG));
    let _ = artefacts::write(&head, &Origin::default(), &directory.join("artefacts"));
    let known = Baseline::of(&head);
    let file = directory.join("baseline.txt");
    known.write(&file).expect("a file");
    assert_eq!(Baseline::read(&file).expect("it was just written"), known);

    let path = PathBuf::from("target/name.txt");
    let one = |report: Report| BTreeMap::from([(path.clone(), report)]);
    let revision = Base {
        revision: "main".to_owned(),
        commit: "0123456789abcdef".to_owned(),
    };
    let baselines = base.as_ref().map(Baseline::of);
    let evidence = Evidence {
        reports: one(head),
        base: base.map(|base| (revision, one(base))),
        baselines: baselines.map(|known| BTreeMap::from([(path.clone(), known)])),
        ..Evidence::default()
    };
    let Ok(outcome) = Outcome::of(&evidence, config) else {
        return;
    };
    tell(&outcome);
    assert!(!view::render(&outcome, &evidence, &Origin::default()).contains(TAG));
    let json = serde_json::to_string(&outcome).expect("JSON");
    let read = Outcome::read(&json).expect("it was just written");
    tell(&read);
}

const CONFIGURATION: &str = r#"
[ceilings]
growth = "64 KiB"

[gate]
blocks = ["growing", "peak"]

[scenario."last-*"]
ceilings = { peak = "1 MB", residue = "none" }
tolerance = { growth = "1 KiB", reason = "threads" }

[[accepted-leak]]
signature = "0123456789abcdef"
scenario = "orders"
reason = "known"
until = "2027-01-31"
"#;

/// What the configuration takes for today.
fn today() -> Date {
    "2026-11-01".parse().expect("a date")
}

/// Pieces that are put into texts that are no JSON.
const PIECES: [&str; 12] = [
    "\"",
    "[",
    "]",
    "=",
    "\n",
    "\u{0}",
    "99999999999999999999",
    "-",
    "\\u{",
    "é",
    "none",
    ",",
];

/// The text with so many pieces in it, or without some of its characters.
fn damaged(text: &str, changes: &[(Index, Index, bool)]) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    for (at, piece, is_removed) in changes {
        let at = at.index(characters.len());
        if *is_removed {
            let end = characters.len().min(at + 3);
            characters.drain(at..end);
        } else {
            characters.splice(at..at, piece.get(&PIECES).chars());
        }
        if characters.is_empty() {
            characters.push(' ');
        }
    }
    characters.into_iter().collect()
}

fn changes() -> impl Strategy<Value = Vec<(Index, Index, bool)>> {
    prop::collection::vec(any::<(Index, Index, bool)>(), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_report_makes_the_tool_panic_or_speaks_for_it(
        (is_growing, of_head, of_base, has_base) in
            (any::<bool>(), mutations(), mutations(), any::<bool>())
    ) {
        let directory = tempfile::tempdir().expect("a directory");
        let document = data(if is_growing { "growing.json" } else { "bounded.json" });
        let head = read(directory.path(), &mutated(&document, &of_head));
        let base = read(directory.path(), &mutated(&document, &of_base));
        if let Some(mut head) = head {
            let file = directory.path().join("highwater.toml");
            fs::write(&file, CONFIGURATION).expect("a file");
            let config = Config::read(&file, today()).expect("a configuration");
            let _ = config.apply(&mut head);
            tell_of(directory.path(), head, base.filter(|_| has_base), &config);
        }
    }

    #[test]
    fn no_outcome_makes_the_tool_panic_or_speaks_for_it(of_outcome in mutations()) {
        let path = PathBuf::from("target/name.txt");
        let report = |name| serde_json::from_value::<Report>(data(name)).expect("a report");
        let evidence = Evidence {
            reports: BTreeMap::from([(path.clone(), report("growing.json"))]),
            baselines: Some(BTreeMap::from([(path, Baseline::of(&report("bounded.json")))])),
            ..Evidence::default()
        };
        let outcome = Outcome::of(&evidence, &Config::default()).expect("an outcome");
        let document = serde_json::to_value(&outcome).expect("JSON");
        if let Ok(outcome) = Outcome::read(&mutated(&document, &of_outcome).to_string()) {
            tell(&outcome);
        }
    }

    #[test]
    fn no_configuration_and_no_baseline_makes_the_tool_panic(
        of_configuration in changes(), of_baseline in changes()
    ) {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("highwater.toml");
        fs::write(&file, damaged(CONFIGURATION, &of_configuration)).expect("a file");
        let mut report: Report = serde_json::from_value(data("growing.json")).expect("a report");
        let base = report.clone();
        let config = match Config::read(&file, today()) {
            Ok(config) => config,
            Err(error) => {
                prop_assert!(!error.to_string().is_empty());
                Config::default()
            }
        };
        let _ = config.apply(&mut report);
        tell_of(directory.path(), report, Some(base), &config);

        let known: Report = serde_json::from_value(data("bounded.json")).expect("a report");
        let text = damaged(&Baseline::of(&known).to_text(), &of_baseline);
        let file = directory.path().join("damaged.txt");
        fs::write(&file, text).expect("a file");
        if let Ok(read) = Baseline::read(&file) {
            prop_assert!(read.to_text().starts_with("highwater baseline 1\n"));
        }
    }
}
