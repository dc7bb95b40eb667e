//! A directory of its own to run the program in.

// Not every test program uses all of it.
#![allow(dead_code, unreachable_pub)]

use serde_json::Value;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::RwLock;
use tempfile::TempDir;

/// A copy of the program in a directory of its own, so that what it writes lands
/// in there and nowhere else.
pub struct Sandbox(TempDir);

/// Held for writing while a program is copied, for reading while one is started:
/// a child that is started meanwhile would have the copy open for writing for a
/// moment, and what is open for writing cannot be run.
static COPYING: RwLock<()> = RwLock::new(());

/// How the names of variables begin that the program looks at: where the tests are run must
/// tell it nothing.
const TELLING: [&str; 6] = [
    "CI",
    "CLICOLOR",
    "COLUMNS",
    "HIGHWATER_",
    "NO_COLOR",
    "RUST_BACKTRACE",
];

impl Sandbox {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let program = env!("CARGO_BIN_EXE_highwater-scenarios");
        let copying = COPYING.write();
        fs::copy(program, directory.path().join("program")).expect("the program is copied");
        drop(copying);
        Self(directory)
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.run_with(arguments, "HIGHWATER_SITES", "on-failure".as_ref())
    }

    /// With this variable set.
    pub fn run_with(&self, arguments: &[&str], variable: &str, value: &OsStr) -> Output {
        let mut command = Command::new(self.path().join("program"));
        command.args(arguments).current_dir(self.path());
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if TELLING.iter().any(|start| text.starts_with(start)) {
                command.env_remove(name);
            }
        }
        command.env(variable, value);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let starting = COPYING.read();
        let child = command.spawn().expect("the program runs");
        drop(starting);
        child.wait_with_output().expect("the program ends")
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).expect("the input is written");
    }

    /// Standard output with the directory's path taken out.
    pub fn stdout(&self, output: &Output) -> String {
        self.redacted(&output.stdout)
    }

    pub fn stderr(&self, output: &Output) -> String {
        self.redacted(&output.stderr)
    }

    fn redacted(&self, bytes: &[u8]) -> String {
        let sandbox = self.path().display().to_string();
        String::from_utf8_lossy(bytes).replace(&sandbox, "[place]")
    }

    pub fn wrote_anything(&self) -> bool {
        self.path().join("target").exists()
    }
}

pub fn json(output: &Output) -> Vec<Value> {
    serde_json::from_slice(&output.stdout).expect("a JSON array")
}
