//! The compiler's flags that the tests are built with, so that call stacks are cheap and
//! types have names: those of the project, and what it says nothing of.
//!
//! Cargo takes flags from one source alone. What this adds goes beside those of the source
//! that cargo would take. Cargo keeps what it built with other flags.

use cargo_config2::{Config, Flags};
use std::path::Path;

/// The variable that cargo prefers to all others.
pub(super) const VARIABLE: &str = "CARGO_ENCODED_RUSTFLAGS";

/// The flags, each with the name of what it sets.
const WANTED: [(&str, &str); 2] = [
    ("force-frame-pointers", "-Cforce-frame-pointers=yes"),
    ("symbol-mangling-version", "-Csymbol-mangling-version=v0"),
];

/// The flags for tests that are built in `directory`, for `target` if that is said, as the
/// variable has them. None if cargo is to find them by itself: the project sets all of
/// them, they serve nothing on this system, or its configuration cannot be read, which
/// cargo says better.
pub(super) fn encoded(directory: &Path, target: Option<&str>) -> Option<String> {
    let has_stacks = cfg!(any(target_arch = "x86_64", target_arch = "aarch64"));
    if !(cfg!(any(target_os = "linux", target_os = "macos")) && has_stacks) {
        return None;
    }
    complete(&Config::load_with_cwd(directory).ok()?, target)
}

/// Those of a configuration and what it lacks; none if it lacks nothing.
fn complete(config: &Config, target: Option<&str>) -> Option<String> {
    let targets = config.build_target_for_cli(target).ok()?;
    let target = match targets.as_slice() {
        [] => config.host_triple().ok()?,
        [target] => target,
        _ => return None,
    };
    let mut flags = config.rustflags(target).ok()?.unwrap_or_default();
    let missing = missing(&flags);
    if missing.is_empty() {
        return None;
    }
    for flag in missing {
        flags.push(flag);
    }
    flags.encode().ok()
}

fn missing(flags: &Flags) -> Vec<&'static str> {
    let is_set = |name: &str| flags.flags.iter().any(|flag| flag.contains(name));
    let missing = WANTED.iter().filter(|(name, _)| !is_set(name));
    missing.map(|(_, flag)| *flag).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use cargo_config2::ResolveOptions;

    /// What is added to a project with this configuration, one flag a line.
    fn with(configuration: &str) -> String {
        let project = tempfile::tempdir().expect("a directory");
        let folder = project.path().join(".cargo");
        std::fs::create_dir(&folder).expect("it is new");
        std::fs::write(folder.join("config.toml"), configuration).expect("it is new");
        let nothing: [(&str, &str); 0] = [];
        let options = ResolveOptions::default().env(nothing);
        let config = Config::load_with_options(project.path(), options);
        let encoded = complete(&config.expect("TOML"), Some("x86_64-unknown-linux-gnu"));
        encoded.unwrap_or_default().replace('\u{1f}', "\n")
    }

    #[test]
    fn what_a_project_sets_stays() {
        let both = "-Cforce-frame-pointers=yes\n-Csymbol-mangling-version=v0";
        assert_eq!(with(""), both);
        assert_eq!(
            with("[build]\nrustflags = [\"--cfg=own\"]"),
            format!("--cfg=own\n{both}")
        );
        assert_eq!(
            with("[target.'cfg(unix)']\nrustflags = \"-C symbol-mangling-version=legacy\""),
            "-C\nsymbol-mangling-version=legacy\n-Cforce-frame-pointers=yes"
        );
        let all = format!("[build]\nrustflags = \"{}\"", both.replace('\n', " "));
        assert_eq!(with(&all), "");
    }
}
