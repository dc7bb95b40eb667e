//! What can be checked about the source itself.

#![forbid(unsafe_code)]

use cargo_metadata::semver::Version;
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const LONGEST_FILE: usize = 500;
const LONGEST_FUNCTION: usize = 70;
const LINUX: &str = "x86_64-unknown-linux-gnu";

fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().expect("the workspace is above").to_owned()
}

fn metadata() -> Metadata {
    let mut command = MetadataCommand::new();
    command.manifest_path(root().join("Cargo.toml")).no_deps();
    command.exec().expect("cargo describes the workspace")
}

/// Every Rust file of the workspace's crates, with its text.
fn sources() -> Vec<(PathBuf, String)> {
    let mut folders: Vec<_> = ["harness", "fixtures", "scenarios", "tests", "ci"]
        .iter()
        .map(|folder| root().join(folder))
        .collect();
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the folder is there") {
            let path = entry.expect("its entries can be read").path();
            if path.is_dir() && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("source is text");
                files.push((path, text));
            }
        }
    }
    assert!(files.len() > 30, "the sources were found");
    files
}

#[test]
fn files_and_functions_are_short() {
    let mut long = Vec::new();
    for (path, text) in sources() {
        let lines: Vec<_> = text.lines().collect();
        if lines.len() > LONGEST_FILE {
            long.push(format!("{}: {} lines", path.display(), lines.len()));
        }
        for (start, length) in functions(&lines) {
            if length > LONGEST_FUNCTION {
                long.push(format!(
                    "{}:{start}: a function of {length} lines",
                    path.display()
                ));
            }
        }
    }
    assert!(long.is_empty(), "\n{}", long.join("\n"));
}

/// First line and length of each function, as rustfmt lays them out: it ends at
/// the first closing brace in the column where it started.
fn functions(lines: &[&str]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let indent = &line[..line.len() - code.len()];
        let words: Vec<_> = code.split_whitespace().take(5).collect();
        let is_function = words.contains(&"fn") && !code.starts_with("//") && !code.contains('"');
        if is_function && !line.ends_with(['}', ';']) {
            let end = format!("{indent}}}");
            if let Some(length) = lines[at..].iter().position(|line| *line == end) {
                found.push((at + 1, length + 1));
            }
        }
    }
    found
}

#[test]
fn the_measure_of_functions_works() {
    let text =
        "impl A {\n    pub fn b(&self) {\n        c();\n    }\n}\nfn d() {}\nfn e()\nwhere\n{\n}";
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(functions(&lines), [(2, 3), (7, 4)]);
}

#[test]
fn every_file_says_what_it_is_for() {
    for (path, text) in sources() {
        assert!(
            text.starts_with("//! "),
            "{} has no module docs",
            path.display()
        );
    }
}

/// `unsafe` lives below `harness/src/alloc/`, and where processes are started; every other
/// crate forbids it, and the harness denies it outside those modules.
#[test]
fn unsafe_code_is_where_it_belongs() {
    for package in &metadata().packages {
        for target in &package.targets {
            let text = fs::read_to_string(&target.src_path).expect("the target is there");
            let denies = package.name == "highwater" && text.contains("#![deny(unsafe_code)]");
            assert!(
                denies || text.contains("#![forbid(unsafe_code)]"),
                "{} does not forbid unsafe code",
                target.src_path
            );
        }
    }
    // The last two test what only calls of the system can provoke.
    let allowed = [
        "harness/src/alloc/mod.rs",
        "harness/src/isolation/system.rs",
        "harness/tests/c_heap.rs",
        "harness/tests/foreign_threads.rs",
        "harness/tests/holders.rs",
        "harness/tests/overruns.rs",
        "harness/tests/survival.rs",
    ];
    for (path, text) in sources() {
        let allows = text.contains("allow(unsafe_code)") && !path.ends_with("tests/tidy.rs");
        let may = allowed.iter().any(|file| path.ends_with(file));
        assert!(!allows || may, "{} allows unsafe code", path.display());
    }
}

/// Dependencies point one way. Every edge between our crates is listed here;
/// the fixtures know nothing of the harness, and nobody needs the command-line tool.
#[test]
fn dependencies_point_one_way() {
    let allowed = BTreeSet::from([
        ("highwater", "highwater-macros"),
        ("highwater-monitor", "highwater"),
        ("highwater-monitor", "highwater-reports"),
        ("highwater-reports", "highwater"),
        ("highwater-scenarios", "highwater"),
        ("highwater-scenarios", "highwater-fixtures"),
        ("highwater-scenarios", "highwater-monitor"),
        ("highwater-scenarios", "highwater-reports"),
        ("highwater-tests", "highwater"),
        ("highwater-tests", "highwater-fixtures"),
        ("highwater-tests", "highwater-scenarios"),
        ("cargo-highwater", "highwater"),
        ("cargo-highwater", "highwater-monitor"),
        ("cargo-highwater", "highwater-reports"),
    ]);
    let metadata = metadata();
    let ours: BTreeSet<_> = metadata
        .packages
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    assert_eq!(ours.len(), 8);
    for package in &metadata.packages {
        for dependency in &package.dependencies {
            let edge = (package.name.as_str(), dependency.name.as_str());
            // A package names itself to be tested with all of its features.
            let is_for_tests = dependency.kind == DependencyKind::Development
                && (edge == ("highwater-macros", "highwater") || edge.0 == edge.1);
            if ours.contains(edge.1) && !is_for_tests {
                assert!(allowed.contains(&edge), "{} depends on {}", edge.0, edge.1);
            }
        }
    }
}

/// What everyone who uses the harness has to take along.
#[test]
fn the_harness_depends_on_almost_nothing() {
    let metadata = metadata();
    let package = |name: &str| {
        let mut all = metadata.packages.iter();
        all.find(|package| package.name.as_str() == name)
            .expect("the package is there")
    };
    let normal = |name: &str| {
        let dependencies = package(name).dependencies.iter();
        // The macros are optional, but there unless somebody says otherwise.
        let normal = dependencies.filter(|d| {
            d.kind == DependencyKind::Normal && (!d.optional || d.name == "highwater-macros")
        });
        normal.map(|d| d.name.clone()).collect::<BTreeSet<_>>()
    };
    let named = |names: &[&str]| {
        names
            .iter()
            .map(ToString::to_string)
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(
        normal("highwater"),
        named(&["highwater-macros", "libc", "pin-project-lite"])
    );
    assert_eq!(
        normal("highwater-macros"),
        named(&["proc-macro2", "quote", "syn"])
    );
}

/// All that comes along with the harness by default on Linux x86-64, where that is the most,
/// and the harness itself: name and version, and the oldest Rust that it says it needs.
fn rust_needed_by_the_harness() -> Vec<(String, Version)> {
    let mut tree = Command::new(env!("CARGO"));
    tree.args(["tree", "--locked", "--package=highwater", "--edges=normal"])
        .args(["--prefix=none", "--format={p}"])
        .args(["--target", LINUX, "--color=never"])
        .current_dir(root());
    let tree = tree.output().expect("cargo starts");
    assert!(tree.status.success(), "{tree:?}");
    let tree = String::from_utf8(tree.stdout).expect("names are text");
    let tree: BTreeSet<_> = tree
        .lines()
        .filter_map(|line| line.split_once(" v"))
        .map(|(name, rest)| (name, rest.split(' ').next().unwrap_or_default()))
        .collect();
    assert!(tree.len() > 10, "cargo printed the tree: {tree:?}");
    let mut command = MetadataCommand::new();
    command.manifest_path(root().join("Cargo.toml"));
    command.other_options(["--locked", "--filter-platform", LINUX].map(str::to_owned));
    let metadata = command.exec().expect("cargo describes the packages");
    let needed = metadata.packages.into_iter().filter_map(|package| {
        let version = package.version.to_string();
        let comes_along = tree.contains(&(package.name.as_str(), version.as_str()));
        let rust = package.rust_version.filter(|_| comes_along)?;
        Some((format!("{} {version}", package.name), rust))
    });
    needed.collect()
}

/// The oldest Rust that the harness says it needs is enough for all that comes along with it,
/// and no newer than that.
#[test]
fn the_harness_says_how_old_a_rust_will_do() {
    let needed = rust_needed_by_the_harness();
    let version = &metadata().packages[0].version;
    let (ours, theirs): (Vec<_>, Vec<_>) = needed
        .into_iter()
        .partition(|(package, _)| *package == format!("highwater {version}"));
    let [(_, said)] = ours.as_slice() else {
        panic!("the harness is there once: {ours:?}");
    };
    let newest = theirs.iter().max_by_key(|(_, rust)| rust);
    let newest = newest.expect("some dependencies say what they need");
    assert_eq!(&newest.1, said, "{} sets it", newest.0);
    let readme = fs::read_to_string(root().join("README.md")).expect("the file is there");
    let words = format!("Rust {}.{} or later", said.major, said.minor);
    assert!(readme.contains(&words), "README.md lacks `{words}`");
}

#[test]
fn the_attribute_reads_units_as_the_library_does() {
    let read = |path: &str| fs::read_to_string(root().join(path)).expect("it is there");
    let copy = read("harness/macros/src/units.rs");
    assert_eq!(copy, read("harness/src/text/units.rs"), "copy it there");
}

#[test]
fn the_readme_and_the_ci_agree_on_the_commands() {
    let read = |file: &str| fs::read_to_string(root().join(file)).expect("the file is there");
    let readme = read("README.md");
    for command in ["cargo run --release", "cargo test --workspace"] {
        assert!(readme.contains(command), "README.md lacks `{command}`");
    }
    assert!(read(".ci/run").contains("\ncargo test --workspace\n"));
}

#[test]
fn the_changelog_has_this_version() {
    let changelog = fs::read_to_string(root().join("CHANGELOG.md")).expect("it is there");
    let version = &metadata().packages[0].version;
    assert!(
        changelog.contains("## [Unreleased]") || changelog.contains(&format!("## [{version}]")),
        "CHANGELOG.md says nothing of {version}"
    );
}

/// Every page that one of ours links to is there.
#[test]
fn links_between_documents_lead_somewhere() {
    let mut documents = vec![
        root().join("README.md"),
        root().join("ARCHITECTURE.md"),
        root().join("CHANGELOG.md"),
    ];
    let pages = fs::read_dir(root().join("docs")).expect("the folder is there");
    let pages = pages.map(|page| page.expect("its entries can be read").path());
    documents.extend(pages.filter(|page| page.extension() == Some("md".as_ref())));
    assert!(documents.len() > 10, "the pages were found");
    for path in documents {
        let document = path.display();
        let text = fs::read_to_string(&path).expect("the document is there");
        for link in text.split("](").skip(1) {
            let target = link.split([')', '#']).next().unwrap_or_default();
            if !target.is_empty() && !target.contains("://") {
                let file = path.parent().expect("a folder").join(target);
                assert!(
                    file.exists(),
                    "{document} links to {target}, which is not there"
                );
            }
        }
    }
}

/// Every page links to a term where it first uses it, so each link's term is there; and the
/// terms are in the order of the alphabet.
#[test]
fn the_glossary_has_each_term_that_is_linked() {
    let glossary = fs::read_to_string(root().join("docs/glossary.md")).expect("it is there");
    let terms = glossary.split("<a id=\"").skip(1);
    let terms: Vec<_> = terms.filter_map(|rest| rest.split('"').next()).collect();
    assert!(terms.is_sorted(), "{terms:?}");
    let mut links = 0;
    for page in fs::read_dir(root().join("docs")).expect("the folder is there") {
        let path = page.expect("its entries can be read").path();
        if path.extension() == Some("md".as_ref()) {
            let text = fs::read_to_string(&path).expect("a page is text");
            for link in text.split("(glossary.md#").skip(1) {
                let term = link.split(')').next().unwrap_or_default();
                assert!(terms.contains(&term), "{} links to {term}", path.display());
                links += 1;
            }
        }
    }
    assert!(links > 40, "the links were found");
}

/// Each file and folder that the map names is there, in full or below its room. So are those
/// of the page on the inside.
#[test]
fn the_map_names_what_is_there() {
    let pages = ["ARCHITECTURE.md", "docs/internals.md"];
    let read = |page| fs::read_to_string(root().join(page)).expect("the page is there");
    let map = pages.map(read).join("\n");
    let mut known: BTreeSet<_> = sources().into_iter().map(|(path, _)| path).collect();
    for path in known.clone() {
        known.extend(path.ancestors().map(Path::to_owned));
    }
    let quoted = map.split('`').skip(1).step_by(2);
    let named: Vec<_> = { quoted }
        .filter(|name| !name.contains([' ', '(', '<', '$']))
        .filter(|name| name.ends_with('/') || Path::new(name).extension() == Some("rs".as_ref()))
        .filter(|name| *name != "target/" && !name.starts_with(['/', '_']))
        .collect();
    assert!(named.len() > 40, "the paths were found");
    let is_missing = |name: &&&str| {
        let is_below = |path: &PathBuf| path.ends_with(name.trim_end_matches('/'));
        !root().join(name).exists() && !known.iter().any(is_below)
    };
    let missing: Vec<_> = named.iter().filter(is_missing).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
