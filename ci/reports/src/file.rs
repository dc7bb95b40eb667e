//! Files that are written atomically.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use tempfile::Builder;

/// What the names of files end with that are not finished.
const UNFINISHED: &str = "highwater-tmp";

/// Writes the file at `path`, whole or not at all, and the directories above it: a
/// file beside it is renamed when it is complete.
///
/// # Errors
/// If the system refuses.
pub fn write_atomically(path: &Path, contents: &(impl AsRef<[u8]> + ?Sized)) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new(""));
    fs::create_dir_all(directory)?;
    let suffix = format!(".{UNFINISHED}");
    let mut builder = Builder::new();
    builder.suffix(&suffix);
    // Anyone may read it whom the user's umask lets; by itself, only the user may.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut temporary = builder.tempfile_in(directory)?;
    temporary.write_all(contents.as_ref())?;
    temporary.persist(path)?;
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::{UNFINISHED, remove_unfinished, write_atomically};
    use std::fs;

    fn names(directory: &std::path::Path) -> Vec<String> {
        let entries = fs::read_dir(directory).expect("it is there");
        let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
        let names = entries.map(|entry| name(entry).to_string_lossy().into_owned());
        names.collect()
    }

    #[test]
    fn what_is_there_is_replaced_and_nothing_is_left_beside_it() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("a/b/file.txt");
        for text in ["first", "second"] {
            write_atomically(&path, text).expect("it can be written");
            assert_eq!(fs::read_to_string(&path).expect("it is there"), text);
        }
        let folder = path.parent().expect("a folder");
        assert_eq!(names(folder), ["file.txt"]);
        // A directory can't be replaced by a file.
        assert!(write_atomically(folder, "text").is_err());
        assert_eq!(names(&directory.path().join("a")), ["b"]);
    }

    /// As with any file that a program makes.
    #[cfg(unix)]
    #[test]
    fn others_may_read_it_as_they_may_other_files() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().expect("a temporary directory");
        let [ours, plain] = ["ours", "plain"].map(|name| directory.path().join(name));
        write_atomically(&ours, "text").expect("it can be written");
        fs::write(&plain, "text").expect("it can be written");
        let [ours, plain] = [ours, plain].map(|path| {
            let metadata = fs::metadata(path).expect("it is there");
            metadata.permissions().mode()
        });
        assert_eq!(ours, plain);
    }

    #[test]
    fn only_what_is_not_finished_is_removed() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        for name in ["a.txt".to_owned(), format!(".tmp.{UNFINISHED}")] {
            fs::write(directory.path().join(name), "").expect("a file");
        }
        remove_unfinished(directory.path()).expect("it can be removed");
        assert_eq!(names(directory.path()), ["a.txt"]);
        remove_unfinished(&directory.path().join("none")).expect("there is nothing to do");
    }
}
