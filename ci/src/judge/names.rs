//! Names of the frames of profiles, as a diagnosis has them.

use super::programs::Programs;
use crate::sweep::symbols::Raw;
use highwater::__private::{Located, frames_told, in_registry, is_std_source};
use highwater::Frame;
use highwater_reports::heap_profile::{self, At, Code};
use highwater_reports::visible::printable;
use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

/// A function at a location, with its name demangled.
#[derive(Clone, Debug)]
pub(super) struct Name {
    function: String,
    file: Option<String>,
    line: Option<u32>,
}

/// Names, and which files of the programs are files of this project.
#[derive(Debug)]
pub(super) struct Names<'a> {
    root: &'a Path,
    files: HashMap<String, String>,
    programs: Programs,
    /// Whether any function had a name.
    pub(super) has_functions: bool,
}

impl<'a> Names<'a> {
    /// For a project in the directory `root`, which is built in `target`.
    pub(super) fn new(root: &'a Path, target: Option<&Path>) -> Self {
        Self {
            root,
            files: HashMap::new(),
            programs: Programs::new(root, target),
            has_functions: false,
        }
    }

    /// The functions of a frame, with what hides in their names escaped; none if nothing is known
    /// of it.
    pub(super) fn of(&mut self, frame: &heap_profile::Frame) -> Vec<Name> {
        if let Some(function) = &frame.function {
            self.has_functions = true;
            let function = addr2line::demangle_auto(Cow::Borrowed(&**function), None);
            return vec![Name {
                function: printable(&function),
                file: frame.file.as_deref().map(|file| self.file(file)),
                line: frame.line,
            }];
        }
        let Some(code) = &frame.code else {
            return Vec::new();
        };
        let functions = self.programs.functions(code);
        if functions.is_empty() {
            return vec![Name {
                function: address(code),
                file: None,
                line: None,
            }];
        }
        self.has_functions = true;
        let name = |raw: Raw| Name {
            function: printable(&raw.function.unwrap_or_default()),
            file: raw.file.map(|file| self.file(&file)),
            line: raw.line,
        };
        functions.into_iter().map(name).collect()
    }

    /// The frames for a reader.
    pub(super) fn told<'n>(&self, names: impl Iterator<Item = &'n Name>) -> Vec<Frame> {
        let located = names.map(|name| Located {
            function: &name.function,
            file: name.file.as_deref(),
            line: name.line,
        });
        frames_told(&located.collect::<Vec<_>>(), self.root)
    }

    /// The path here of a file, if the program was built of this project elsewhere.
    fn file(&mut self, file: &str) -> String {
        if let Some(known) = self.files.get(file) {
            return known.clone();
        }
        let here = self.here(file).unwrap_or_else(|| file.to_owned());
        let here = printable(&here);
        self.files.insert(file.to_owned(), here.clone());
        here
    }

    /// The longest end of the path that is a file of this project, of two names at least.
    fn here(&self, file: &str) -> Option<String> {
        let path = Path::new(file);
        // Of git dependencies, and of Go's.
        let is_foreign = ["/.cargo/", "/pkg/mod/"]
            .iter()
            .any(|part| file.contains(part));
        let is_foreign = is_foreign || in_registry(path).is_some() || is_std_source(path);
        if is_foreign || path.is_relative() {
            return None;
        }
        let parts: Vec<_> = path.components().collect();
        if parts.contains(&Component::ParentDir) {
            return None;
        }
        let ends = 1..parts.len().saturating_sub(1);
        let mut ends = ends.map(|from| self.root.join(parts[from..].iter().collect::<PathBuf>()));
        let here = ends.find(|end| end.is_file())?;
        Some(here.to_string_lossy().into_owned())
    }
}

/// What stands for a function that has no name.
fn address(code: &Code) -> String {
    let name = Path::new(&*code.module).file_name().unwrap_or_default();
    let name = name.to_string_lossy();
    let name = if name.is_empty() { "?" } else { &*name };
    let (At::Offset(at) | At::Address(at)) = code.at;
    printable(&format!("{name}+{at:#x}"))
}
