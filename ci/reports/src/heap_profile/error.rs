//! Why a heap profile could not be read.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why a heap profile could not be read. The message names the file and says what to do next.
#[derive(Debug)]
pub struct ProfileError {
    path: PathBuf,
    problem: Problem,
}

#[derive(Debug)]
pub(super) enum Problem {
    Io(io::Error),
    Empty,
    CutOff,
    NotPprof(String),
    OtherFormat,
    TooLarge,
    TooLargePart,
    TooManyParts,
    /// With the names of the values that there are.
    NoLiveBytes(Vec<String>),
}

impl ProfileError {
    pub(super) fn new(path: &Path, problem: Problem) -> Self {
        Self {
            path: path.to_owned(),
            problem,
        }
    }
}

impl fmt::Display for ProfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        match &self.problem {
            Problem::Io(error) => write!(f, ": {error}; name files that can be read"),
            Problem::Empty => f.write_str(" is empty; leave it out"),
            Problem::CutOff => {
                f.write_str(" is cut off before its end; copy it again, or leave it out")
            }
            Problem::NotPprof(why) => write!(
                f,
                " is not a profile in pprof's format: {why}; such profiles are what \
                 `jemalloc_pprof` and Go's `/debug/pprof/heap` give out"
            ),
            Problem::OtherFormat => f.write_str(
                " is the text of a heap profile, not one in pprof's format: of jemalloc, take \
                 `dump_pprof` of `jemalloc_pprof`; of Go, `/debug/pprof/heap` without `debug=1`",
            ),
            Problem::TooLarge => f.write_str(
                " has more than 64 MiB, packed or unpacked, and no more is read; a heap profile \
                 is smaller",
            ),
            Problem::TooLargePart => f.write_str(
                " has a sample or a text of more than 1 MiB, and no more is read; a heap profile \
                 has smaller ones",
            ),
            Problem::TooManyParts => f.write_str(
                " has more than 1,000,000 samples, locations, functions and texts, and no more \
                 are read; a heap profile has less",
            ),
            Problem::NoLiveBytes(names) => write!(
                f,
                " has no live bytes, which are called `inuse_space`: its values are {}; take heap \
                 profiles",
                listed(names)
            ),
        }
    }
}

impl std::error::Error for ProfileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.problem {
            Problem::Io(error) => Some(error),
            _ => None,
        }
    }
}

/// Those that there is room for.
fn listed(names: &[String]) -> String {
    let shown = names.iter().take(8);
    let shown = shown.map(|name| format!("`{}`", crate::visible::printable(name)));
    shown.collect::<Vec<_>>().join(", ")
}
