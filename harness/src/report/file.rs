//! Where reports are written: `highwater/` in cargo's target directory, or where
//! `cargo highwater` gathers them.

use super::Report;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

impl Report {
    /// Where this report's JSON is written: `<name>.json`, or
    /// `<name>@<variant>.json`, in the directory that the environment variable
    /// `HIGHWATER_REPORTS` names. Without it, in `highwater/` below the target
    /// directory that the program was built in; for a program that is elsewhere,
    /// below the `target` of the working directory or the nearest above it that
    /// has one.
    ///
    /// In the file's name `::` is written as `.`, and what is not a letter, a
    /// digit, `_` or `-` as `%` and its two hexadecimal digits, so no two names
    /// share a file.
    pub fn json_path(&self) -> PathBuf {
        let mut file = encoded(&self.name);
        if let Some(variant) = &self.variant {
            file.push('@');
            file.push_str(&encoded(variant));
        }
        file.push_str(".json");
        directory().join(file)
    }

    /// Writes the JSON, whole or not at all. A test does not fail because its
    /// disk is full or read-only, but it says so.
    ///
    /// Where the reports of one run are gathered, two scenarios of one name are not
    /// to replace each other: the second is written under its place in the code too.
    pub(crate) fn write(&self) {
        let json = self.to_json() + "\n";
        let mut path = self.json_path();
        if let Some(place) = self.location
            && gathered_in().is_some()
            && fs::read_to_string(&path).is_ok_and(|other| is_of_another(&other, &json))
        {
            let place = format!("+{}-{}.json", encoded(place.file()), place.line());
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            path = path.with_file_name(stem.into_owned() + &place);
        }
        if let Err(error) = replace(&path, &json) {
            eprintln!(
                "highwater: the report of `{}` could not be written to {}: {error}",
                self.full_name(),
                path.display()
            );
        }
    }
}

/// Writes to a file beside `path` and renames it, so that a reader sees the old
/// text or the new one.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    static WRITES: AtomicU64 = AtomicU64::new(0);
    let write = WRITES.fetch_add(1, Ordering::Relaxed);
    let temporary = path.with_extension(format!("{}-{write}.tmp", std::process::id()));
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    fs::write(&temporary, text)
        .and_then(|()| fs::rename(&temporary, path))
        .inspect_err(|_| {
            let _ = fs::remove_file(&temporary);
        })
}

/// Whether one report is from another place in the code than the other, and says
/// something else.
fn is_of_another(one: &str, other: &str) -> bool {
    const LOCATION: &str = "  \"location\":";
    let location = |json: &str| {
        let line = json.lines().find(|line| line.starts_with(LOCATION));
        line.map(str::to_owned)
    };
    let rest = |json: &str| {
        let lines = json.lines().filter(|line| !line.starts_with(LOCATION));
        lines.collect::<String>()
    };
    location(one) != location(other) && rest(one) != rest(other)
}

fn gathered_in() -> Option<PathBuf> {
    std::env::var_os("HIGHWATER_REPORTS").map(PathBuf::from)
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
    around_program
        .map(Path::to_owned)
        .or_else(below_working)
        .unwrap_or_else(|| PathBuf::from("target"))
        .join("highwater")
}

fn encoded(name: &str) -> String {
    let mut file = String::new();
    for (place, part) in name.split("::").enumerate() {
        if place > 0 {
            file.push('.');
        }
        for byte in part.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' => {
                    file.push(char::from(byte));
                }
                _ => file.push_str(&format!("%{byte:02X}")),
            }
        }
    }
    file
}

#[cfg(test)]
mod tests {
    use super::{encoded, is_of_another};

    #[test]
    fn reports_of_another_place_say_something_else() {
        let report = |line: u32, steps: u32| {
            format!("{{\n  \"name\": \"x\",\n  \"location\": {line},\n  \"steps\": {steps}\n}}\n")
        };
        assert!(!is_of_another(&report(1, 1), &report(1, 2)), "a later run");
        assert!(
            !is_of_another(&report(1, 1), &report(2, 1)),
            "the same figures"
        );
        assert!(is_of_another(&report(1, 1), &report(2, 2)));
    }

    #[test]
    fn names_make_safe_files() {
        assert_eq!(encoded("candles-10k"), "candles-10k");
        assert_eq!(encoded("cache::is_bounded"), "cache.is_bounded");
        assert_eq!(encoded("cache.is/bounded"), "cache%2Eis%2Fbounded");
        assert_eq!(encoded("a%3A"), "a%253A");
        assert_eq!(encoded("../é"), "%2E%2E%2F%C3%A9");
    }
}
