//! What the `rustc` that is there says.

use super::SweepError;
use crate::project::command::rustc;
use crate::project::not_started;
use std::path::PathBuf;

/// The one system where a sweep works.
pub(super) const HOST: &str = "x86_64-unknown-linux-gnu";

/// The directories of the compiler's own libraries, which the tests of procedural macros load.
pub(super) fn libraries() -> Result<[PathBuf; 2], SweepError> {
    let sysroot = PathBuf::from(said("--print=sysroot")?.trim());
    let libraries = sysroot.join("lib");
    Ok([libraries.join("rustlib").join(HOST).join("lib"), libraries])
}

/// What it prints with this argument.
pub(super) fn said(argument: &'static str) -> Result<String, SweepError> {
    let mut rustc = rustc();
    let output = rustc.arg(argument).output();
    let name = rustc.get_program().to_string_lossy();
    let output = output.map_err(|source| not_started(&name, source))?;
    if !output.status.success() {
        return Err(SweepError::Compiler {
            argument,
            status: output.status,
            said: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
