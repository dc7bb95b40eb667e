//! Dependencies by a relative path that leaves the repository. The base is checked out in
//! another place, where such a path leads nowhere; so it is better said before anything is
//! built.

use crate::base;
use cargo_metadata::MetadataCommand;
use highwater::__private::without_detours;
use std::fs;
use std::path::Path;
use toml::{Table, Value};

/// Why the base would not build.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutsideError {
    /// Cargo does not understand the project.
    #[error("cargo could not describe the project: {}", .0.to_string().trim())]
    Cargo(#[from] cargo_metadata::Error),
    /// There are such dependencies.
    #[error(
        "the base would not build: it is checked out in another place, from where a relative path \
         that leaves the repository leads nowhere\n{}\nwrite an absolute path, or depend on a \
         version or a git revision, or take the package into the repository, as a submodule for \
         instance; the base must have that too",
        .0.join("\n")
    )]
    Paths(Vec<String>),
}

/// Refuses the workspace around `directory` if it has such a dependency.
///
/// # Errors
/// Then, and if cargo cannot describe the workspace.
pub fn refuse(directory: &Path) -> Result<(), OutsideError> {
    let Some(repository) = base::repository(directory) else {
        return Ok(());
    };
    let mut command = MetadataCommand::new();
    let metadata = command.current_dir(directory).no_deps().exec()?;
    let packages = metadata.packages.iter();
    let mut manifests: Vec<_> = packages.map(|p| p.manifest_path.clone()).collect();
    manifests.push(metadata.workspace_root.join("Cargo.toml"));
    manifests.sort();
    manifests.dedup();
    let mut found = Vec::new();
    for manifest in &manifests {
        let manifest = manifest.as_std_path();
        let text = fs::read_to_string(manifest).unwrap_or_default();
        for (name, path) in leaving(&text, manifest, &repository) {
            let place = manifest.strip_prefix(&repository).unwrap_or(manifest);
            found.push(format!("  {}: {name} = {path}", place.display()));
        }
    }
    if found.is_empty() {
        Ok(())
    } else {
        Err(OutsideError::Paths(found))
    }
}

/// The dependencies in a manifest whose relative path leads out of the repository.
fn leaving(text: &str, manifest: &Path, repository: &Path) -> Vec<(String, String)> {
    let Ok(table) = text.parse::<Table>() else {
        return Vec::new();
    };
    let directory = manifest.parent().unwrap_or(manifest);
    let mut found = Vec::new();
    for (name, dependency) in dependencies(&table) {
        let Some(path) = dependency.get("path").and_then(Value::as_str) else {
            continue;
        };
        let leads_to = without_detours(&directory.join(path));
        if Path::new(path).is_relative() && !leads_to.starts_with(repository) {
            found.push((name.clone(), path.to_owned()));
        }
    }
    found
}

/// All of a manifest, of its targets and of its workspace, and what is patched.
fn dependencies(manifest: &Table) -> Vec<(&String, &Value)> {
    let of_targets = manifest.get("target").and_then(Value::as_table);
    let of_targets = of_targets.into_iter().flat_map(Table::values);
    let workspace = manifest.get("workspace");
    let owners = of_targets
        .chain(workspace)
        .filter_map(Value::as_table)
        .chain([manifest]);
    let kinds = ["dependencies", "dev-dependencies", "build-dependencies"];
    let lists = owners.flat_map(|owner| kinds.map(|kind| owner.get(kind)));
    let patches = manifest.get("patch").and_then(Value::as_table);
    let patches = patches.into_iter().flat_map(Table::values);
    let lists = lists.flatten().chain(patches).filter_map(Value::as_table);
    lists.flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::leaving;
    use std::path::Path;

    #[test]
    fn what_leaves_the_repository_is_found_wherever_it_stands() {
        let text = "
            [dependencies]
            inside = { path = '../inside' }
            outside = { path = '../../outside' }
            absolute = { path = '/elsewhere' }
            plain = '1'
            [target.'cfg(unix)'.dev-dependencies]
            of-target = { path = '../../a' }
            [workspace.dependencies]
            of-workspace = { path = '../../b' }
            [patch.crates-io]
            patched = { path = '../../c' }
        ";
        let found = leaving(text, Path::new("/r/p/Cargo.toml"), Path::new("/r"));
        let mut names: Vec<_> = found.into_iter().map(|(name, _)| name).collect();
        names.sort();
        assert_eq!(names, ["of-target", "of-workspace", "outside", "patched"]);
    }
}
