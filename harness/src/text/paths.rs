//! Paths, by their text alone: what they lead to need not be there.

use super::fnv1a;
use std::path::{Component, Path, PathBuf};

/// `a/../b` as `b`: what a manifest says of its sources may lead up and down again.
#[doc(hidden)]
pub fn without_detours(file: &Path) -> PathBuf {
    let mut direct = PathBuf::new();
    for part in file.components() {
        match part {
            Component::ParentDir => {
                direct.pop();
            }
            part => direct.push(part),
        }
    }
    direct
}

/// Where std was compiled, and what it depends on.
const STD_SOURCES: [&str; 4] = ["/rustc/", "/rustlib/src/", "/rust/deps/", "/usr/src/rustc-"];

/// Whether a source is one of std's, or of what std is built with.
#[doc(hidden)]
pub fn is_std_source(file: &Path) -> bool {
    let file = file.to_string_lossy();
    STD_SOURCES.iter().any(|part| file.contains(part))
}

/// Of a file in cargo's registry, the path from the package on.
#[doc(hidden)]
pub fn in_registry(file: &Path) -> Option<PathBuf> {
    let mut parts = file.components();
    parts.find(|part| *part == Component::Normal("registry".as_ref()))?;
    parts
        .next()
        .filter(|part| *part == Component::Normal("src".as_ref()))?;
    // The registry's own name.
    parts.next()?;
    Some(parts.collect())
}

/// Where the reports of the project at `root` are, below the target directory: in `highwater/`.
/// A target directory outside of the project may serve others too, and there each project has a
/// folder of its own.
#[doc(hidden)]
pub fn reports_below(target: &Path, root: Option<&Path>) -> PathBuf {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let all = target.join("highwater");
    let Some(root) = root.map(real) else {
        return all;
    };
    if real(target).starts_with(&root) {
        return all;
    }
    let name = root.file_name().unwrap_or_default().to_string_lossy();
    let hash = fnv1a(root.as_os_str().as_encoded_bytes());
    all.join(format!("{name}-{hash:016x}"))
}

/// The root of the project that this program is of: the nearest directory with a `Cargo.lock`
/// above the [`package`].
pub(crate) fn project_root() -> Option<PathBuf> {
    let start = package();
    let mut above = start.ancestors();
    let root = above.find(|directory| directory.join("Cargo.lock").exists());
    root.map(Path::to_owned)
}

/// The directory of the package, or the working directory where cargo does not run the program.
pub(crate) fn package() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let package = package.or_else(|| std::env::current_dir().ok());
    package.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{reports_below, without_detours};
    use std::path::Path;

    #[test]
    fn paths_lead_straight() {
        let detour = Path::new("/home/me/cases/one/../driver.rs");
        assert_eq!(
            without_detours(detour),
            Path::new("/home/me/cases/driver.rs")
        );
    }

    #[test]
    fn projects_that_share_a_target_directory_have_a_folder_each() {
        let of = |root| reports_below(Path::new("/shop/target"), root);
        let all = Path::new("/shop/target/highwater");
        assert_eq!(of(Some(Path::new("/shop"))), all);
        assert_eq!(of(None), all);
        let folders = ["/a/bot", "/b/bot"].map(|root| of(Some(Path::new(root))));
        assert_ne!(folders[0], folders[1]);
        assert_eq!(folders[0], all.join("bot-ae9a616e3457cb97"));
    }
}
