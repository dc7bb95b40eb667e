//! A project that a test makes, with a git repository of its own.

// Each test program uses its part.
#![allow(dead_code)]

use cargo_highwater::project::CACHE_TAG;
use std::collections::HashMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{LazyLock, Mutex};
use tempfile::TempDir;

/// One scenario, `orders`, that keeps KEPT orders at most.
const SOURCE: &str = r#"
#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

#[test]
fn orders_are_bounded() {
    let report = highwater::Scenario::new("orders").steps(1_000).run(
        Vec::new,
        |orders, i| {
            orders.push(Box::new(i));
            if orders.len() == KEPT {
                orders.clear();
            }
        },
    );
    report.assert();
}
"#;

/// A report as the library wrote it.
pub(crate) const REPORT: &str = include_str!("../../reports/tests/data/bounded.json");

/// How the names of variables begin that the tool, cargo, git or the tests of a project look
/// at: those of a terminal, of a CI system, of hooks, of other runs of cargo, and ours.
const TELLING: [&str; 16] = [
    "CARGO_BUILD_",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_TARGET_DIR",
    "CARGO_TERM_",
    "CI",
    "CLICOLOR",
    "COLUMNS",
    "FORCE_COLOR",
    "GITHUB_",
    "GIT_",
    "HIGHWATER_",
    "NEXTEST",
    "NO_COLOR",
    "RUSTFLAGS",
    "RUST_BACKTRACE",
    "RUST_TEST_",
];

/// A program that is told nothing by where the tests are run.
pub(crate) fn program(path: &str) -> Command {
    let mut command = Command::new(path);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if TELLING.iter().any(|start| text.starts_with(start)) {
            command.env_remove(name);
        }
    }
    command
}

/// The tool, as [`program`] starts it.
pub(crate) fn tool() -> Command {
    program(env!("CARGO_BIN_EXE_cargo-highwater"))
}

/// The tool, which an interrupt ends: background jobs of a script ignore that, and so does what
/// they start.
pub(crate) fn interruptible_tool() -> Command {
    let mut command = program("env");
    command.arg("--default-signal=INT");
    command.arg(env!("CARGO_BIN_EXE_cargo-highwater"));
    command
}

/// A version that no other project of this run has, and the same in every run: in one build
/// directory cargo tells packages at the roots of their workspaces apart by name and version
/// alone.
pub(crate) fn version() -> String {
    static PROJECTS: LazyLock<Mutex<HashMap<String, u32>>> = LazyLock::new(Mutex::default);
    let thread = std::thread::current();
    let test = thread.name().unwrap_or_default().to_owned();
    let mut hasher = DefaultHasher::new();
    (env!("CARGO_CRATE_NAME"), &test).hash(&mut hasher);
    let mut projects = PROJECTS.lock().expect("nobody panics with it");
    let number = projects.entry(test).or_default();
    *number += 1;
    format!("0.{}.{number}", hasher.finish() >> 32)
}

pub(crate) struct Project {
    /// Removed at the end.
    directory: TempDir,
    /// The repository in it.
    root: PathBuf,
}

impl Project {
    pub(crate) fn new() -> Self {
        let project = Self::empty();
        project.write_manifest();
        project
    }

    /// A package with this library, which knows nothing of the harness.
    pub(crate) fn plain(source: &str) -> Self {
        let project = Self::empty();
        let manifest = format!(
            "[package]\nname = \"orders\"\nversion = \"{}\"\nedition = \"2024\"\n\
             [lib]\npath = \"lib.rs\"\n",
            version()
        );
        project.write("Cargo.toml", &manifest);
        project.write("lib.rs", source);
        project
    }

    /// Adds lines to the manifest.
    pub(crate) fn append_to_manifest(&self, lines: &str) {
        let path = self.path().join("Cargo.toml");
        let manifest = fs::read_to_string(path).expect("it is there");
        self.write("Cargo.toml", &(manifest + lines));
    }

    /// A package that has the harness.
    pub(crate) fn write_manifest(&self) {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let harness = workspace.join("harness").canonicalize();
        let manifest = format!(
            "[package]\nname = \"orders\"\nversion = \"{}\"\nedition = \"2024\"\n\
             [lib]\npath = \"lib.rs\"\n\
             [dependencies]\nhighwater = {{ path = '{}', default-features = false }}\n",
            version(),
            harness.expect("it is there").display()
        );
        self.write("Cargo.toml", &manifest);
    }

    /// Gives the harness its default features. Tests that need some of them have all: it is built
    /// once for those.
    pub(crate) fn with_default_features(self) -> Self {
        let path = self.path().join("Cargo.toml");
        let manifest = fs::read_to_string(path).expect("it is there");
        self.write(
            "Cargo.toml",
            &manifest.replace(", default-features = false", ""),
        );
        self
    }

    /// What the manifest says of profiles is read, and not done: to optimise the harness takes
    /// longer than these tests are faster by it.
    pub(crate) fn optimise_nothing(&self) {
        let profile = |name| format!("[profile.dev.package.{name}]\nopt-level = 0\n");
        let config = profile("highwater") + &profile("backtrace");
        self.write(".cargo/config.toml", &config);
    }

    /// A repository without a package.
    pub(crate) fn empty() -> Self {
        Self::below("")
    }

    /// One whose repository is that far below its directory.
    pub(crate) fn below(path: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        // Without a slash at its end.
        let root: PathBuf = directory.path().join(path).components().collect();
        fs::create_dir_all(&root).expect("it is new");
        let project = Self { directory, root };
        project.write(".gitignore", "target\nCargo.lock\n");
        project.share_what_bases_build();
        project.git(&["init", "--quiet", "--initial-branch=main"]);
        project
    }

    /// What the bases of all projects depend on is built once, too: the tool builds a base in a
    /// directory of the project's own. The target directory is as cargo would make it.
    fn share_what_bases_build(&self) {
        let shared = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bases");
        fs::create_dir_all(&shared).expect("a directory");
        self.write("target/CACHEDIR.TAG", CACHE_TAG);
        #[cfg(unix)]
        std::os::unix::fs::symlink(shared, self.base_target()).expect("it is new");
    }

    /// As users have it: there is no target directory, and the base is built with all that it
    /// depends on.
    pub(crate) fn share_no_base(&self) {
        fs::remove_dir_all(self.target()).expect("it is there");
    }

    pub(crate) fn base_target(&self) -> PathBuf {
        self.target().join("highwater-base")
    }

    pub(crate) fn path(&self) -> &Path {
        &self.root
    }

    /// What is around the repository.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn target(&self) -> PathBuf {
        self.path().join("target")
    }

    /// Where reports are written.
    pub(crate) fn reports(&self) -> PathBuf {
        self.target().join("highwater")
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        let path = self.path().join(file);
        let directory = path.parent().expect("it is in the project");
        fs::create_dir_all(directory).expect("a directory");
        fs::write(path, text).expect("a file in it");
    }

    /// Replaces the code: so many orders are kept at most.
    pub(crate) fn keep(&self, kept: &str) {
        self.write("lib.rs", &SOURCE.replace("KEPT", kept));
    }

    /// Puts further tests behind the code of [`keep`](Self::keep).
    pub(crate) fn append(&self, tests: &str) {
        let path = self.path().join("lib.rs");
        let source = fs::read_to_string(path).expect("it is there");
        self.write("lib.rs", &(source + tests));
    }

    pub(crate) fn git(&self, arguments: &[&str]) {
        let identity = ["user.name=test", "user.email=test@example.org"];
        let output = program("git")
            .args(identity.iter().flat_map(|setting| ["-c", setting]))
            .args(arguments)
            .current_dir(self.path())
            .output()
            .expect("git starts");
        let printed = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {arguments:?}: {printed}");
    }

    /// Commits everything.
    pub(crate) fn commit(&self, message: &str) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
    }

    /// Has this program run in the project.
    pub(crate) fn runs(&self, mut program: Command) -> Command {
        program
            .current_dir(self.path())
            .env("CARGO_TARGET_DIR", self.target())
            // What all projects depend on is built once.
            .env(
                "CARGO_BUILD_BUILD_DIR",
                concat!(env!("CARGO_TARGET_TMPDIR"), "/projects"),
            )
            // Sentences are looked for, which shorter lines would break.
            .env("COLUMNS", "200")
            // What the tool sets, so that cargo by itself builds it in no other way.
            .env(
                "CARGO_BUILD_RUSTFLAGS",
                "-Cforce-frame-pointers=yes -Csymbol-mangling-version=v0",
            )
            // What the workspace was built with is enough.
            .env("CARGO_NET_OFFLINE", "true");
        program
    }

    /// The tool, in the project.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.runs(tool());
        command.args(arguments);
        command
    }

    pub(crate) fn highwater(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("it starts")
    }

    /// Runs the tool, and says what it printed if that is not the exit code. What it
    /// printed on standard output.
    #[track_caller]
    pub(crate) fn run(&self, arguments: &[&str], code: i32) -> String {
        let output = self.highwater(arguments);
        let [printed, said] =
            [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
        assert_eq!(output.status.code(), Some(code), "{printed}\n{said}");
        printed
    }

    /// Runs the tool, which must have no answer; what it said.
    #[track_caller]
    pub(crate) fn refuse(&self, arguments: &[&str]) -> String {
        let output = self.highwater(arguments);
        assert_eq!(String::from_utf8_lossy(&output.stdout), "");
        self.refused(&output)
    }

    /// The same for what runs tests, which print.
    #[track_caller]
    pub(crate) fn refuse_with_output(&self, arguments: &[&str]) -> String {
        self.refused(&self.highwater(arguments))
    }

    #[track_caller]
    fn refused(&self, output: &Output) -> String {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        let path = self.path().to_str().expect("a path in UTF-8");
        said.replace(path, "[DIR]")
    }
}
