//! Files that are whole or not there.

use std::fs;
use std::io;
use std::path::Path;

/// What the names of files end with that are not finished.
const UNFINISHED: &str = "highwater-tmp";

/// Writes the file at `path`, whole or not at all, and the directories above it: a
/// file beside it is renamed when it is complete.
///
/// # Errors
/// If the system refuses.
pub fn replace(path: &Path, contents: &(impl AsRef<[u8]> + ?Sized)) -> io::Result<()> {
    let temporary = path.with_added_extension(format!("{}.{UNFINISHED}", std::process::id()));
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    fs::write(&temporary, contents)
        .and_then(|()| fs::rename(&temporary, path))
        .inspect_err(|_| {
            let _ = fs::remove_file(&temporary);
        })
}

/// Removes from `directory` what a killed process did not finish.
///
/// # Errors
/// If the system refuses.
pub fn remove_unfinished(directory: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == UNFINISHED)
        {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}
