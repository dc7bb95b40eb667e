//! [`Plan`]: changes of files, shown as what they add, and made all or none.

use highwater_reports::file;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::InitError;

/// A new file that is longer is not shown in full.
const LONGEST_SHOWN: usize = 60;

/// What is to be changed, and what a person has to know or to do.
#[derive(Debug)]
pub struct Plan {
    /// The package's name.
    pub package: String,
    /// Files, each once.
    pub changes: Vec<Change>,
    /// What is not changed, and why.
    pub notes: Vec<String>,
}

/// A file before and after.
#[derive(Debug)]
pub struct Change {
    /// Which.
    pub path: PathBuf,
    /// None if it is new.
    pub before: Option<String>,
    /// All of it.
    pub after: String,
}

impl Plan {
    pub(super) fn new(package: String) -> Self {
        Self {
            package,
            changes: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Notes a change, if it is one. A text that is empty is of a file that is not there.
    pub(super) fn change(&mut self, path: &Path, before: &str, after: String) {
        if before != after {
            let before = path.exists().then(|| before.to_owned());
            self.changes.push(Change {
                path: path.to_owned(),
                before,
                after,
            });
        }
    }

    /// Makes all changes. If one fails, those before it are taken back.
    ///
    /// # Errors
    /// If a file cannot be written, or has changed since it was read.
    pub fn carry_out(&self) -> Result<(), InitError> {
        for (at, change) in self.changes.iter().enumerate() {
            if let Err(source) = change.make() {
                for made in &self.changes[..at] {
                    made.take_back();
                }
                return Err(InitError::File {
                    path: change.path.clone(),
                    source,
                });
            }
        }
        Ok(())
    }
}

impl Change {
    fn make(&self) -> io::Result<()> {
        let is_as_read = match &self.before {
            Some(before) => fs::read_to_string(&self.path)? == *before,
            None => !self.path.exists(),
        };
        if !is_as_read {
            return Err(io::Error::other("it was changed while this waited"));
        }
        file::write_atomically(&self.place(), &self.after)
    }

    /// The file itself, where the path is a link to it.
    fn place(&self) -> PathBuf {
        fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone())
    }

    fn take_back(&self) {
        // Nothing more can be done if that fails too.
        let _ = match &self.before {
            Some(before) => file::write_atomically(&self.place(), before),
            None => fs::remove_file(&self.path),
        };
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for change in &self.changes {
            write!(formatter, "{change}")?;
        }
        for note in &self.notes {
            writeln!(formatter, "\nnote: {}", note.trim_end())?;
        }
        Ok(())
    }
}

/// The lines that are added.
impl fmt::Display for Change {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        let Some(before) = &self.before else {
            let count = self.after.lines().count();
            writeln!(formatter, "\n{path}: new, {count} lines")?;
            let shown = if count > LONGEST_SHOWN { 0 } else { count };
            for line in self.after.lines().take(shown) {
                writeln!(formatter, "{}", format!("  + {line}").trim_end())?;
            }
            return Ok(());
        };
        writeln!(formatter, "\n{path}")?;
        let mut kept = before.lines().peekable();
        for (number, line) in self.after.lines().enumerate() {
            if kept.next_if_eq(&line).is_none() && !line.trim().is_empty() {
                writeln!(formatter, "  {:>4} + {line}", number + 1)?;
            }
        }
        Ok(())
    }
}
