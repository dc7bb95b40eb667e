//! Manifests: the dependency and the profile, put in beside what is there.

use super::InitError;
use std::path::Path;
use toml_edit::{DocumentMut, Item, Table, Value, value};

pub(super) fn read(path: &Path, text: &str) -> Result<DocumentMut, InitError> {
    text.parse().map_err(|source| InitError::Toml {
        path: path.to_owned(),
        source,
    })
}

/// Whether all members of the workspace may inherit the dependency.
pub(super) fn is_in_workspace(root: &DocumentMut) -> bool {
    let dependencies = root.get("workspace").and_then(|w| w.get("dependencies"));
    dependencies.is_some_and(|dependencies| dependencies.get("highwater").is_some())
}

pub(super) fn add_dependency(
    path: &Path,
    manifest: &mut DocumentMut,
    dependency: Value,
) -> Result<(), InitError> {
    let table = table(path, manifest.as_table_mut(), &["dev-dependencies"])?;
    table.set_implicit(false);
    table.insert("highwater", value(dependency));
    Ok(())
}

/// What is optimised in debug builds too: the counting, and the reading of the names in call
/// stacks, whose code is in the second one.
const OPTIMISED: [&str; 2] = ["highwater", "backtrace"];

/// Has these optimised, unless the project decided on that.
pub(super) fn add_profile(path: &Path, root: &mut DocumentMut) -> Result<(), InitError> {
    let packages = table(path, root.as_table_mut(), &["profile", "dev", "package"])?;
    for name in OPTIMISED {
        if !packages.contains_key(name) {
            let mut profile = Table::new();
            profile.insert("opt-level", value(3));
            packages.insert(name, Item::Table(profile));
        }
    }
    Ok(())
}

/// The integration test, where cargo does not find it by itself.
pub(super) fn add_test(path: &Path, manifest: &mut DocumentMut) -> Result<(), InitError> {
    let mut test = Table::new();
    test.insert("name", value("memory"));
    let tests = manifest.entry("test");
    let tests = tests.or_insert_with(|| Item::ArrayOfTables(toml_edit::ArrayOfTables::new()));
    let tests = tests.as_array_of_tables_mut();
    tests.ok_or_else(|| not_a_table(path, "test"))?.push(test);
    Ok(())
}

/// The table of this name, made if there is none.
fn table<'a>(
    path: &Path,
    mut table: &'a mut Table,
    keys: &[&str],
) -> Result<&'a mut Table, InitError> {
    for key in keys {
        let item = table.entry(key).or_insert_with(|| {
            let mut table = Table::new();
            table.set_implicit(true);
            Item::Table(table)
        });
        table = item.as_table_mut().ok_or_else(|| not_a_table(path, key))?;
    }
    Ok(table)
}

fn not_a_table(path: &Path, key: &str) -> InitError {
    InitError::NotATable {
        path: path.to_owned(),
        key: key.to_owned(),
    }
}
