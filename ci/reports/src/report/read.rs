//! Reading reports from files, and every reason why that may fail.

use super::{Report, SCHEMA};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Why reports could not be read. Each message names the file and says what to
/// do next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The directory does not exist.
    #[error(
        "there is no directory {}: run `cargo test` first, \
         which writes the reports of its memory scenarios there",
        .0.display()
    )]
    NoDirectory(PathBuf),
    /// The directory exists, without a report in it.
    #[error(
        "there are no reports in {}: run `cargo test` first, \
         which writes the reports of its memory scenarios there",
        .0.display()
    )]
    NoReports(PathBuf),
    /// The system refused to read it.
    #[error("{} could not be read: {source}", .path.display())]
    Unreadable {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The JSON stops before its end.
    #[error(
        "{} is cut off at line {line}, column {column}: \
         delete it and run `cargo test` again",
        .path.display()
    )]
    CutOff {
        /// The file.
        path: PathBuf,
        /// The line at which it ends, from 1 on.
        line: usize,
        /// The column at which it ends.
        column: usize,
    },
    /// It is something else than JSON.
    #[error("{} is not JSON: {source}: delete it and run `cargo test` again", .path.display())]
    NotJson {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column.
        source: serde_json::Error,
    },
    /// It is JSON, but a field is missing or is not what it should be.
    #[error(
        "{} is not a report of schema {SCHEMA}: {source}: \
         delete it and run `cargo test` again",
        .path.display()
    )]
    NotAReport {
        /// The file.
        path: PathBuf,
        /// Which field, with line and column.
        source: serde_json::Error,
    },
    /// Two scenarios have one name.
    #[error(
        "two scenarios are called `{name}`, and they differ: {first} and {second}; give one of \
         them another name, or a variant"
    )]
    SameName {
        /// Their name.
        name: String,
        /// Where the one is run, or its file.
        first: String,
        /// Where the other is.
        second: String,
    },
    /// A scenario could not write its report.
    #[error(
        "a scenario was measured and has no report: {said}; see to it, and run the tests again \
         (or delete {})",
        .path.display()
    )]
    Unwritten {
        /// Where its test left word of that.
        path: PathBuf,
        /// What it said.
        said: String,
    },
    /// Its schema is newer than this reads.
    #[error(
        "{} was written by a newer highwater (schema {schema}, this reads {SCHEMA}); \
         update cargo-highwater",
        .path.display()
    )]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// The version that it says.
        schema: u64,
    },
    /// Its schema is older than this reads.
    #[error(
        "{} was written by an older highwater (schema {schema}, this reads {SCHEMA}); \
         update highwater and run `cargo test` again",
        .path.display()
    )]
    OlderSchema {
        /// The file.
        path: PathBuf,
        /// The version that it says.
        schema: u64,
    },
}

/// Reads one report.
///
/// # Errors
/// If the file cannot be read or is no whole report of schema [`SCHEMA`].
pub fn read_file(path: &Path) -> Result<Report, ReadError> {
    let json = fs::read(path).map_err(|source| unreadable(path, source))?;
    parse(path, &json)
}

/// Reads all `*.json` in `directory`, not those below it. They come sorted by
/// name, then by variant, those without one first.
///
/// # Errors
/// If there are none, one could not be written, one of them cannot be read (the first
/// such by its path), or two have one name.
pub fn read_directory(directory: &Path) -> Result<Vec<Report>, ReadError> {
    let reports = read_files(directory)?;
    let mut reports: Vec<_> = reports.into_iter().map(|(_, report)| report).collect();
    reports.sort_by(|a, b| (&a.name, &a.variant).cmp(&(&b.name, &b.variant)));
    Ok(reports)
}

/// The same, each beside its file, sorted by that.
///
/// # Errors
/// As for [`read_directory`].
pub fn read_files(directory: &Path) -> Result<Vec<(PathBuf, Report)>, ReadError> {
    let entries = fs::read_dir(directory).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => ReadError::NoDirectory(directory.to_owned()),
        _ => unreadable(directory, source),
    })?;
    let unwritten = unwritten_files(directory).map_err(|source| unreadable(directory, source))?;
    if let Some(path) = unwritten.first() {
        return Err(ReadError::Unwritten {
            path: path.clone(),
            said: unwritten_text(path),
        });
    }
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry
            .map_err(|source| unreadable(directory, source))?
            .path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            paths.push(path);
        }
    }
    if paths.is_empty() {
        return Err(ReadError::NoReports(directory.to_owned()));
    }
    paths.sort();
    let read = |path: PathBuf| read_file(&path).map(|report| (path, report));
    let reports = paths.into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
    refuse_same_names(&reports)?;
    Ok(reports)
}

/// Refuses two scenarios of one name: they have a file each only if they differ.
fn refuse_same_names(reports: &[(PathBuf, Report)]) -> Result<(), ReadError> {
    let mut known: BTreeMap<String, &(PathBuf, Report)> = BTreeMap::new();
    for second in reports {
        if let Some(first) = known.insert(second.1.full_name(), second) {
            let mut places = [first, second].map(|(path, report)| place(path, report));
            if places[0] == places[1] {
                // Cases of one test, which stand in one line.
                places = [first, second].map(|(path, report)| {
                    let test = report.test.as_deref().unwrap_or("unknown");
                    format!("{} in the test `{test}`", place(path, report))
                });
            }
            let [first, second_place] = places;
            return Err(ReadError::SameName {
                name: second.1.full_name(),
                first,
                second: second_place,
            });
        }
    }
    Ok(())
}

fn place(path: &Path, report: &Report) -> String {
    let location = report.location.as_ref();
    let location = location.map(|location| format!("{}:{}", location.file, location.line));
    location.unwrap_or_else(|| path.display().to_string())
}

/// The files in `directory` in which tests left word of reports that they could not
/// write; none if there is no such directory.
///
/// # Errors
/// If the system refuses.
pub fn unwritten_files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("unwritten-") && name.ends_with(".txt") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// What is said in such a file.
pub fn unwritten_text(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let text = text.trim();
    let text = text.strip_prefix("highwater: ").unwrap_or(text);
    if text.is_empty() {
        return "its test could say no more".to_owned();
    }
    text.to_owned()
}

/// The schema is looked at before anything else: a newer report may lack fields
/// that this version knows, and must be called newer, not broken.
fn parse(path: &Path, json: &[u8]) -> Result<Report, ReadError> {
    #[derive(Deserialize)]
    #[serde(expecting = "the object that a report is")]
    struct Header {
        schema: u64,
    }
    let header: Header =
        serde_json::from_slice(json).map_err(|error| invalid(path, json, error))?;
    let (path_buf, schema) = (path.to_owned(), header.schema);
    match schema.cmp(&SCHEMA) {
        std::cmp::Ordering::Greater => Err(ReadError::NewerSchema {
            path: path_buf,
            schema,
        }),
        std::cmp::Ordering::Less => Err(ReadError::OlderSchema {
            path: path_buf,
            schema,
        }),
        std::cmp::Ordering::Equal => {
            serde_json::from_slice(json).map_err(|error| invalid(path, json, error))
        }
    }
}

fn unreadable(path: &Path, source: io::Error) -> ReadError {
    ReadError::Unreadable {
        path: path.to_owned(),
        source,
    }
}

fn invalid(path: &Path, json: &[u8], source: serde_json::Error) -> ReadError {
    let path = path.to_owned();
    let (lines, last) = (json.split(|byte| *byte == b'\n').enumerate())
        .last()
        .map_or((0, 0), |(before, line)| (before + 1, line.len()));
    // A number that was cut off after its point is wrong, too.
    let at_end = (source.line(), source.column()) == (lines, last);
    match source.classify() {
        serde_json::error::Category::Syntax if at_end => ReadError::CutOff {
            path,
            line: source.line(),
            column: source.column(),
        },
        serde_json::error::Category::Eof => ReadError::CutOff {
            path,
            line: source.line(),
            column: source.column(),
        },
        serde_json::error::Category::Data => ReadError::NotAReport { path, source },
        serde_json::error::Category::Syntax | serde_json::error::Category::Io => {
            ReadError::NotJson { path, source }
        }
    }
}
