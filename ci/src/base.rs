//! [`Base`]: another revision of the project, checked out beside this one.
//!
//! It is a git worktree in a temporary directory, outside of the project: below
//! the project, cargo would take the project's own configuration and workspace for
//! the base's. Whoever has it holds a lock in that directory, which the system
//! takes back when the process ends in whatever way; so the next gate can tell
//! what a killed one left behind, and removes it.

use std::ffi::OsStr;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// What the names of the temporary directories start with.
const PREFIX: &str = "highwater-base-";
/// The file in them that is locked, and the worktree beside it.
const LOCK: &str = "lock";
const WORKTREE: &str = "worktree";

/// A revision that is checked out until this is dropped.
#[derive(Debug)]
pub struct Base {
    /// The full hash of the commit.
    pub commit: String,
    /// Where the working directory's place is in the base.
    pub directory: PathBuf,
    repository: PathBuf,
    worktree: PathBuf,
    _temporary: TempDir,
    _lock: File,
}

/// Why the base could not be checked out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BaseError {
    /// Git did not start.
    #[error("git could not be run: {0}; the base is checked out by it")]
    NoGit(io::Error),
    /// Git could not do it.
    #[error("git {what} failed: {message}")]
    Git {
        /// What it was to do.
        what: String,
        /// What it said.
        message: String,
    },
    /// There is no such revision.
    #[error(
        "the base `{revision}` is no commit of this repository; if it was cloned shallowly, \
         fetch it first: git fetch --deepen=1000 origin"
    )]
    NoCommit {
        /// As it was asked for.
        revision: String,
    },
    /// It is not in the history of what is checked out.
    #[error(
        "the base `{revision}` is not an ancestor of what is checked out, so differences could be \
         its own; name the commit where the two part (git merge-base {revision} HEAD{}), or \
         compare them all the same with --any-base",
        .fork.as_ref().map(|fork| format!(" = {fork}")).unwrap_or_default()
    )]
    NotAnAncestor {
        /// As it was asked for.
        revision: String,
        /// The commit where the two part, if git knows one.
        fork: Option<String>,
    },
    /// The working directory is not in the base.
    #[error("the base `{revision}` has no directory {}", .directory.display())]
    NoDirectory {
        /// As it was asked for.
        revision: String,
        /// Relative to the repository's root.
        directory: PathBuf,
    },
    /// The temporary directory could not be made.
    #[error("{}: {source}", .path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Base {
    /// Checks out `revision` of the repository around `directory`, after removing
    /// what killed processes left of such checkouts.
    ///
    /// # Errors
    /// If there is no such commit, or it is no ancestor of `HEAD` and not `any` base
    /// will do, or git or the system refuses.
    pub fn check_out(directory: &Path, revision: &str, any: bool) -> Result<Self, BaseError> {
        let repository = PathBuf::from(git(directory, &["rev-parse", "--show-toplevel"])?);
        let below = PathBuf::from(git(directory, &["rev-parse", "--show-prefix"])?);
        let commit = commit(&repository, revision)?;
        if !any {
            must_be_ancestor(&repository, revision, &commit)?;
        }
        remove_abandoned(&repository);
        let temporary = tempfile::Builder::new().prefix(PREFIX).tempdir();
        let temporary = temporary.map_err(io_error(&std::env::temp_dir()))?;
        let lock = locked(temporary.path()).map_err(io_error(temporary.path()))?;
        let worktree = temporary.path().join(WORKTREE);
        let path = worktree.as_os_str();
        let arguments = ["worktree", "add", "--detach", "--quiet"].map(OsStr::new);
        git(
            &repository,
            &[&arguments[..], &[path, OsStr::new(&commit)]].concat(),
        )?;
        let base = Self {
            directory: worktree.join(&below),
            commit,
            repository,
            worktree,
            _temporary: temporary,
            _lock: lock,
        };
        if base.worktree.join(".gitmodules").exists() {
            let update = ["submodule", "update", "--init", "--recursive", "--quiet"];
            git(&base.worktree, &update)?;
        }
        if base.directory.is_dir() {
            return Ok(base);
        }
        Err(BaseError::NoDirectory {
            revision: revision.to_owned(),
            directory: below,
        })
    }
}

impl Drop for Base {
    fn drop(&mut self) {
        // What can't be removed now is removed by the next gate.
        let _ = remove(&self.repository, &self.worktree);
    }
}

fn commit(repository: &Path, revision: &str) -> Result<String, BaseError> {
    let spelled = format!("{revision}^{{commit}}");
    let arguments = [
        "rev-parse",
        "--verify",
        "--quiet",
        "--end-of-options",
        &spelled,
    ];
    git(repository, &arguments).map_err(|error| match error {
        BaseError::Git { .. } => BaseError::NoCommit {
            revision: revision.to_owned(),
        },
        error => error,
    })
}

fn must_be_ancestor(repository: &Path, revision: &str, commit: &str) -> Result<(), BaseError> {
    let fork = git(repository, &["merge-base", commit, "HEAD"]).ok();
    if fork.as_deref() == Some(commit) {
        return Ok(());
    }
    Err(BaseError::NotAnAncestor {
        revision: revision.to_owned(),
        fork: fork.and_then(|fork| fork.get(..12).map(str::to_owned)),
    })
}

/// Removes the checkouts whose owners are no more, those that git knows of and
/// those that lie in the temporary directory. What belongs to other users or is in
/// use is left alone.
fn remove_abandoned(repository: &Path) {
    let known = git(repository, &["worktree", "list", "--porcelain"]).unwrap_or_default();
    let worktrees = known
        .lines()
        .filter_map(|line| line.strip_prefix("worktree "));
    let of_git = worktrees.filter_map(|path| Path::new(path).parent().map(Path::to_owned));
    let entries = fs::read_dir(std::env::temp_dir()).into_iter().flatten();
    let of_system = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let is_ours = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default();
        name.to_string_lossy().starts_with(PREFIX)
    };
    for directory in of_git.chain(of_system).filter(is_ours) {
        if is_abandoned(&directory) {
            let _ = remove(repository, &directory.join(WORKTREE));
            let _ = fs::remove_dir_all(&directory);
        }
    }
    let _ = git(repository, &["worktree", "prune"]);
}

/// Whether nobody holds the lock in `directory`. One that was made a moment ago has
/// no lock in it yet; it has nothing else in it either, and is left to another day.
fn is_abandoned(directory: &Path) -> bool {
    match File::open(directory.join(LOCK)) {
        Ok(lock) => !matches!(lock.try_lock(), Err(TryLockError::WouldBlock)),
        Err(_) => directory.join(WORKTREE).exists(),
    }
}

/// A lock file in `directory`, which is there under its name only when it is locked.
fn locked(directory: &Path) -> io::Result<File> {
    let unlocked = directory.join("unlocked");
    let lock = File::create(&unlocked)?;
    lock.lock()?;
    fs::rename(unlocked, directory.join(LOCK))?;
    Ok(lock)
}

fn remove(repository: &Path, worktree: &Path) -> Result<(), BaseError> {
    let arguments = ["worktree", "remove", "--force", "--force"].map(OsStr::new);
    git(
        repository,
        &[&arguments[..], &[worktree.as_os_str()]].concat(),
    )
    .map(drop)
}

/// What git prints, without the last line break.
fn git(directory: &Path, arguments: &[impl AsRef<OsStr>]) -> Result<String, BaseError> {
    let output = Command::new("git")
        .arg("-C")
        .arg(directory)
        // Set in hooks, for another directory than this.
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .env_remove("GIT_INDEX_FILE")
        .args(arguments)
        .output()
        .map_err(BaseError::NoGit)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout)
            .trim_end()
            .to_owned());
    }
    let words = arguments.iter().take(2);
    let words: Vec<_> = words.map(|word| word.as_ref().to_string_lossy()).collect();
    Err(BaseError::Git {
        what: words.join(" "),
        message: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> BaseError {
    let path = path.to_owned();
    move |source| BaseError::Io { path, source }
}
