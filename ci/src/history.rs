//! [`Search`]: which commit to look at next, to find the first one that is not as before.
//!
//! Git knows the history and names the commit that halves it best. Nothing is written to the
//! repository, so a search that is stopped leaves nothing behind.

use crate::base::{BaseError, git};
use std::path::PathBuf;

/// A search between commits that are as before and one that is not.
#[derive(Debug)]
pub struct Search {
    repository: PathBuf,
    changed: String,
    same: Vec<String>,
    skipped: Vec<String>,
}

/// A commit as its reader knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The full hash.
    pub hash: String,
    /// The first line of its message.
    pub subject: String,
    /// Who wrote it, and on which day: `name, 2026-01-31`.
    pub author: String,
}

impl Search {
    /// Between `same` and `changed`, full hashes of which the first is an ancestor of the
    /// second.
    pub fn new(repository: PathBuf, same: String, changed: String) -> Self {
        Self {
            repository,
            changed,
            same: vec![same],
            skipped: Vec::new(),
        }
    }

    /// How many commits may still be the first.
    ///
    /// # Errors
    /// If git refuses.
    pub fn candidates(&self) -> Result<usize, BaseError> {
        Ok(self.by_distance()?.len())
    }

    /// The commit to look at next; none if the search has ended.
    ///
    /// # Errors
    /// If git refuses.
    pub fn next(&self) -> Result<Option<String>, BaseError> {
        let candidates = self.by_distance()?.into_iter();
        let mut open =
            candidates.filter(|commit| *commit != self.changed && !self.skipped.contains(commit));
        Ok(open.next())
    }

    /// This commit is as before.
    pub fn is_same(&mut self, commit: String) {
        self.same.push(commit);
    }

    /// This commit is not as before.
    pub fn is_changed(&mut self, commit: String) {
        self.changed = commit;
    }

    /// Nothing can be said of this commit.
    pub fn skip(&mut self, commit: String) {
        self.skipped.push(commit);
    }

    /// The first commit that is not as before, and those that were skipped and may be it.
    ///
    /// # Errors
    /// If git refuses.
    pub fn found(&self) -> Result<(Commit, Vec<Commit>), BaseError> {
        let mut skipped = self.by_distance()?;
        skipped.retain(|commit| *commit != self.changed);
        let skipped = skipped.iter().map(|hash| self.describe(hash));
        Ok((
            self.describe(&self.changed)?,
            skipped.collect::<Result<_, _>>()?,
        ))
    }

    /// The parent of the commit, if it has one.
    pub fn parent(&self, commit: &str) -> Option<String> {
        let parent = format!("{commit}^");
        git(
            &self.repository,
            &["rev-parse", "--verify", "--quiet", &parent],
        )
        .ok()
    }

    /// What may be the first, what halves the history best before the others.
    fn by_distance(&self) -> Result<Vec<String>, BaseError> {
        let mut arguments = vec!["rev-list", "--bisect-all", &self.changed, "--not"];
        arguments.extend(self.same.iter().map(String::as_str));
        let listed = git(&self.repository, &arguments)?;
        let hashes = listed.lines().filter_map(|line| line.split(' ').next());
        Ok(hashes.map(str::to_owned).collect())
    }

    fn describe(&self, hash: &str) -> Result<Commit, BaseError> {
        let format = "--format=%s%n%an, %as";
        let text = git(&self.repository, &["show", "--no-patch", format, hash])?;
        let (subject, author) = text.split_once('\n').unwrap_or((&text, ""));
        Ok(Commit {
            hash: hash.to_owned(),
            subject: subject.to_owned(),
            author: author.to_owned(),
        })
    }
}
