//! Where reports are written: `highwater/` in cargo's target directory, or the directory in
//! which `cargo highwater` gathers them.
//!
//! The tool judges the files that it finds, so no report may be lost. A report that can't be
//! written is a panic and leaves a note. A scenario does not overwrite the report of another
//! scenario with the same name.

mod name;

use super::Report;
use crate::alloc::unscoped;
use crate::isolation;
use crate::text::fnv1a;
use crate::text::paths::{project_root, reports_below};
use name::{encoded, fitted};
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Where `cargo highwater` wants the reports of one run.
const REPORTS: &str = "HIGHWATER_REPORTS";
/// A directory of its own for word of reports that could not be written there.
const UNWRITTEN: &str = "HIGHWATER_UNWRITTEN";
/// A file in it, whose absence is word enough: to remove one needs no space.
const ALL_WRITTEN: &str = "all-written";

/// Why a report was not gathered.
enum Obstacle {
    /// The system refused.
    Io(io::Error),
    /// There is one of the same name from the same test, with other figures.
    SameName,
}

impl From<io::Error> for Obstacle {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Report {
    /// Where this report's JSON is written: `<name>.json`, or
    /// `<name>@<variant>.json`, in the directory that the environment variable
    /// `HIGHWATER_REPORTS` names. Without it, in `highwater/` below the target
    /// directory that the program was built in, and there in a folder for the project if that
    /// directory is outside of the project; for a program that is elsewhere,
    /// below the `target` of the working directory or the nearest above it that
    /// has one.
    ///
    /// In the file's name `::` is written as `.`, and what is not a letter, a
    /// digit, `_` or `-` as `%` and its two hexadecimal digits. Where that has more than
    /// 200 bytes it is cut, and there, or where it has capitals, `~` and a hash of it
    /// follow. So no two names share a file.
    pub fn json_path(&self) -> PathBuf {
        directory().join(fitted(&self.encoded_name()) + ".json")
    }

    fn encoded_name(&self) -> String {
        let mut file = encoded(&self.name);
        if let Some(variant) = &self.variant {
            file.push('@');
            file.push_str(&encoded(variant));
        }
        file
    }

    /// The name of the file with the location that ran it.
    fn located_name(&self) -> String {
        let mut file = self.encoded_name();
        if let Some(at) = self.location {
            file.push_str(&format!("+{}-{}", encoded(at.file()), at.line()));
        }
        if let Some(test) = &self.test {
            file.push_str(&format!("+{}", encoded(test)));
        }
        fitted(&file)
    }

    /// Writes the JSON, whole or not at all. A test does not fail because its
    /// disk is full or read-only, but it says so.
    ///
    /// # Panics
    /// Where the reports of one run are gathered: if it can't be written, or the same
    /// test wrote one of this name with other figures.
    #[track_caller]
    pub(crate) fn write(&self) {
        // Where the whole process is traced, the text would be followed to its call stacks.
        let (json, path) = unscoped(|| (self.to_json() + "\n", self.json_path()));
        let unwritten = |error: &io::Error| {
            format!(
                "highwater: the report of `{}` could not be written to {}: {error}",
                self.full_name(),
                path.display()
            )
        };
        let Some(gathered) = gathered_in() else {
            if let Err(error) = write_atomically(&path, &json) {
                eprintln!("{}", unwritten(&error));
            }
            return;
        };
        match self.gather(&path, &json) {
            Ok(()) => {}
            Err(Obstacle::Io(error)) => {
                let text = unwritten(&error);
                let to = std::env::var_os(UNWRITTEN).map(PathBuf::from);
                leave_word(&text, &gathered, to.as_deref());
                panic!("{text}; `cargo highwater` would miss the scenario, so the test fails");
            }
            Err(Obstacle::SameName) => {
                let at = self.location.map_or_else(
                    || "in one test".to_owned(),
                    |at| format!("at {}:{}", at.file(), at.line()),
                );
                panic!(
                    "highwater: two scenarios {at} are called `{}`, and they differ; give each a \
                     name or a variant of its own",
                    self.full_name()
                );
            }
        }
    }

    /// Writes the report beside those of the same run. The first of a name has the plain
    /// file; another test's, if it says something else, is written under its location too.
    fn gather(&self, path: &Path, json: &str) -> Result<(), Obstacle> {
        let located = path.with_file_name(self.located_name() + ".json");
        for path in [path, &located] {
            if publish(path, json)? {
                note(path);
                return Ok(());
            }
            let other = fs::read_to_string(path)?;
            match relation(&other, json) {
                Relation::Alike => return Ok(()),
                Relation::OfAnother => {}
                Relation::Differs if is_of_this_run(path) => return Err(Obstacle::SameName),
                Relation::Differs => return Ok(write_atomically(path, json)?),
            }
        }
        // Two tests whose locations have one hash.
        Err(Obstacle::SameName)
    }
}

/// How a report is to one of the same name.
#[derive(Debug, PartialEq, Eq)]
enum Relation {
    /// They say the same.
    Alike,
    /// It is from another location in the code or another test, and says something else.
    OfAnother,
    /// It is from there too, and says something else.
    Differs,
}

/// What may differ between two runs of one scenario in one process: what went on beside it, and
/// how its memory is explained, for a leak of the first run is still there in the second.
const NOT_COMPARED: [&str; 4] = ["coverage", "diagnosis", "diagnosis_obstacle", "explanation"];

/// Where it was run.
const LOCATION: [&str; 2] = ["location", "test"];

fn relation(one: &str, other: &str) -> Relation {
    let [one, other] = [one, other].map(members);
    let is_location = |name: &str| LOCATION.contains(&name);
    let is_compared = |name: &str| !is_location(name) && !NOT_COMPARED.contains(&name);
    let agree_on = |is_meant: &dyn Fn(&str) -> bool| {
        let of_one = one.iter().filter(|(name, _)| is_meant(name));
        of_one.eq(other.iter().filter(|(name, _)| is_meant(name)))
    };
    if agree_on(&is_compared) {
        Relation::Alike
    } else if agree_on(&is_location) {
        Relation::Differs
    } else {
        Relation::OfAnother
    }
}

/// The members of a report, each with its lines. What is inside of one stands further right.
fn members(json: &str) -> Vec<(&str, String)> {
    let mut members: Vec<(&str, String)> = Vec::new();
    for line in json.lines() {
        let name = line
            .strip_prefix("  \"")
            .and_then(|rest| rest.split_once("\":"));
        match (name, members.last_mut()) {
            (Some((name, _)), _) => members.push((name, line.to_owned())),
            (None, Some((_, text))) => text.push_str(line),
            (None, None) => {}
        }
    }
    members
}

/// The files that this process wrote first.
static OWN: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

fn note(path: &Path) {
    unscoped(|| {
        let mut own = OWN.lock().unwrap_or_else(PoisonError::into_inner);
        own.insert(path.to_owned());
    });
}

/// Whether what is there was written in the same run of the tests. `cargo highwater`
/// removes the reports of earlier ones; with a directory that was set by hand, only this
/// process knows. nextest repeats a test that failed, and that replaces its report; so does
/// the second run of a test, with call stacks.
fn is_of_this_run(path: &Path) -> bool {
    if std::env::var_os("NEXTEST_ATTEMPT").is_some_and(|attempt| attempt != "1") {
        return false;
    }
    let own = OWN.lock().unwrap_or_else(PoisonError::into_inner);
    let is_first_run = !isolation::is_second_run();
    own.contains(path) || is_first_run && std::env::var_os(UNWRITTEN).is_some()
}

/// Leaves `text` where the tool finds it, whatever becomes of the panic.
fn leave_word(text: &str, gathered: &Path, fallback: Option<&Path>) {
    let file = format!("unwritten-{:016x}.txt", fnv1a(text.as_bytes()));
    let left = [Some(gathered), fallback].into_iter().flatten();
    let mut left = left.map(|directory| {
        fs::create_dir_all(directory)?;
        fs::write(directory.join(&file), format!("{text}\n"))
    });
    if !left.any(|written| written.is_ok())
        && let Some(fallback) = fallback
    {
        let _ = fs::remove_file(fallback.join(ALL_WRITTEN));
    }
}

/// Writes to a file beside `path` and renames it, so that a reader sees the old
/// text or the new one.
fn write_atomically(path: &Path, text: &str) -> io::Result<()> {
    unfinished(path, text, |temporary| fs::rename(temporary, path))
}

/// The same if there is no such file; whether there was none. Of two at a time one is
/// the first.
fn publish(path: &Path, text: &str) -> io::Result<bool> {
    unfinished(path, text, |temporary| {
        match fs::hard_link(temporary, path) {
            Ok(()) => {
                let _ = fs::remove_file(temporary);
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let _ = fs::remove_file(temporary);
                Ok(false)
            }
            // Not every file system has links.
            Err(_) if path.exists() => {
                let _ = fs::remove_file(temporary);
                Ok(false)
            }
            Err(_) => fs::rename(temporary, path).map(|()| true),
        }
    })
}

/// Writes `text` to a file beside `path`, and lets `finish` put it there.
fn unfinished<T>(
    path: &Path,
    text: &str,
    finish: impl FnOnce(&Path) -> io::Result<T>,
) -> io::Result<T> {
    static WRITES: AtomicU64 = AtomicU64::new(0);
    let write = WRITES.fetch_add(1, Ordering::Relaxed);
    let temporary = path.with_extension(format!("{}-{write}.tmp", std::process::id()));
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    fs::write(&temporary, text)
        .and_then(|()| finish(&temporary))
        .inspect_err(|_| {
            let _ = fs::remove_file(&temporary);
        })
}

fn gathered_in() -> Option<PathBuf> {
    std::env::var_os(REPORTS).map(PathBuf::from)
}

/// Cargo puts a `CACHEDIR.TAG` into its target directory. Programs are below it;
/// documentation tests run elsewhere, but in a directory of the workspace.
fn directory() -> PathBuf {
    const TAG: &str = "CACHEDIR.TAG";
    if let Some(directory) = gathered_in() {
        return directory;
    }
    let program = std::env::current_exe().unwrap_or_default();
    let around_program = program.ancestors().find(|above| above.join(TAG).is_file());
    let working = std::env::current_dir().unwrap_or_default();
    let below_working = || {
        let mut targets = working.ancestors().map(|above| above.join("target"));
        targets.find(|target| target.join(TAG).is_file())
    };
    if let Some(target) = around_program {
        return reports_below(target, project_root().as_deref());
    }
    let target = below_working().unwrap_or_else(|| PathBuf::from("target"));
    reports_below(&target, None)
}

#[cfg(test)]
mod tests;
