//! What is written for dhat's viewer, beside a file that the crate `dhat` wrote.

#![forbid(unsafe_code)]

use highwater_reports::artefacts;
use highwater_reports::page::Origin;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::hint::black_box;
use std::path::Path;

#[global_allocator]
static ALLOC: dhat::Alloc = dhat::Alloc;

fn json(path: &Path) -> Value {
    let text = fs::read_to_string(path).expect("it was written");
    serde_json::from_str(&text).expect("JSON")
}

/// The names of the fields, and whether they are texts, numbers, truths or lists.
fn kinds(object: &Value) -> BTreeMap<&str, &'static str> {
    let kind = |value: &Value| match value {
        Value::Bool(_) => "truth",
        Value::Number(number) if number.is_u64() => "number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        _ => "something else",
    };
    let fields = object.as_object().expect("an object").iter();
    fields
        .map(|(name, value)| (name.as_str(), kind(value)))
        .collect()
}

#[test]
fn the_fields_are_those_of_dhats_own_files() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("theirs.json");
    let profiler = dhat::Profiler::builder().file_name(&file).build();
    let kept = black_box(vec![1_u8; 1_000]);
    drop(profiler);
    drop(kept);
    let theirs = json(&file);

    let report = include_str!("data/growing.json");
    let report = serde_json::from_str(report).expect("a report");
    artefacts::write(&report, &Origin::default(), directory.path()).expect("it can be written");
    let ours = json(&directory.path().join("dhat.json"));

    assert_eq!(kinds(&ours), kinds(&theirs));
    for same in ["dhatFileVersion", "mode", "verb", "bklt", "bkacc"] {
        assert_eq!(ours[same], theirs[same], "{same}");
    }
    assert_eq!(ours["ftbl"][0], theirs["ftbl"][0]);
    let mut of_site = kinds(&theirs["pps"][0]);
    // Nobody measures lifetimes, and the viewer asks for none.
    assert_eq!(of_site.remove("tl"), Some("number"));
    for site in ours["pps"].as_array().expect("a list") {
        assert_eq!(kinds(site), of_site);
    }
}
