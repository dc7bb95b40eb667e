//! Builds the test binaries as `cargo test` does, and starts them as it does.

use super::{Place, SweepError, compiler};
use crate::project::command::{cargo, not_run};
use crate::project::{ProjectError, not_started};
use cargo_metadata::{
    Artifact, BuildScript, Message, MetadataCommand, Package, PackageId, TargetKind,
};
use std::collections::{BTreeSet, HashMap};
use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const LIBRARY_PATH: &str = "LD_LIBRARY_PATH";

/// A test binary.
#[derive(Debug)]
pub(super) struct Binary {
    /// What it is called.
    pub(super) id: String,
    /// The name of its package.
    pub(super) package: String,
    pub(super) executable: PathBuf,
    /// Where its tests run: the package's directory.
    directory: PathBuf,
    environment: Vec<(String, OsString)>,
    /// Whether it is built with debug assertions.
    pub(super) is_debug: bool,
    /// Whether it is built with libtest, by its manifest.
    pub(super) has_harness: bool,
}

impl Binary {
    /// The program, as cargo starts it.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.executable);
        let environment = self.environment.iter();
        command
            .current_dir(&self.directory)
            .envs(environment.map(|(name, value)| (name, value)));
        command
    }

    /// What it says of its tests that these arguments of libtest choose, without ignored ones.
    pub(super) fn tests(&self, filters: &[OsString]) -> Listed {
        let mut names = match self.list(filters, &[]) {
            Listed::Tests(names) => names,
            other => return other,
        };
        if names.is_empty() && !self.has_harness {
            return Listed::Whole("it has `harness = false` and lists no tests".to_owned());
        }
        match self.list(filters, &["--ignored"]) {
            Listed::Tests(ignored) => {
                let ignored: BTreeSet<_> = ignored.into_iter().collect();
                names.retain(|name| !ignored.contains(name));
            }
            failed if self.has_harness => return failed,
            // Another harness need not know of ignored tests.
            _ => {}
        }
        Listed::Tests(names)
    }

    fn list(&self, filters: &[OsString], more: &[&str]) -> Listed {
        let mut command = self.command();
        command.args(["--list", "--format", "terse"]);
        command.args(more).args(filters).stdin(Stdio::null());
        let output = match command.output() {
            Ok(output) => output,
            Err(error) => return Listed::NotStarted(format!("it could not be started: {error}")),
        };
        if !output.status.success() {
            return Listed::Whole(format!(
                "`--list --format terse` ended with {}",
                output.status
            ));
        }
        let printed = String::from_utf8_lossy(&output.stdout);
        let names = printed
            .lines()
            .filter_map(|line| line.strip_suffix(": test"));
        Listed::Tests(names.map(str::to_owned).collect())
    }
}

/// What a binary says of its tests.
pub(super) enum Listed {
    /// Their names.
    Tests(Vec<String>),
    /// It does not list them, and why. It can be run as one process.
    Whole(String),
    /// It does not even start, and why.
    NotStarted(String),
}

/// The test binaries that `cargo test` with these arguments would run.
pub(super) fn build(place: Place<'_>, arguments: &[OsString]) -> Result<Vec<Binary>, SweepError> {
    let mut artifacts = Vec::new();
    let mut scripts = HashMap::new();
    for message in messages(place, arguments)? {
        match message {
            Message::CompilerArtifact(artifact) if artifact.executable.is_some() => {
                artifacts.push(artifact);
            }
            Message::BuildScriptExecuted(script) => {
                scripts.insert(script.package_id.clone(), script);
            }
            _ => {}
        }
    }
    let Some(first) = artifacts.first() else {
        return Ok(Vec::new());
    };
    let mut metadata = MetadataCommand::new();
    let metadata = metadata
        .manifest_path(&first.manifest_path)
        .no_deps()
        .exec()?;
    let packages = metadata.packages.into_iter();
    let build = Build {
        packages: packages
            .map(|package| (package.id.clone(), package))
            .collect(),
        libraries: compiler::libraries()?,
        artifacts: &artifacts,
        scripts,
        configured: configured(place.directory),
    };
    let tests = artifacts.iter().filter(|artifact| artifact.profile.test);
    Ok(tests
        .filter_map(|artifact| build.binary(artifact))
        .collect())
}

/// What cargo says when it builds the tests. What the compiler says is printed.
fn messages(place: Place<'_>, arguments: &[OsString]) -> Result<Vec<Message>, ProjectError> {
    let failed = |source| not_started("cargo", source);
    let mut command = cargo();
    command.args([
        "test",
        "--no-run",
        "--message-format=json-render-diagnostics",
    ]);
    command
        .args(arguments)
        .current_dir(place.directory)
        .stdout(Stdio::piped());
    if let Some(target) = place.target {
        // As for all bases: a build directory for all would take one revision for the other.
        command
            .env("CARGO_TARGET_DIR", target)
            .env("CARGO_BUILD_BUILD_DIR", target);
    }
    let mut cargo = command.spawn().map_err(failed)?;
    let mut messages = Vec::new();
    if let Some(output) = cargo.stdout.take() {
        for message in Message::parse_stream(BufReader::new(output)) {
            messages.push(message.map_err(failed)?);
        }
    }
    let status = cargo.wait().map_err(failed)?;
    if status.success() {
        return Ok(messages);
    }
    Err(not_run(place.name, status))
}

/// What the environment of a test is made of.
struct Build<'a> {
    packages: HashMap<PackageId, Package>,
    /// The directories of the compiler's libraries.
    libraries: [PathBuf; 2],
    artifacts: &'a [Artifact],
    scripts: HashMap<PackageId, BuildScript>,
    /// The variables that the project's configuration of cargo sets.
    configured: Vec<(String, OsString)>,
}

impl Build<'_> {
    fn binary(&self, artifact: &Artifact) -> Option<Binary> {
        let executable = artifact.executable.as_ref()?.as_std_path();
        let package = self.packages.get(&artifact.package_id)?;
        let directory = package.manifest_path.parent()?;
        Some(Binary {
            id: id(package, artifact),
            package: package.name.to_string(),
            executable: executable.to_owned(),
            directory: directory.into(),
            environment: self.environment(package, artifact, executable),
            is_debug: artifact.profile.debug_assertions,
            has_harness: has_harness(package.manifest_path.as_std_path(), artifact),
        })
    }

    fn environment(
        &self,
        package: &Package,
        artifact: &Artifact,
        executable: &Path,
    ) -> Vec<(String, OsString)> {
        let mut all = self.configured.clone();
        let of_package = of_package(package).into_iter();
        all.extend(of_package.map(|(name, value)| (name.to_owned(), value.into())));
        if artifact.target.is_test() || artifact.target.is_bench() {
            let of_package = |bin: &&Artifact| {
                bin.package_id == package.id && bin.target.is_bin() && !bin.profile.test
            };
            for bin in self.artifacts.iter().filter(of_package) {
                let path = bin.executable.clone().unwrap_or_default();
                let name = format!("CARGO_BIN_EXE_{}", bin.target.name);
                all.push((name, path.into_os_string()));
            }
        }
        if let Some(script) = self.scripts.get(&package.id) {
            let set = script.env.iter().cloned();
            all.extend(set.map(|(name, value)| (name, value.into())));
            all.push((
                "OUT_DIR".to_owned(),
                script.out_dir.clone().into_os_string(),
            ));
        }
        if let Some(path) = self.library_path(executable) {
            all.push((LIBRARY_PATH.to_owned(), path));
        }
        all
    }

    /// Where the libraries are that a test binary may load: those that build scripts made, those
    /// that cargo built, the compiler's, and where it looks anyhow. None if a path has a colon.
    fn library_path(&self, executable: &Path) -> Option<OsString> {
        let deps = executable.parent()?;
        let profile = if deps.ends_with("deps") {
            deps.parent()?
        } else {
            deps
        };
        let built = self
            .scripts
            .values()
            .flat_map(|script| &script.linked_paths);
        let built: BTreeSet<_> = built
            .map(|path| {
                path.as_str()
                    .split_once('=')
                    .map_or(path.as_str(), |(_, path)| path)
            })
            .map(PathBuf::from)
            .filter(|path| path.starts_with(profile))
            .collect();
        let ours = [profile.to_owned(), profile.join("deps")];
        let before = env::var_os(LIBRARY_PATH).unwrap_or_default();
        let before = env::split_paths(&before).filter(|path| !path.as_os_str().is_empty());
        let all = built.into_iter().chain(ours).chain(self.libraries.clone());
        env::join_paths(all.chain(before)).ok()
    }
}

/// Whether the manifest leaves a target's `main` to libtest. Cargo does not say so elsewhere.
fn has_harness(manifest: &Path, artifact: &Artifact) -> bool {
    let text = fs::read_to_string(manifest).unwrap_or_default();
    let Ok(manifest) = text.parse::<toml::Table>() else {
        return true;
    };
    let name = |target: &&toml::Value| {
        target.get("name").and_then(toml::Value::as_str) == Some(&artifact.target.name)
    };
    let list = match artifact.target.kind.first() {
        Some(TargetKind::Test) => "test",
        Some(TargetKind::Bin) => "bin",
        Some(TargetKind::Bench) => "bench",
        Some(TargetKind::Example) => "example",
        _ => "lib",
    };
    let target = match manifest.get(list) {
        Some(toml::Value::Array(targets)) => targets.iter().find(name),
        target => target,
    };
    target
        .and_then(|target| target.get("harness")?.as_bool())
        .unwrap_or(true)
}

/// The variables that the project's configuration of cargo sets.
fn configured(directory: &Path) -> Vec<(String, OsString)> {
    let Ok(config) = cargo_config2::Config::load_with_cwd(directory) else {
        return Vec::new();
    };
    let set = config.env.into_iter();
    set.filter(|(name, set)| set.force || env::var_os(name).is_none())
        .map(|(name, set)| (name, set.value))
        .collect()
}

/// The variables that cargo sets for all that it runs of a package.
fn of_package(package: &Package) -> Vec<(&'static str, String)> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let path = |path: Option<&Path>| path.unwrap_or(Path::new("")).display().to_string();
    let version = &package.version;
    let rust = package.rust_version.as_ref();
    let manifest = package.manifest_path.as_std_path();
    vec![
        ("CARGO_MANIFEST_DIR", path(manifest.parent())),
        ("CARGO_MANIFEST_PATH", path(Some(manifest))),
        ("CARGO_PKG_AUTHORS", package.authors.join(":")),
        ("CARGO_PKG_DESCRIPTION", text(&package.description)),
        ("CARGO_PKG_HOMEPAGE", text(&package.homepage)),
        ("CARGO_PKG_LICENSE", text(&package.license)),
        (
            "CARGO_PKG_LICENSE_FILE",
            path(package.license_file.as_ref().map(|p| p.as_std_path())),
        ),
        ("CARGO_PKG_NAME", package.name.to_string()),
        (
            "CARGO_PKG_README",
            path(package.readme.as_ref().map(|p| p.as_std_path())),
        ),
        ("CARGO_PKG_REPOSITORY", text(&package.repository)),
        (
            "CARGO_PKG_RUST_VERSION",
            rust.map(ToString::to_string).unwrap_or_default(),
        ),
        ("CARGO_PKG_VERSION", version.to_string()),
        ("CARGO_PKG_VERSION_MAJOR", version.major.to_string()),
        ("CARGO_PKG_VERSION_MINOR", version.minor.to_string()),
        ("CARGO_PKG_VERSION_PATCH", version.patch.to_string()),
        ("CARGO_PKG_VERSION_PRE", version.pre.to_string()),
    ]
}

/// What a binary is called: as by nextest.
fn id(package: &Package, artifact: &Artifact) -> String {
    let name = &artifact.target.name;
    let kind = match artifact.target.kind.first() {
        Some(TargetKind::Test) => return format!("{}::{name}", package.name),
        Some(TargetKind::Bin) => "bin",
        Some(TargetKind::Example) => "example",
        Some(TargetKind::Bench) => "bench",
        _ => return package.name.to_string(),
    };
    format!("{}::{kind}/{name}", package.name)
}
