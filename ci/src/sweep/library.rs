//! Compiles the counting library, once for each compiler.

use super::SweepError;
use crate::project::{io_error, not_started};
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const SOURCE: &str = include_str!("preload.rs");
/// The one system where it works.
const HOST: &str = "x86_64-unknown-linux-gnu";

/// The library in `directory`, compiled now if it is not there.
///
/// # Errors
/// If the compiler is for another system, does not start, or refuses.
pub(super) fn compiled(directory: &Path) -> Result<PathBuf, SweepError> {
    let version = String::from_utf8_lossy(&rustc(&["-vV"])?.stdout).into_owned();
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    if host != Some(HOST) {
        let host = host.unwrap_or(std::env::consts::OS);
        return Err(SweepError::Unsupported(host.to_owned()));
    }
    let mut hasher = DefaultHasher::new();
    (SOURCE, &version).hash(&mut hasher);
    let library = directory.join(format!("counting-{:016x}.so", hasher.finish()));
    if library.exists() {
        return Ok(library);
    }
    fs::create_dir_all(directory).map_err(io_error(directory))?;
    // Beside it, to be put there in one step.
    let unfinished = tempfile::tempdir_in(directory).map_err(io_error(directory))?;
    let source = unfinished.path().join("preload.rs");
    fs::write(&source, SOURCE).map_err(io_error(&source))?;
    let output = unfinished.path().join("preload.so");
    let status = command()
        .args(["--edition=2024", "--crate-type=cdylib", "-O"])
        .args(["-Cpanic=abort", "-Cstrip=symbols", "-o"])
        .args([&output, &source])
        .status()
        .map_err(|source| not_started("rustc", source))?;
    if !status.success() {
        return Err(SweepError::Library(status));
    }
    fs::rename(&output, &library).map_err(io_error(&library))?;
    Ok(library)
}

/// The directories of the compiler's own libraries, which the tests of procedural macros load.
pub(super) fn of_compiler() -> Result<[PathBuf; 2], SweepError> {
    let printed = rustc(&["--print=sysroot"])?.stdout;
    let sysroot = PathBuf::from(String::from_utf8_lossy(&printed).trim());
    let libraries = sysroot.join("lib");
    Ok([libraries.join("rustlib").join(HOST).join("lib"), libraries])
}

fn rustc(arguments: &[&str]) -> Result<Output, SweepError> {
    let output = command().args(arguments).output();
    Ok(output.map_err(|source| not_started("rustc", source))?)
}

fn command() -> Command {
    Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
}
