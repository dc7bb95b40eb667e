//! [`Run`]: how the tests were run, remembered beside the reports, so that some of them
//! can be run again in the same way.

use super::{ProjectError, io_error};
use highwater_reports::file::write_atomically;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The file among the reports.
pub(super) const FILE: &str = "RUN";
/// What the tests are told by hand, and change figures by.
const TOLD: [&str; 3] = ["HIGHWATER_STEPS", "HIGHWATER_SITES", "HIGHWATER_SELF_TEST"];

/// How the tests were run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The working directory, which may be that of a member.
    pub(super) directory: PathBuf,
    pub(super) arguments: Vec<OsString>,
    pub(super) environment: Vec<(String, String)>,
}

/// What is written of it: text, for JSON knows nothing else.
#[derive(Serialize, Deserialize)]
struct Written {
    directory: String,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
}

impl Run {
    /// One in the working directory.
    pub fn here(arguments: &[OsString]) -> Self {
        let told = TOLD.iter();
        let told = told.filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)));
        Self {
            directory: std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")),
            arguments: arguments.to_vec(),
            environment: told.collect(),
        }
    }

    /// The one that the reports in `directory` come from; none if nobody knows.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn read(directory: &Path) -> Result<Option<Self>, ProjectError> {
        let path = directory.join(FILE);
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text.map_err(io_error(&path))?,
        };
        let written: Option<Written> = serde_json::from_str(&text).ok();
        Ok(written.map(|run| Self {
            directory: run.directory.into(),
            arguments: run.arguments.into_iter().map(OsString::from).collect(),
            environment: run.environment,
        }))
    }

    /// The arguments as text, as they were remembered.
    pub(crate) fn texts(&self) -> Vec<String> {
        let texts = self.arguments.iter();
        texts
            .map(|word| word.to_string_lossy().into_owned())
            .collect()
    }

    /// Remembers it. Words that are no text are not remembered, and the run with them.
    pub(super) fn write(&self, directory: &Path) -> Result<(), ProjectError> {
        let text = |word: &OsString| word.to_str().map(str::to_owned);
        let arguments = self.arguments.iter().map(text).collect::<Option<Vec<_>>>();
        let written = self.directory.to_str().zip(arguments);
        let Some((here, arguments)) = written else {
            return Ok(());
        };
        let path = directory.join(FILE);
        let written = Written {
            directory: here.to_owned(),
            arguments,
            environment: self.environment.clone(),
        };
        let text = serde_json::to_string(&written).map_err(io::Error::from);
        text.and_then(|text| write_atomically(&path, &(text + "\n")))
            .map_err(io_error(&path))
    }
}
