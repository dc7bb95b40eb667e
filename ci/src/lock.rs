//! [`Lock`]: a locked file, which keeps other processes out until this one ends, and what it
//! started with it.
//!
//! The system releases a lock when the last process ends that has the file open. Rust closes it
//! in the programs that are started. But if the tool alone is killed, cargo and the tests go on,
//! and a test would write its report among those of the next run. So they have the file open
//! too. A run that comes to its end releases the lock itself, so that a server that was started
//! on the way, such as that of a compiler's cache, keeps nobody waiting.

use std::fs::{File, TryLockError};
use std::io;

/// A locked file. The lock is released when this is dropped, or, if this process is killed, when
/// the last process ends that it started. Elsewhere than on Linux, that is when this one ends.
#[derive(Debug)]
pub struct Lock(File);

impl Lock {
    /// Waits for the lock on `file`; `wait` is called first if another process has it.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn wait_for(file: File, wait: impl FnOnce()) -> io::Result<Self> {
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                wait();
                file.lock()?;
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let lock = Self(file);
        is_inherited(&lock.0)?;
        Ok(lock)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the file would not release it for those that were started.
        let _ = self.0.unlock();
    }
}

#[cfg(target_os = "linux")]
fn is_inherited(file: &File) -> io::Result<()> {
    use nix::fcntl::{FcntlArg, FdFlag, fcntl};
    fcntl(file, FcntlArg::F_SETFD(FdFlag::empty()))?;
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn is_inherited(_: &File) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::Lock;
    use std::fs::File;
    use std::process::{Command, Stdio};

    #[test]
    fn what_was_started_has_it_until_the_lock_is_dropped() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("lock");
        let locked = || {
            let file = File::create(&path).expect("it can be made");
            let nobody = || panic!("nobody has it");
            Lock::wait_for(file, nobody).expect("it can be locked")
        };
        let is_free = || {
            let file = File::open(&path).expect("it is there");
            file.try_lock().is_ok()
        };
        let started = || {
            let mut command = Command::new("cat");
            command.stdin(Stdio::piped()).spawn().expect("it starts")
        };
        let lock = locked();
        let mut first = started();
        assert!(!is_free());
        drop(lock);
        assert!(is_free(), "the child has the file still, and no lock");

        // The system closes the file of a process that is killed.
        let mut lock = locked();
        let mut second = started();
        let other = File::create(directory.path().join("other")).expect("it can be made");
        drop(std::mem::replace(&mut lock.0, other));
        assert!(!is_free());
        for child in [&mut first, &mut second] {
            drop(child.stdin.take());
            child.wait().expect("it ends");
        }
    }
}
