//! Two versions of the library in one program: only one of them could be the allocator, and
//! the other would see nothing. Cargo refuses such a program, and says why.

#![forbid(unsafe_code)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// The library's manifest as far as `[features]`, on its own.
fn manifest(version: &str) -> String {
    let harness = Path::new(env!("CARGO_MANIFEST_DIR")).join("../harness");
    let text = fs::read_to_string(harness.join("Cargo.toml")).expect("the harness is there");
    let (package, _) = text.split_once("[features]").expect("it has some");
    let inherits = |line: &&str| !line.contains(".workspace = true");
    let lines: Vec<_> = package.lines().filter(inherits).collect();
    let named = format!("[package]\nversion = \"{version}\"\nedition = \"2024\"");
    lines.join("\n").replacen("[package]", &named, 1)
}

/// What cargo says of a program with these versions of the library.
fn resolved(versions: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder in it");
        fs::write(path, text).expect("a file in it");
    };
    let mut program = "[package]\nname = \"program\"\n[workspace]\n[dependencies]\n".to_owned();
    for (number, version) in versions.iter().enumerate() {
        let name = format!("highwater-{number}");
        write(&format!("{name}/Cargo.toml"), &manifest(version));
        write(&format!("{name}/build.rs"), "");
        write(&format!("{name}/src/lib.rs"), "");
        program += &format!("{name} = {{ path = '../{name}', package = 'highwater' }}\n");
    }
    write("program/Cargo.toml", &program);
    write("program/src/main.rs", "fn main() {}\n");
    Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--offline"])
        .current_dir(folder.path().join("program"))
        .output()
        .expect("cargo runs")
}

#[test]
fn cargo_refuses_two_versions_in_one_program() {
    let one = resolved(&["0.1.0"]);
    assert!(one.status.success(), "{one:?}");
    let two = resolved(&["0.1.0", "0.2.0"]);
    let message = String::from_utf8_lossy(&two.stderr);
    assert!(!two.status.success(), "two versions are one too many");
    assert!(message.contains("links = \"highwater\""), "{message}");
    assert!(message.contains("highwater v0.1.0"), "{message}");
}
