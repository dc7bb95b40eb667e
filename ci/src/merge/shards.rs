//! Whether the shards are all of one run: each of them, each to its end, of one commit.
//!
//! The tool leaves word of that beside the reports. Reports that it did not make have none, and
//! are taken as they are.

use crate::project::{ProjectError, Run, origin_in};
use highwater_reports::page::short_hash;
use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

/// Which part of a suite a shard ran: nextest's `--partition`, such as `hash:2/4`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Partition {
    kind: String,
    number: u64,
    of: u64,
}

/// Why the shards are not all of one run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShardError {
    /// What the tool left beside the reports can't be read.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// One was lost on its way.
    #[error(
        "{} has a run that did not come to its end, so that scenarios may be missing; run that \
         shard again{}", .directory.display(), .arguments
    )]
    Unfinished {
        /// Its directory.
        directory: PathBuf,
        /// How it was run.
        arguments: String,
    },
    /// One is not there.
    #[error(
        "{missing} missing: no directory has the run of it; run again what was lost, such as \
         `cargo highwater run -- --partition {example}`, and pass its directory too"
    )]
    Missing {
        /// Which ones, in words.
        missing: String,
        /// The partition of the first of them.
        example: String,
    },
    /// They are parts of different wholes.
    #[error(
        "the shards are not parts of one suite: {} is {first_part}, {} is {second_part}",
        .first.display(),
        .second.display()
    )]
    Parts {
        /// One shard.
        first: PathBuf,
        /// Its part.
        first_part: String,
        /// Another.
        second: PathBuf,
        /// Its part.
        second_part: String,
    },
    /// They are of different code.
    #[error(
        "the shards are of different commits: {} is of {first_commit}, {} of {second_commit}; run \
         those of the older one again",
        .first.display(),
        .second.display()
    )]
    Commits {
        /// One shard.
        first: PathBuf,
        /// Its commit.
        first_commit: String,
        /// Another.
        second: PathBuf,
        /// Its commit.
        second_commit: String,
    },
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}/{}", self.kind, self.number, self.of)
    }
}

impl Partition {
    /// The one that these arguments ask for.
    fn of(arguments: &[String]) -> Option<Self> {
        let mut arguments = arguments.iter().take_while(|argument| *argument != "--");
        let mut value = None;
        while let Some(argument) = arguments.next() {
            match argument.strip_prefix("--partition") {
                Some("") => value = arguments.next().map(String::as_str),
                Some(rest) => value = rest.strip_prefix('=').or(value),
                None => {}
            }
        }
        let (kind, part) = value?.split_once(':')?;
        let (number, of) = part.split_once('/')?;
        Some(Self {
            kind: kind.to_owned(),
            number: number.parse().ok()?,
            of: of.parse().ok()?,
        })
    }
}

/// Makes sure that nothing is missing, as far as the shards tell.
///
/// # Errors
/// If something is, or what the shards tell can't be read.
pub(super) fn are_whole(shards: &[PathBuf]) -> Result<(), ShardError> {
    let mut parts = Vec::new();
    let mut commits = Vec::new();
    for shard in shards {
        let Some(run) = Run::read(shard)? else {
            continue;
        };
        let Some(origin) = origin_in(shard) else {
            return Err(unfinished(shard, &run));
        };
        commits.extend(origin.commit.map(|commit| (shard, commit)));
        parts.extend(Partition::of(&run.texts()).map(|part| (shard, part)));
    }
    if let Some((first, second)) = pair(&commits, |one, other| one == other) {
        return Err(ShardError::Commits {
            first: first.0.clone(),
            first_commit: short_hash(&first.1).to_owned(),
            second: second.0.clone(),
            second_commit: short_hash(&second.1).to_owned(),
        });
    }
    let is_of_one =
        |one: &Partition, other: &Partition| (&one.kind, one.of) == (&other.kind, other.of);
    if let Some((first, second)) = pair(&parts, is_of_one) {
        return Err(ShardError::Parts {
            first: first.0.clone(),
            first_part: first.1.to_string(),
            second: second.0.clone(),
            second_part: second.1.to_string(),
        });
    }
    let Some((_, first)) = parts.first() else {
        return Ok(());
    };
    missing(first, &parts.iter().map(|(_, part)| part.number).collect())
}

/// Something of a shard, with its directory.
type Of<'a, T> = (&'a PathBuf, T);

/// The first and the one that it is not alike.
fn pair<'a, T>(
    all: &'a [Of<'a, T>],
    are_alike: impl Fn(&T, &T) -> bool,
) -> Option<(&'a Of<'a, T>, &'a Of<'a, T>)> {
    let first = all.first()?;
    let other = all.iter().find(|other| !are_alike(&first.1, &other.1))?;
    Some((first, other))
}

/// How many shards are named in a message.
const NAMED: usize = 8;

fn missing(like: &Partition, there: &BTreeSet<u64>) -> Result<(), ShardError> {
    // Whoever wrote the report may have written any number.
    let lost = (1..=like.of).filter(|number| !there.contains(number));
    let lost: Vec<_> = lost.take(NAMED).collect();
    let Some(first) = lost.first() else {
        return Ok(());
    };
    let names: Vec<_> = lost.iter().map(ToString::to_string).collect();
    let (noun, verb) = match names.len() {
        1 => ("shard", "is"),
        _ => ("shards", "are"),
    };
    let all = names.join(", ");
    let more = if lost.len() == NAMED {
        " and perhaps more"
    } else {
        ""
    };
    let example = Partition {
        number: *first,
        ..like.clone()
    };
    Err(ShardError::Missing {
        missing: format!("{noun} {all}{more} of {} {verb}", like.of),
        example: example.to_string(),
    })
}

fn unfinished(shard: &Path, run: &Run) -> ShardError {
    let part = Partition::of(&run.texts());
    let arguments = part.map(|part| format!(": cargo highwater run -- --partition {part}"));
    ShardError::Unfinished {
        directory: shard.to_owned(),
        arguments: arguments.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Partition, missing};
    use std::collections::BTreeSet;

    #[test]
    fn the_part_is_found_among_the_arguments() {
        let of = |line: &str| {
            let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
            Partition::of(&words).map(|part| part.to_string())
        };
        assert_eq!(of("--partition hash:1/4"), Some("hash:1/4".to_owned()));
        assert_eq!(
            of("-p x --partition=slice:3/3"),
            Some("slice:3/3".to_owned())
        );
        assert_eq!(of("-p x"), None);
        assert_eq!(of("-- --partition hash:1/4"), None);
        assert_eq!(of("--partition"), None);
        assert_eq!(of("--partition hash:a/b"), None);
    }

    #[test]
    fn what_is_missing_is_named() {
        let said = |of, there: &[u64]| {
            let like = Partition {
                kind: "hash".to_owned(),
                number: 1,
                of,
            };
            let there: BTreeSet<_> = there.iter().copied().collect();
            missing(&like, &there).err().map(|error| error.to_string())
        };
        assert_eq!(said(4, &[1, 2, 3, 4]), None);
        let begins = |of, there: &[u64], with: &str| {
            let said = said(of, there).expect("some are missing");
            assert!(said.starts_with(with), "{said}");
        };
        begins(4, &[1, 2, 4], "shard 3 of 4 is missing: ");
        begins(4, &[2], "shards 1, 3, 4 of 4 are missing: ");
        let many = "shards 1, 2, 3, 4, 5, 6, 7, 8 and perhaps more of 18446744073709551615 are";
        begins(u64::MAX, &[], many);
    }
}
