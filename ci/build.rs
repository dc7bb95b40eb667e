//! Notes where the tool is built from, so that `cargo highwater init` can write the dependency
//! on the library of the same place: a checkout, a git repository, or else the registry.

#![forbid(unsafe_code)]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let package = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let harness = package.parent().unwrap_or(&package).join("harness");
    if !harness.join("Cargo.toml").is_file() {
        return;
    }
    if package.to_string_lossy().contains("/git/checkouts/") {
        if let Some((url, revision)) = of_git(&package) {
            println!("cargo::rustc-env=HIGHWATER_GIT={url}");
            println!("cargo::rustc-env=HIGHWATER_REVISION={revision}");
        }
    } else {
        println!("cargo::rustc-env=HIGHWATER_HARNESS={}", harness.display());
    }
}

/// The address and the commit of what cargo checked out: it clones from a copy of its own,
/// which has the address in `FETCH_HEAD`.
fn of_git(package: &Path) -> Option<(String, String)> {
    let revision = git(package, &["rev-parse", "HEAD"])?;
    let copy = git(package, &["config", "--get", "remote.origin.url"])?;
    let copy = Path::new(copy.strip_prefix("file://").unwrap_or(&copy));
    let fetched = fs::read_to_string(copy.join("FETCH_HEAD")).ok()?;
    let url = fetched.lines().next()?.split_whitespace().last()?;
    Some((url.to_owned(), revision))
}

fn git(directory: &Path, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new("git");
    let output = command.current_dir(directory).args(arguments).output();
    let output = output.ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
