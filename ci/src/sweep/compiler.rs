//! The `rustc` that is there.

use super::SweepError;
use crate::project::not_started;
use std::path::PathBuf;
use std::process::{Command, Output};

/// The one system where a sweep works.
pub(super) const HOST: &str = "x86_64-unknown-linux-gnu";

/// The directories of the compiler's own libraries, which the tests of procedural macros load.
pub(super) fn libraries() -> Result<[PathBuf; 2], SweepError> {
    let printed = run(&["--print=sysroot"])?.stdout;
    let sysroot = PathBuf::from(String::from_utf8_lossy(&printed).trim());
    let libraries = sysroot.join("lib");
    Ok([libraries.join("rustlib").join(HOST).join("lib"), libraries])
}

/// What it prints with these arguments.
pub(super) fn run(arguments: &[&str]) -> Result<Output, SweepError> {
    let output = command().args(arguments).output();
    Ok(output.map_err(|source| not_started("rustc", source))?)
}

pub(super) fn command() -> Command {
    Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
}
