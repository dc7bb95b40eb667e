//! Which module uses which: the rooms of the library and the edges between them, and no
//! circles anywhere.
//!
//! Uses are found in the text, by paths that start with `crate` or `super`. A module and the
//! one that it stands in may use each other: they are one thing in several files.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms of `harness/src`, from the lowest up, and which of those before it each uses.
const ROOMS: &[(&str, &[&str])] = &[
    ("text", &[]),
    ("alloc", &[]),
    ("options", &[]),
    ("symbols", &["text"]),
    ("scope", &["alloc", "symbols", "text"]),
    ("verdict", &["text"]),
    ("holders", &["alloc", "symbols", "text"]),
    (
        "diagnosis",
        &["alloc", "holders", "symbols", "text", "verdict"],
    ),
    (
        "isolation",
        &["alloc", "options", "scope", "symbols", "text"],
    ),
    (
        "report",
        &[
            "alloc",
            "diagnosis",
            "holders",
            "isolation",
            "symbols",
            "text",
            "verdict",
        ],
    ),
    (
        "scenario",
        &[
            "alloc",
            "diagnosis",
            "holders",
            "isolation",
            "options",
            "report",
            "scope",
            "text",
            "verdict",
        ],
    ),
    ("audit", &["scenario", "text"]),
];

const MOST_ROOMS: usize = 12;

/// The modules of a crate by their paths, and what each uses.
type Uses = BTreeMap<String, BTreeSet<String>>;

#[test]
fn each_room_uses_those_that_it_may() {
    let uses = uses(&root().join("harness/src"));
    let mut found: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (module, used) in uses.iter().filter(|(module, _)| !module.is_empty()) {
        let edges = found.entry(room(module)).or_default();
        edges.extend(used.iter().map(|used| room(used)));
    }
    for (room, edges) in &mut found {
        edges.remove(room);
        // What stands in the crate's root is said there, not used from there.
        edges.remove("");
    }
    let allowed = |(room, edges): &(&'static str, &[&'static str])| {
        (*room, edges.iter().copied().collect::<BTreeSet<_>>())
    };
    assert_eq!(found, ROOMS.iter().map(allowed).collect());
    assert!(ROOMS.len() <= MOST_ROOMS);
}

#[test]
fn rooms_use_lower_ones() {
    for (at, (room, edges)) in ROOMS.iter().enumerate() {
        let lower: Vec<_> = ROOMS[..at].iter().map(|(room, _)| room).collect();
        assert!(edges.iter().all(|edge| lower.contains(&edge)), "{room}");
    }
}

#[test]
fn no_modules_use_each_other_in_a_circle() {
    let folders = [
        "harness/src",
        "harness/monitor/src",
        "fixtures/src",
        "scenarios/src",
        "ci/src",
        "ci/reports/src",
    ];
    let mut circles = Vec::new();
    for folder in folders.map(|folder| root().join(folder)) {
        let uses = uses(&folder);
        assert!(uses.len() > 3, "{} has modules", folder.display());
        if let Some(circle) = circle(&uses) {
            circles.push(format!("{}: {}", folder.display(), circle.join(" -> ")));
        }
    }
    assert!(circles.is_empty(), "\n{}", circles.join("\n"));
}

#[test]
fn a_circle_is_found_and_a_ladder_is_none() {
    let graph = |edges: &[(&str, &str)]| {
        let mut uses = Uses::new();
        for (from, to) in edges {
            uses.entry((*to).to_owned()).or_default();
            let of_it = uses.entry((*from).to_owned()).or_default();
            of_it.insert((*to).to_owned());
        }
        uses
    };
    let ladder = [("a", "b"), ("b", "c"), ("a", "c")];
    assert_eq!(circle(&graph(&ladder)), None);
    let round = [("a", "b"), ("b", "c"), ("c", "a")];
    assert!(circle(&graph(&round)).is_some());
}

#[test]
fn paths_are_read_as_the_compiler_reads_them() {
    let text = "use super::{one::{A, B}, two};\nuse crate::three::C;\nlet x = crate::four::f();";
    let expected = [
        "super::one::A",
        "super::one::B",
        "super::two",
        "crate::three::C",
    ];
    let mut paths = paths(text);
    assert_eq!(paths.pop().as_deref(), Some("crate::four::f"));
    assert_eq!(paths, expected);
    assert_eq!(absolute("a::b", "super::one::A"), "a::one::A");
    assert_eq!(absolute("a::b", "super::super::one"), "one");
    assert_eq!(absolute("a::b", "crate::one"), "one");
}

fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().expect("the workspace is above").to_owned()
}

fn room(module: &str) -> &str {
    module.split("::").next().unwrap_or_default()
}

/// The modules of the crate in this folder, but for those that stand in for one on another
/// system, and their tests.
fn uses(folder: &Path) -> Uses {
    let mut texts = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).expect("the folder is there") {
            let path = entry.expect("its entries can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("source is text");
                let code = text.split("#[cfg(test)]\nmod").next().unwrap_or_default();
                texts.insert(module(folder, &path), code.to_owned());
            }
        }
    }
    texts.retain(|module, _| {
        let is_of_tests =
            |name: &str| name == "tests" || name.ends_with("_tests") || name == "model";
        !module
            .split("::")
            .any(|name| is_of_tests(name) || name.starts_with("no_"))
    });
    let modules: BTreeSet<_> = texts.keys().cloned().collect();
    let used = |(module, text): (String, String)| {
        let paths = paths(&text).into_iter();
        let used = paths.filter_map(|path| longest(&modules, &absolute(&module, &path)));
        let used = used.filter(|used| !are_one(used, &module)).collect();
        (module, used)
    };
    texts.into_iter().map(used).collect()
}

/// The path of the module in a file.
fn module(folder: &Path, file: &Path) -> String {
    let path = file.strip_prefix(folder).expect("it is in the folder");
    let path = path.with_extension("");
    let names = path.iter().map(|name| name.to_string_lossy().into_owned());
    let names: Vec<_> = names
        .filter(|name| !["mod", "lib", "main"].contains(&&**name))
        .collect();
    names.join("::")
}

/// Whether one stands in the other.
fn are_one(a: &str, b: &str) -> bool {
    let is_in = |a: &str, b: &str| b.is_empty() || a == b || a.starts_with(&format!("{b}::"));
    is_in(a, b) || is_in(b, a)
}

/// All paths from `crate` or `super` on, one for each name in braces.
fn paths(text: &str) -> Vec<String> {
    let code: Vec<_> = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect();
    let code = code.join("\n");
    let mut found = Vec::new();
    let mut rest = &*code;
    while let Some(at) = [rest.find("crate::"), rest.find("super::")]
        .into_iter()
        .flatten()
        .min()
    {
        let is_start =
            !rest[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_');
        let end = expand("", &rest[at..], &mut found, is_start);
        rest = &rest[at + end.max(1)..];
    }
    found
}

/// Writes down the paths that start here; says how much of the text they take.
fn expand(prefix: &str, text: &str, found: &mut Vec<String>, is_wanted: bool) -> usize {
    let is_of_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let length = text.find(|c| !is_of_path(c)).unwrap_or(text.len());
    let path = format!("{prefix}{}", text[..length].trim_end_matches("::"));
    if !text[length..].starts_with('{') || !text[..length].ends_with("::") && !prefix.is_empty() {
        if is_wanted {
            found.push(path);
        }
        return length;
    }
    let mut at = length + 1;
    while at < text.len() && !text[at..].starts_with('}') {
        if text[at..].starts_with(is_of_path) {
            at += expand(&format!("{path}::"), &text[at..], found, is_wanted);
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    at + 1
}

/// A path as seen from the crate's root.
fn absolute(module: &str, path: &str) -> String {
    if let Some(path) = path.strip_prefix("crate::") {
        return path.to_owned();
    }
    let mut base: Vec<_> = module.split("::").collect();
    let mut rest = path;
    while let Some(inner) = rest.strip_prefix("super::") {
        base.pop();
        rest = inner;
    }
    base.push(rest);
    base.join("::")
}

/// The innermost module on a path.
fn longest(modules: &BTreeSet<String>, path: &str) -> Option<String> {
    let mut path = path;
    loop {
        if modules.contains(path) {
            return Some(path.to_owned());
        }
        path = &path[..path.rfind("::")?];
    }
}

/// A circle of uses, if there is one.
fn circle(uses: &Uses) -> Option<Vec<String>> {
    let mut left: BTreeSet<_> = uses.keys().collect();
    loop {
        let is_last = |module: &&&String| uses[**module].iter().all(|used| !left.contains(used));
        let last: Vec<_> = left.iter().filter(is_last).copied().collect();
        if last.is_empty() {
            break;
        }
        left.retain(|module| !last.contains(module));
    }
    let mut way = vec![*left.first()?];
    loop {
        let edges = &uses[way[way.len() - 1]];
        let next = edges.iter().find(|module| left.contains(module))?;
        if let Some(start) = way.iter().position(|module| *module == next) {
            way.push(next);
            return Some(
                way[start..]
                    .iter()
                    .map(|module| (*module).clone())
                    .collect(),
            );
        }
        way.push(next);
    }
}
