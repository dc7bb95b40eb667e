//! What `cargo highwater init` adds to a package: a [`Plan`], which is made by reading alone,
//! shown, and then carried out.
//!
//! `package` chooses the package; `manifest`, `allocator`, `sample` and `workflow` know each
//! what one file needs.

mod allocator;
mod manifest;
mod package;
mod plan;
mod sample;
mod source;
mod workflow;

use allocator::{Found, When};
use cargo_metadata::{DependencyKind, MetadataCommand, Package, Target, TargetKind};
pub use plan::{Change, Plan};
pub use source::Source;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What is asked for.
#[derive(Debug)]
pub struct Asked<'a> {
    /// Where, an absolute path.
    pub directory: &'a Path,
    /// A member of the workspace, in place of the package around the directory.
    pub package: Option<&'a str>,
    /// A workflow for GitHub Actions too.
    pub workflow: bool,
    /// Where the library comes from.
    pub source: Source,
}

/// Why nothing can be added.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InitError {
    /// Cargo does not understand the project.
    #[error(
        "cargo could not describe the project: {}; run this inside a cargo project",
        .0.to_string().trim()
    )]
    Cargo(#[from] cargo_metadata::Error),
    /// There is no such package.
    #[error("the workspace has no package `{name}`; it has {}", .members.join(", "))]
    NoMember {
        /// As it was asked for.
        name: String,
        /// Those that there are.
        members: Vec<String>,
    },
    /// The directory is that of a workspace, not of a package.
    #[error(
        "this is the root of a workspace and no package; say which one with -p: {}",
        .0.join(", ")
    )]
    NoPackage(Vec<String>),
    /// A manifest is no TOML.
    #[error("{}: {source}", .path.display())]
    Toml {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        source: toml_edit::TomlError,
    },
    /// A manifest is written in a way that nothing can be added to.
    #[error("{}: `{key}` is written inline; write it as a table, [{key}], first", .path.display())]
    NotATable {
        /// Which.
        path: PathBuf,
        /// What should be a table.
        key: String,
    },
    /// The library's root cannot be read.
    #[error(
        "{}:{}: {source}; the allocator goes in there, so it must be Rust",
        .path.display(), .source.span().start().line
    )]
    Rust {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        source: syn::Error,
    },
    /// A file could not be read or written.
    #[error("{}: {source}; nothing was changed", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Plan {
    /// What is to be added for what is asked. Reads only.
    ///
    /// # Errors
    /// If there is no such package, or a file cannot be read or added to.
    pub fn of(asked: &Asked<'_>) -> Result<Self, InitError> {
        let mut command = MetadataCommand::new();
        let metadata = command.current_dir(asked.directory).no_deps().exec()?;
        let package = package::choose(&metadata, asked.directory, asked.package)?;
        let root = PathBuf::from(metadata.workspace_root.as_std_path());
        let mut plan = Self::new(package.name.to_string());
        let wants_sample = !sample::is_needless(package);
        add_to_manifests(&mut plan, package, &root, &asked.source, wants_sample)?;
        let allocators = add_allocator(&mut plan, package)?;
        if wants_sample {
            add_sample(&mut plan, package, &allocators);
        }
        if asked.workflow {
            workflow::add(&mut plan, &root, &asked.source);
        }
        Ok(plan)
    }
}

/// The package's dependency and the workspace's profile, which may stand in one file.
fn add_to_manifests(
    plan: &mut Plan,
    package: &Package,
    root: &Path,
    source: &Source,
    wants_sample: bool,
) -> Result<(), InitError> {
    let of_package = package.manifest_path.as_std_path();
    let of_root = root.join("Cargo.toml");
    let root_text = text_of(&of_root)?;
    let mut root_manifest = manifest::read(&of_root, &root_text)?;
    let is_one = of_root == of_package;
    let own_text = text_of(of_package)?;
    let mut own = manifest::read(of_package, &own_text)?;
    if !depends_on(package, "highwater") {
        let features: &[&str] = if depends_on(package, "tokio") {
            &["tokio"]
        } else {
            &[]
        };
        let dependency = if manifest::is_in_workspace(&root_manifest) {
            source::of_workspace(features)
        } else {
            source.dependency(features)
        };
        manifest::add_dependency(of_package, &mut own, dependency)?;
    }
    let finds_tests = own.get("package").and_then(|p| p.get("autotests"));
    if wants_sample && finds_tests.and_then(toml_edit::Item::as_bool) == Some(false) {
        manifest::add_test(of_package, &mut own)?;
    }
    if is_one {
        manifest::add_profile(of_package, &mut own)?;
    } else {
        manifest::add_profile(&of_root, &mut root_manifest)?;
        plan.change(&of_root, &root_text, root_manifest.to_string());
    }
    plan.change(of_package, &own_text, own.to_string());
    Ok(())
}

/// Whether tests of the package can use this crate by its name.
fn depends_on(package: &Package, name: &str) -> bool {
    package.dependencies.iter().any(|dependency| {
        dependency.name == name
            && dependency.rename.is_none()
            && dependency.target.is_none()
            && !dependency.optional
            && dependency.kind != DependencyKind::Build
    })
}

/// The allocators that the library has when this is done.
fn add_allocator(plan: &mut Plan, package: &Package) -> Result<Vec<Found>, InitError> {
    let Some(library) = package.targets.iter().find(|target| is_library(target)) else {
        return Ok(Vec::new());
    };
    let root = library.src_path.as_std_path();
    let text = text_of(root)?;
    let file = syn::parse_file(&text).map_err(|source| InitError::Rust {
        path: root.to_owned(),
        source,
    })?;
    let binaries = package.targets.iter().filter(|target| target.is_bin());
    let binaries: Vec<_> = binaries.map(|t| t.src_path.as_std_path()).collect();
    let mut all = Vec::new();
    let mut others = Vec::new();
    for path in rust_files(root.parent().unwrap_or(root)) {
        let is_of_library = !binaries.contains(&path.as_path()) && !path.ends_with("build.rs");
        let parsed = fs::read_to_string(&path).ok();
        let parsed = parsed.and_then(|text| syn::parse_file(&text).ok());
        for found in parsed.iter().flat_map(allocator::find) {
            if is_of_library {
                others.push((path.clone(), found.clone()));
                all.push(found);
            }
        }
    }
    if all.iter().any(Found::is_ours) {
        return Ok(all);
    }
    let in_the_way = |(_, found): &&(PathBuf, Found)| found.when != When::NotInTests;
    match others.iter().find(in_the_way) {
        Some((path, found)) => plan.notes.push(how_to_wrap(path, found)),
        None => plan.change(root, &text, allocator::inserted(&text, &file)),
    }
    Ok(all)
}

fn how_to_wrap(path: &Path, found: &Found) -> String {
    let not_in_tests = match found.when {
        When::InTests => "Replace it by",
        _ => "Put #[cfg(not(test))] above it, and behind it",
    };
    format!(
        "{}:{}: the library has an allocator already, `{}`, and a program has one only. Ours \
         counts above any other. {not_in_tests}\n\n{}",
        path.display(),
        found.line,
        found.of_type,
        found.wrapped()
    )
}

fn add_sample(plan: &mut Plan, package: &Package, allocators: &[Found]) {
    let directory = package.manifest_path.as_std_path().with_file_name("tests");
    let path = directory.join("memory.rs");
    let is_async = depends_on(package, "tokio") && sample::may_be_async(package);
    let always: Vec<_> = allocators
        .iter()
        .filter(|found| found.when != When::InTests)
        .collect();
    let library = package.targets.iter().find(|target| is_library(target));
    let library = library.map(|target| target.name.as_str());
    if path.exists() {
        plan.notes.push(format!(
            "{} is there and is not about highwater, so no sample is written",
            path.display()
        ));
    } else if always.iter().all(|found| found.is_ours()) {
        // The library brings it along if it has one in all builds.
        let brought = library.filter(|_| !always.is_empty());
        plan.change(&path, "", sample::text(is_async, brought));
    } else if !allocators.iter().any(Found::is_ours) {
        plan.notes.push(format!(
            "Programs in tests/ that use the library have its allocator, not ours, so the sample \
             is for a module of unit tests in the library:\n\n{}",
            sample::tests(is_async)
        ));
    }
}

fn is_library(target: &Target) -> bool {
    let kinds = [
        TargetKind::Lib,
        TargetKind::RLib,
        TargetKind::DyLib,
        TargetKind::CDyLib,
        TargetKind::StaticLib,
        TargetKind::ProcMacro,
    ];
    target.kind.iter().any(|kind| kinds.contains(kind))
}

/// The Rust files below `directory`, in their order; none if it is not there.
fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut entries: Vec<_> = { fs::read_dir(directory).into_iter().flatten().flatten() }
        .map(|entry| entry.path())
        .collect();
    entries.sort();
    for path in entries {
        let skipped = ["target", "bin", "tests", "benches", "examples"];
        if path.is_dir() {
            if !skipped.iter().any(|name| path.ends_with(name)) {
                files.extend(rust_files(&path));
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

fn text_of(path: &Path) -> Result<String, InitError> {
    fs::read_to_string(path).map_err(|source| InitError::File {
        path: path.to_owned(),
        source,
    })
}
