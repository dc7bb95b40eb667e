//! [`Base`]: another revision of the project, checked out beside this one.
//!
//! It is a git worktree below cargo's home. Below the project, cargo would apply the project's
//! own configuration and workspace to the base. Its path is the same each time, because cargo
//! keeps what it builds by path. The process that uses it holds a [`Lock`], which the system
//! releases when the process ends for any reason. So the next gate can find a worktree that a
//! killed gate left behind, and remove it.

use crate::lock::Lock;
use highwater_reports::page::short_hash;
use same_file::Handle;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The directory of all checkouts, below cargo's home.
const CHECKOUTS: &str = "highwater";
/// The file in each that is locked.
const LOCK: &str = "lock";

/// A revision that is checked out until this is dropped.
#[derive(Debug)]
pub struct Base {
    /// The full hash of the commit.
    pub commit: String,
    /// The working directory's path in the base.
    pub directory: PathBuf,
    repository: PathBuf,
    checkout: Checkout,
}

/// A directory that no other process uses, as long as this is there.
#[derive(Debug)]
struct Checkout {
    path: PathBuf,
    /// In `path`. No other worktree of the repository has its name. Git keeps what it knows of a
    /// worktree by this name, so what a killed process left there is found by it.
    worktree: PathBuf,
    _lock: Lock,
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
    /// Cargo's home, below which the base is checked out, is not known.
    #[error(
        "there is no place to check the base out in: neither CARGO_HOME nor the home directory \
         is known and outside of the repository; set CARGO_HOME to one that is"
    )]
    NoHome,
    /// The base's directory could not be made or removed.
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
        let commit = resolve(&repository, revision, any)?;
        let checkout = Checkout::of(&repository)?;
        let worktree = &checkout.worktree;
        // What a killed gate left; there is none most of the time.
        remove(&repository, worktree)?;
        let add = ["worktree", "add", "--detach", "--quiet"];
        let what = [worktree.as_os_str(), OsStr::new(&commit)];
        git(&repository, &[&add.map(OsStr::new)[..], &what].concat())?;
        let base = Self {
            directory: worktree.join(&below),
            commit,
            repository,
            checkout,
        };
        base.complete(revision)?;
        Ok(base)
    }

    /// The root of the repository that it is a revision of.
    pub fn repository(&self) -> &Path {
        &self.repository
    }

    /// Puts another commit of the same repository in its place. What was built of the one
    /// before is built upon.
    ///
    /// # Errors
    /// If git refuses.
    pub fn go_to(&mut self, commit: &str) -> Result<(), BaseError> {
        git(
            &self.checkout.worktree,
            &["checkout", "--quiet", "--detach", "--force", commit],
        )?;
        commit.clone_into(&mut self.commit);
        self.complete(commit)
    }

    /// Fetches submodules, and makes sure of the directory.
    fn complete(&self, revision: &str) -> Result<(), BaseError> {
        let worktree = &self.checkout.worktree;
        if worktree.join(".gitmodules").exists() {
            // Those that the user has. To initialise others would write to the repository's
            // configuration; those within them have a configuration of their own.
            git(worktree, &["submodule", "update", "--quiet"])?;
            let inner = "git submodule update --init --recursive --quiet";
            git(worktree, &["submodule", "foreach", "--quiet", inner])?;
        }
        if self.directory.is_dir() {
            return Ok(());
        }
        let below = self.directory.strip_prefix(worktree);
        Err(BaseError::NoDirectory {
            revision: revision.to_owned(),
            directory: below.unwrap_or(&self.directory).to_owned(),
        })
    }
    /// Where `path`, which is in the repository, is in the base.
    pub fn counterpart(&self, path: &Path) -> Option<PathBuf> {
        let below = path.strip_prefix(&self.repository).ok()?;
        Some(self.checkout.worktree.join(below))
    }

    /// Gives the base the `Cargo.lock` of the workspace at `root`, if neither revision
    /// has one committed: both are to be built with the same dependencies.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn lock_like(&self, root: &Path) -> Result<(), BaseError> {
        let Some(there) = self.counterpart(root) else {
            return Ok(());
        };
        let lock = root.join("Cargo.lock");
        let copy = there.join("Cargo.lock");
        if lock.is_file() && there.is_dir() && !copy.exists() {
            fs::copy(&lock, &copy).map_err(io_error(&copy))?;
        }
        Ok(())
    }
}

impl Base {
    /// The configurations of cargo outside of the repository that hold for one of the two
    /// revisions alone: for this one, or for what is checked out. That in cargo's home holds
    /// for both.
    pub fn configurations_of_one(&self) -> Vec<(PathBuf, bool)> {
        let of_both = cargo_homes().next().map(|home| home.join("config.toml"));
        let above = |directory: Option<&Path>| -> Vec<PathBuf> {
            let directories = directory.into_iter().flat_map(Path::ancestors);
            let files = directories.map(|above| above.join(".cargo/config.toml"));
            files
                .filter(|file| file.is_file() && Some(file) != of_both.as_ref())
                .collect()
        };
        let of_head = above(self.repository.parent());
        let of_base = above(Some(&self.checkout.path));
        let only = |these: &[PathBuf], others: &[PathBuf], is_base| {
            let only = these.iter().filter(|file| !others.contains(file));
            only.map(|file| (file.clone(), is_base)).collect::<Vec<_>>()
        };
        let head = only(&of_head, &of_base, false);
        [head, only(&of_base, &of_head, true)].concat()
    }
}

impl Drop for Base {
    fn drop(&mut self) {
        // What can't be removed now is removed by the next gate.
        let _ = remove(&self.repository, &self.checkout.worktree);
        let _ = fs::remove_dir_all(&self.checkout.path);
    }
}

impl Checkout {
    /// The one for `repository`. Waits for the process that has it, and removes those
    /// of other repositories that nobody has.
    fn of(repository: &Path) -> Result<Self, BaseError> {
        let is_outside = |home: &PathBuf| {
            let home = std::path::absolute(home).unwrap_or_default();
            !home.starts_with(repository)
        };
        let home = cargo_homes().find(is_outside);
        let all = home.ok_or(BaseError::NoHome)?.join(CHECKOUTS);
        let mut hasher = DefaultHasher::new();
        repository.hash(&mut hasher);
        let name = repository.file_name().unwrap_or_default();
        let hash = hasher.finish();
        let name = format!("{}-{hash:016x}", name.to_string_lossy());
        let path = all.join(name);
        let worktree = path.join(format!("highwater-{hash:016x}"));
        remove_abandoned(&all, &path);
        loop {
            if let Some(lock) = locked(&path).map_err(io_error(&path))? {
                return Ok(Self {
                    path,
                    worktree,
                    _lock: lock,
                });
            }
        }
    }
}

/// Cargo's home if it is set, and where it is if it is not.
pub fn cargo_homes() -> impl Iterator<Item = PathBuf> {
    let of_cargo = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let of_user = std::env::home_dir().map(|home| home.join(".cargo"));
    of_cargo.into_iter().chain(of_user)
}

/// Locks `directory`; none if it was removed meanwhile by the process that had it,
/// and the lock is one on a file that is gone.
fn locked(directory: &Path) -> io::Result<Option<Lock>> {
    fs::create_dir_all(directory)?;
    let path = directory.join(LOCK);
    let file = File::options().append(true).create(true).open(&path);
    let file = match file {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let ours = Handle::from_file(file.try_clone()?)?;
    let lock = Lock::wait_for(file, || {})?;
    let is_there = Handle::from_path(&path).is_ok_and(|there| there == ours);
    Ok(is_there.then_some(lock))
}

/// Removes all checkouts but `own` that nobody has locked.
fn remove_abandoned(all: &Path, own: &Path) {
    for entry in fs::read_dir(all).into_iter().flatten().flatten() {
        let path = entry.path();
        let lock = File::open(path.join(LOCK));
        // Held until all of it is gone, or another gate may move in.
        if path != own
            && let Ok(lock) = lock
            && lock.try_lock().is_ok()
        {
            for entry in fs::read_dir(&path).into_iter().flatten().flatten() {
                let _ = fs::remove_dir_all(entry.path());
            }
            let _ = fs::remove_dir_all(&path);
        }
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
        fork: fork.map(|fork| short_hash(&fork).to_owned()),
    })
}

/// Removes the worktree and what git knows of it. `git worktree remove` refuses if a killed
/// process made or removed a part of it. No other: what is out of reach now may be someone's on a
/// disk that is not there.
fn remove(repository: &Path, worktree: &Path) -> Result<(), BaseError> {
    if worktree.exists() {
        fs::remove_dir_all(worktree).map_err(io_error(worktree))?;
    }
    let known = git(repository, &["rev-parse", "--git-common-dir"])?;
    let known = repository.join(known).join("worktrees");
    let ours = worktree.file_name().unwrap_or_default().to_string_lossy();
    for entry in fs::read_dir(&known).into_iter().flatten().flatten() {
        // Git adds a number where it knows one of this name.
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let number = name.strip_prefix(&*ours);
        if number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit())) {
            fs::remove_dir_all(entry.path()).map_err(io_error(&entry.path()))?;
        }
    }
    // As git does, if that was the last.
    let _ = fs::remove_dir(&known);
    Ok(())
}

/// The commit of `revision`, if it may be a base.
///
/// # Errors
/// If there is no such commit, or it is no ancestor of `HEAD` and not `any` base will do, or
/// this is no repository.
pub fn resolve(directory: &Path, revision: &str, any: bool) -> Result<String, BaseError> {
    // It says so if this is no repository.
    git(directory, &["rev-parse", "--show-toplevel"])?;
    let commit = commit(directory, revision)?;
    if !any {
        must_be_ancestor(directory, revision, &commit)?;
    }
    Ok(commit)
}

/// Whether the history of `descendant` has `ancestor`.
pub fn is_ancestor(directory: &Path, ancestor: &str, descendant: &str) -> bool {
    let asked = ["merge-base", "--is-ancestor", ancestor, descendant];
    git(directory, &asked).is_ok()
}

/// Where `directory` is in its repository, with a slash at the end; empty at the root,
/// none if there is no repository.
pub fn path_in_repository(directory: &Path) -> Option<String> {
    git(directory, &["rev-parse", "--show-prefix"]).ok()
}

/// The root of the repository around `directory`, if there is one.
pub fn repository(directory: &Path) -> Option<PathBuf> {
    let root = git(directory, &["rev-parse", "--show-toplevel"]).ok()?;
    Some(root.into())
}

/// Whether each of these files is committed as it is.
pub fn are_committed(directory: &Path, files: &[&Path]) -> bool {
    let asked = |words: &[&'static str]| {
        let words = words.iter().map(OsStr::new);
        let files = files.iter().map(|file| file.as_os_str());
        let arguments: Vec<_> = words.chain(files).collect();
        git(directory, &arguments).is_ok()
    };
    asked(&["ls-files", "--error-unmatch", "--"]) && asked(&["diff", "--quiet", "HEAD", "--"])
}

/// What git prints, without the last line break. The repository's hooks and its monitor are
/// for its people, not for what is checked out here, submodules included.
pub(crate) fn git(directory: &Path, arguments: &[impl AsRef<OsStr>]) -> Result<String, BaseError> {
    let output = Command::new("git")
        .arg("-C")
        .arg(directory)
        // Set in hooks, for another directory than this.
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .env_remove("GIT_INDEX_FILE")
        .args([
            "-c",
            "core.hooksPath=/dev/null",
            "-c",
            "core.fsmonitor=false",
        ])
        .args(arguments)
        .output()
        .map_err(BaseError::NoGit)?;
    if output.status.success() {
        let printed = String::from_utf8_lossy(&output.stdout);
        let printed = printed.strip_suffix('\n').unwrap_or(&printed);
        return Ok(printed.to_owned());
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
