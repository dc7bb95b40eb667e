//! A report's diagnosis as files that other programs open: dhat's viewer, pprof, a
//! browser.
//!
//! All of them are made from one report, and only here. A value that a format has and this
//! library does not measure is left out, or the file says that it is missing.

mod dhat;
mod pprof;

use crate::file::write_atomically;
use crate::page::{self, Origin};
use crate::report::{Frame, Report, Site};
use std::io;
use std::path::{Path, PathBuf};

/// Where dhat's viewer is, for those who have no valgrind.
const DHAT_VIEWER: &str = "https://nnethercote.github.io/dh_view/dh_view.html";

/// A file that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artefact {
    /// Where it is.
    pub path: PathBuf,
    /// What it is, in a few words.
    pub what: &'static str,
    /// The command that opens it.
    pub command: String,
}

/// Why there are no artefacts.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArtefactError {
    /// The report has no diagnosis.
    #[error(
        "the report of `{0}` has no call stacks: they are taken on Linux and macOS, with \
         the feature `diagnosis` of highwater, which is on by default, and unless \
         HIGHWATER_SITES is `never`"
    )]
    NoDiagnosis(String),
    /// The report does not say how much each site allocated.
    #[error(
        "the report of `{0}` is of an older highwater, which did not write how much each call \
         stack allocated; update highwater and run this again"
    )]
    Older(String),
    /// The system refused to write a file.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Where the artefacts of the report in the file `report` belong: `repro/`, in the
/// directory `reports`, and in it a directory with that file's name.
pub fn directory(reports: &Path, report: &Path) -> PathBuf {
    let name = report.file_stem().unwrap_or_default();
    reports.join("repro").join(name)
}

/// Writes all that can be made of the report's diagnosis into `directory`, in place of
/// what an earlier call wrote there. The page says that it is of `origin`.
///
/// # Errors
/// If it has no diagnosis, or the system refuses.
pub fn write(
    report: &Report,
    origin: &Origin,
    directory: &Path,
) -> Result<Vec<Artefact>, ArtefactError> {
    let Some(diagnosis) = &report.diagnosis else {
        return Err(ArtefactError::NoDiagnosis(report.full_name()));
    };
    let totals = diagnosis.sites.iter().map(|site| site.total_bytes);
    let Some(totals) = totals.collect::<Option<Vec<u64>>>() else {
        return Err(ArtefactError::Older(report.full_name()));
    };
    let files = [
        (
            "index.html",
            "page",
            "xdg-open".to_owned(),
            page::render(report, origin).into_bytes(),
        ),
        (
            "dhat.json",
            "dhat",
            format!("xdg-open {DHAT_VIEWER}  # and load"),
            dhat::profile(report, diagnosis, &totals),
        ),
        (
            "pprof.pb.gz",
            "pprof",
            "go tool pprof -http=:".to_owned(),
            pprof::profile(report, diagnosis, &totals),
        ),
    ];
    let mut artefacts = Vec::new();
    for (name, what, program, contents) in files {
        let path = directory.join(name);
        write_atomically(&path, &contents).map_err(|source| ArtefactError::Io {
            path: path.clone(),
            source,
        })?;
        artefacts.push(Artefact {
            command: format!("{program} {}", path.display()),
            what,
            path,
        });
    }
    Ok(artefacts)
}

/// Where the artefacts are, and the command that opens each.
pub fn summary(artefacts: &[Artefact]) -> String {
    let width = artefacts.iter().map(|artefact| artefact.what.len());
    let width = width.max().unwrap_or(0);
    let mut text = String::from("artefacts, and what opens them:\n");
    for Artefact { what, command, .. } in artefacts {
        text.push_str(&format!("  {what:<width$}  {command}\n"));
    }
    text
}

/// The function with its file and line, if they are known.
fn described(frame: &Frame) -> String {
    match (&frame.file, frame.line) {
        (Some(file), Some(line)) => format!("{} ({file}:{line})", frame.function),
        _ => frame.function.clone(),
    }
}

fn type_of(site: &Site) -> &str {
    site.type_name.as_deref().unwrap_or("type unknown")
}

#[cfg(test)]
mod tests;
