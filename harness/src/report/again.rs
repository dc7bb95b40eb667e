//! The command that runs the current test again: its package, target, profile and features.
//!
//! The program's own path tells the target and the profile. The features are on the command
//! line of the cargo that started it, which Linux shows.

use std::path::Path;

/// None outside of a test.
pub(super) fn command() -> Option<String> {
    let thread = std::thread::current();
    let test = thread.name().filter(|name| *name != "main")?;
    let package = std::env::var("CARGO_PKG_NAME").ok()?;
    let mut command = format!("cargo test -p {package}");
    let program = std::env::current_exe().unwrap_or_default();
    let root = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default();
    for flag in flags(&program, &package, Path::new(&root))
        .into_iter()
        .chain(features())
    {
        command.push_str(&format!(" {flag}"));
    }
    Some(format!("{command} {test} -- --exact"))
}

/// Those that choose the profile and the target, for `target/PROFILE/deps/NAME-HASH`.
fn flags(program: &Path, package: &str, root: &Path) -> Vec<String> {
    let mut flags = Vec::new();
    let profile = program
        .parent()
        .and_then(Path::parent)
        .and_then(Path::file_name);
    match profile.and_then(|name| name.to_str()) {
        Some("debug") | None => {}
        Some("release") => flags.push("--release".to_owned()),
        Some(other) => flags.push(format!("--profile {other}")),
    }
    let stem = program
        .file_stem()
        .and_then(|stem| stem.to_str())
        .unwrap_or_default();
    let name = stem.rsplit_once('-').map_or(stem, |(name, _)| name);
    let file = |name: &str| root.join("tests").join(format!("{name}.rs")).exists();
    let folder = |name: &str| root.join("tests").join(name).join("main.rs").exists();
    let names = [name.to_owned(), name.replace('_', "-")];
    if let Some(test) = names.iter().find(|name| file(name) || folder(name)) {
        flags.push(format!("--test {test}"));
    } else if name == package.replace('-', "_") && root.join("src/lib.rs").exists() {
        flags.push("--lib".to_owned());
    }
    flags
}

/// What the nearest cargo among this process's ancestors was told of features.
#[cfg(highwater_linux)]
fn features() -> Vec<String> {
    /// A test in a process of its own has a parent and a grandparent, below a runner.
    const GENERATIONS: usize = 6;

    let parent = |process: &str| {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
        Some(line.trim().to_owned())
    };
    let ancestors = std::iter::successors(parent("self"), |process| parent(process));
    for process in ancestors.take(GENERATIONS) {
        let line = std::fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line);
        let words: Vec<_> = line.split('\0').collect();
        let program = Path::new(words[0])
            .file_stem()
            .and_then(|stem| stem.to_str());
        if program.is_some_and(|name| name == "cargo") {
            return of_features(&words);
        }
    }
    Vec::new()
}

#[cfg(not(highwater_linux))]
fn features() -> Vec<String> {
    Vec::new()
}

/// The flags about features on a command line of cargo's.
#[cfg_attr(not(highwater_linux), allow(dead_code))]
fn of_features(words: &[&str]) -> Vec<String> {
    let mut flags = Vec::new();
    let mut words = words.iter().take_while(|word| **word != "--");
    while let Some(word) = words.next() {
        match *word {
            "--all-features" | "--no-default-features" => flags.push((*word).to_owned()),
            "--features" | "-F" => {
                let features = words
                    .next()
                    .map_or(String::new(), |list| list.replace(' ', ","));
                flags.push(format!("{word} {features}"));
            }
            _ => {
                let features = word.strip_prefix("--features=");
                flags.extend(features.map(|list| format!("--features {}", list.replace(' ', ","))));
            }
        }
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::{flags, of_features};
    use std::path::Path;

    #[test]
    fn the_program_tells_its_target_and_profile() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let of = |program: &str, package: &str| flags(Path::new(program), package, root).join(" ");
        let program = "/t/debug/deps/highwater-0123456789abcdef";
        assert_eq!(of(program, "highwater"), "--lib");
        let program = "/t/release/deps/compile_errors-0123456789abcdef";
        assert_eq!(of(program, "highwater"), "--release --test compile_errors");
        let program = "/t/profiling/deps/other-0123456789abcdef";
        assert_eq!(of(program, "highwater"), "--profile profiling");
        assert_eq!(of("", "highwater"), "");
    }

    #[test]
    fn cargo_was_told_of_features() {
        let line = [
            "cargo",
            "test",
            "-F",
            "a b",
            "--features=c",
            "--all-features",
            "--",
            "-F",
            "d",
        ];
        let flags = ["-F a,b", "--features c", "--all-features"];
        assert_eq!(of_features(&line), flags);
    }
}
