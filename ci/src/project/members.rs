//! The packages of the workspace whose tests cargo does not run by itself.

use cargo_metadata::{Metadata, Package};
use std::ffi::OsString;
use std::path::Path;

/// What says which packages are tested.
const CHOOSING: [&str; 6] = [
    "-p",
    "--package",
    "--workspace",
    "--all",
    "--exclude",
    "--manifest-path",
];

/// The packages that depend on the library and are not tested from `directory`: at the root of
/// a workspace that is a package too, cargo takes that one alone. Elsewhere none is missed.
pub(super) fn left_out(metadata: &Metadata, directory: &Path) -> Vec<String> {
    let root = metadata.workspace_root.as_std_path();
    let is_root = [root, directory].map(|path| path.canonicalize().ok());
    if is_root[0] != is_root[1] {
        return Vec::new();
    }
    let uses = |package: &&Package| package.dependencies.iter().any(|d| d.name == "highwater");
    let default = metadata.workspace_default_packages();
    let is_default = |package: &&Package| default.iter().any(|known| known.id == package.id);
    let members = metadata.workspace_packages().into_iter();
    let left_out = members.filter(uses).filter(|package| !is_default(package));
    let mut names: Vec<_> = left_out.map(|package| package.name.to_string()).collect();
    names.sort();
    names
}

/// Whether the arguments for cargo say which packages are tested.
pub(super) fn are_chosen(arguments: &[OsString]) -> bool {
    let own = arguments.iter().take_while(|argument| *argument != "--");
    own.map(|argument| argument.to_string_lossy())
        .any(|argument| {
            let is_short = argument.starts_with("-p") && !argument.starts_with("--");
            let name = argument.split('=').next().unwrap_or_default();
            is_short || CHOOSING.contains(&name)
        })
}

#[cfg(test)]
mod tests {
    use super::are_chosen;

    #[test]
    fn arguments_for_the_tests_choose_no_package() {
        let are = |words: &[&str]| are_chosen(&words.iter().map(Into::into).collect::<Vec<_>>());
        for words in [
            ["-p", "shop"],
            ["--package=shop", ""],
            ["-pshop", ""],
            ["--workspace", ""],
        ] {
            assert!(are(&words), "{words:?}");
        }
        for words in [&[][..], &["--release"], &["--profile", "x"], &["--", "-p"]] {
            assert!(!are(words), "{words:?}");
        }
    }
}
