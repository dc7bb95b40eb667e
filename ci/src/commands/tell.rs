//! Writes an outcome in every form that was asked for.

use super::{Failure, print};
use crate::arguments::Outputs;
use cargo_highwater::outcome::Outcome;
use cargo_highwater::output::{github, junit, markdown, text};
use cargo_highwater::project::Project;
use highwater_reports::{file, fitted};
use std::fs;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

/// Prints the outcome, and writes it for everyone else who is to be told.
pub(super) fn tell(project: &Project, outcome: &Outcome, outputs: &Outputs) -> Result<(), Failure> {
    let text = text::render(outcome, fitted::width());
    if io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()) {
        print(&text)?;
    } else {
        print(&anstream::adapter::strip_str(&text).to_string())?;
    }
    let write = |path: &Option<PathBuf>, text: &dyn Fn() -> io::Result<String>| match path {
        Some(path) => {
            let file = |source| Failure::File {
                path: path.clone(),
                source,
            };
            text()
                .and_then(|text| file::write_atomically(path, &text))
                .map_err(file)
        }
        None => Ok(()),
    };
    write(&outputs.markdown, &|| Ok(markdown::render(outcome)))?;
    write(&outputs.junit, &|| {
        junit::render(outcome).map_err(io::Error::other)
    })?;
    write(&outputs.json, &|| {
        Ok(serde_json::to_string_pretty(outcome)? + "\n")
    })?;
    if github::is_there() {
        let prefix = project.path_in_repository();
        print(&github::with_commands(&github::annotations(
            outcome, &prefix,
        )))?;
        let summary = std::env::var_os("GITHUB_STEP_SUMMARY");
        if let Some(path) = summary.map(PathBuf::from) {
            append(&path, &markdown::render(outcome))
                .map_err(|source| Failure::File { path, source })?;
        }
    }
    Ok(())
}

/// Other steps of the job may have written to the same summary.
fn append(path: &Path, text: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)?;
    file.write_all(text.as_bytes())
}
