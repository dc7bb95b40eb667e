//! What the tests of a package are known to allocate: one file a package, one line a test, to be
//! committed and reviewed.
//!
//! The figures hold for one toolchain, system and profile; each of these has a folder of its own.

use super::found::{Known, Status, Swept};
use super::{Extent, SweepError};
use crate::project::io_error;
use highwater::__private::Thousands;
use highwater_reports::file::write_atomically;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use toml_edit::Key;

/// The version of the files' form.
const VERSION: u32 = 1;
/// The first lines of each.
const HEADER: &str = "# What tests are known to allocate, in bytes and blocks.\n\
                      # `cargo highwater sweep --bless` writes this file.\n";

/// The tests of a package: by binary, then by name.
pub type Package = BTreeMap<String, BTreeMap<String, Known>>;

/// What is recorded, by package.
pub type Packages = BTreeMap<String, Package>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Recorded {
    version: u32,
    #[serde(default)]
    binary: Package,
}

/// What was found of these tests.
pub fn found(tests: &[Swept]) -> Packages {
    let mut packages = Packages::new();
    for test in tests {
        let package = packages.entry(test.package.clone()).or_default();
        let binary = package.entry(test.binary.clone()).or_default();
        binary.extend(Known::of(test).map(|known| (test.test.clone(), known)));
    }
    packages
}

/// What is recorded in `folder` of these packages; of one without a file, nothing.
///
/// # Errors
/// If a file can't be read or understood.
pub fn read(folder: &Path, names: &BTreeSet<&str>) -> Result<Packages, SweepError> {
    let mut packages = Packages::new();
    for name in names {
        let path = file(folder, name);
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            text => text.map_err(io_error(&path))?,
        };
        let malformed = |problem: String| SweepError::Recorded {
            path: path.clone(),
            problem,
        };
        let recorded: Recorded =
            toml::from_str(&text).map_err(|error| malformed(error.to_string()))?;
        if recorded.version != VERSION {
            let version = recorded.version;
            return Err(malformed(format!(
                "`version` is {version}, and this tool knows {VERSION}\n"
            )));
        }
        packages.insert((*name).to_owned(), recorded.binary);
    }
    Ok(packages)
}

/// Records what was found of these tests in `folder`, in place of what is `known` of as much as
/// was swept. A test that failed or has no figures keeps what it has.
///
/// # Errors
/// If a file can't be written.
pub fn write(
    folder: &Path,
    known: &Packages,
    tests: &[Swept],
    extent: Extent,
) -> Result<(), SweepError> {
    let is_skipped = |test: &&Swept| test.status == Status::Skipped;
    let skipped: Vec<_> = tests.iter().filter(is_skipped).collect();
    for (name, found) in found(tests) {
        let mut package = known.get(&name).cloned().unwrap_or_default();
        if extent == Extent::All {
            package.retain(|binary, _| found.contains_key(binary));
        }
        for (binary, found) in found {
            let is_whole = extent != Extent::Tests;
            let is_there = |name: &String| {
                let of_test = |test: &Swept| test.binary == binary && test.test == *name;
                tests.iter().any(of_test)
            };
            let recorded = package.entry(binary.clone()).or_default();
            if is_whole && !skipped.iter().any(|test| test.binary == binary) {
                recorded.retain(|name, _| is_there(name));
            }
            recorded.extend(found);
        }
        package.retain(|_, tests| !tests.is_empty());
        let path = file(folder, &name);
        write_atomically(&path, &text(&package)).map_err(io_error(&path))?;
    }
    Ok(())
}

/// Packages have names that are names of files too.
fn file(folder: &Path, package: &str) -> PathBuf {
    folder.join(package).with_added_extension("toml")
}

fn text(package: &Package) -> String {
    let mut text = format!("{HEADER}version = {VERSION}\n");
    let number = |number: u64| Thousands(number).to_string().replace(',', "_");
    for (binary, tests) in package {
        text += &format!("\n[binary.{}]\n", Key::new(binary));
        for (name, known) in tests {
            text += &format!(
                "{} = {{ peak_bytes = {}, left_bytes = {}, left_blocks = {} }}\n",
                Key::new(name),
                number(known.peak_bytes),
                number(known.left_bytes),
                number(known.left_blocks)
            );
        }
    }
    text
}
