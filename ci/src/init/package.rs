//! Which package is meant.

use super::InitError;
use cargo_metadata::{Metadata, Package};
use std::path::Path;

/// The one of this name, or that of the nearest manifest at `directory` or above, as cargo
/// has it.
pub(super) fn choose<'a>(
    metadata: &'a Metadata,
    directory: &Path,
    name: Option<&str>,
) -> Result<&'a Package, InitError> {
    let packages = metadata.workspace_packages();
    let mut members: Vec<_> = packages.iter().map(|p| p.name.to_string()).collect();
    members.sort();
    if let Some(name) = name {
        let mut packages = packages.into_iter();
        let found = packages.find(|package| package.name.as_str() == name);
        return found.ok_or_else(|| InitError::NoMember {
            name: name.to_owned(),
            members,
        });
    }
    let manifests = directory.ancestors().map(|above| above.join("Cargo.toml"));
    let manifest = manifests.into_iter().find(|path| path.is_file());
    let mut packages = packages.into_iter();
    let found =
        packages.find(|package| Some(package.manifest_path.as_std_path()) == manifest.as_deref());
    found.ok_or(InitError::NoPackage(members))
}
