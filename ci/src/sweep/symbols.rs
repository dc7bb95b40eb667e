//! Functions and lines of addresses in the files of a process.

use addr2line::Loader;
use highwater::__private::without_detours;
use object::{Object as _, ObjectSymbol as _};
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::fs::{self, File};
use std::io::Read as _;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Parts of paths that are std's, or what it is made of.
const STD_PATHS: [&str; 3] = ["/rustc/", "/rustlib/src/rust/", "/rust/deps/"];
/// How functions of std begin, where no path tells.
const STD_FUNCTIONS: [&str; 12] = [
    "std::",
    "core::",
    "alloc::",
    "test::",
    "<std::",
    "<core::",
    "<alloc::",
    "<test::",
    "hashbrown::",
    "<hashbrown::",
    "__rust",
    "rust_",
];
/// A frame as it was found.
#[derive(Clone, Debug)]
pub(crate) struct Raw {
    pub(crate) function: Option<String>,
    pub(crate) file: Option<String>,
    pub(crate) line: Option<u32>,
    pub(crate) is_std: bool,
}

/// The symbols of the files that were looked at.
pub(crate) struct Symbols {
    /// Paths below it are told from there.
    root: PathBuf,
    loaders: HashMap<PathBuf, Option<Loader>>,
    /// Of the files without debug information for what was looked for.
    functions: HashMap<PathBuf, Vec<Function>>,
    known: HashMap<(PathBuf, u64), Vec<Raw>>,
}

/// Without what they are made of.
impl fmt::Debug for Symbols {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Symbols").finish_non_exhaustive()
    }
}

impl Symbols {
    pub(crate) fn new(root: &Path) -> Self {
        Self {
            root: root.canonicalize().unwrap_or_else(|_| root.to_owned()),
            loaders: HashMap::new(),
            functions: HashMap::new(),
            known: HashMap::new(),
        }
    }

    /// The functions at an address in a file whose start is mapped at `base`, inlined ones with
    /// them, the innermost first.
    pub(crate) fn frames(&mut self, file: &Path, base: u64, address: u64) -> Vec<Raw> {
        let place = if is_moved(file) {
            address - base
        } else {
            address
        };
        let key = (file.to_owned(), place);
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        let loader = self.loaders.entry(file.to_owned());
        let loader = loader.or_insert_with(|| Loader::new(file).ok());
        let mut frames = loader
            .as_ref()
            .map(|loader| frames(loader, place))
            .unwrap_or_default();
        if frames.iter().all(|frame| frame.function.is_none()) {
            let functions = self.functions.entry(file.to_owned());
            let functions = functions.or_insert_with(|| Function::all(file).unwrap_or_default());
            let function = functions
                .iter()
                .find(|function| function.range.contains(&place));
            frames.truncate(1);
            let (path, line) = frames
                .pop()
                .map_or((None, None), |raw| (raw.file, raw.line));
            frames.push(Raw::new(
                function.map(|function| function.name.clone()),
                path,
                line,
            ));
        }
        self.known.insert(key, frames.clone());
        frames
    }

    /// The path of a source as a reader knows it.
    pub(crate) fn short(&self, file: &str) -> String {
        let path = without_detours(Path::new(file));
        if let Ok(below) = path.strip_prefix(&self.root) {
            return below.display().to_string();
        }
        // A dependency: behind the directory of its registry.
        let text = path.display().to_string();
        let in_registry = text.split_once("/registry/src/");
        let package = in_registry.and_then(|(_, rest)| Some(rest.split_once('/')?.1.to_owned()));
        package.unwrap_or(text)
    }
}

impl Raw {
    fn new(function: Option<String>, file: Option<String>, line: Option<u32>) -> Self {
        let is_std = match (&file, &function) {
            (Some(file), _) => STD_PATHS.iter().any(|part| file.contains(part)),
            (None, Some(name)) => {
                let is_start = ["main", "_start"].contains(&&**name);
                is_start || STD_FUNCTIONS.iter().any(|start| name.starts_with(start))
            }
            (None, None) => false,
        };
        Self {
            function,
            file,
            line,
            is_std,
        }
    }
}

fn frames(loader: &Loader, place: u64) -> Vec<Raw> {
    let mut all = Vec::new();
    if let Ok(mut frames) = loader.find_frames(place) {
        while let Ok(Some(frame)) = frames.next() {
            let name = frame
                .function
                .as_ref()
                .and_then(|name| name.demangle().ok());
            let location = frame.location.as_ref();
            let file = location.and_then(|location| location.file);
            let line = location.and_then(|location| location.line);
            all.push((name.map(Cow::into_owned), file.map(str::to_owned), line));
        }
    }
    all.into_iter()
        .map(|(name, file, line)| Raw::new(name, file, line))
        .collect()
}

/// A function by the table of symbols.
struct Function {
    range: Range<u64>,
    name: String,
}

impl Function {
    /// Those of a file that say how long they are.
    fn all(file: &Path) -> Option<Vec<Self>> {
        let data = fs::read(file).ok()?;
        let object = object::File::parse(&*data).ok()?;
        let symbols = object.symbols().chain(object.dynamic_symbols());
        let function = |symbol: object::Symbol<'_, '_>| {
            let name = symbol.name().ok()?;
            Some(Self {
                range: symbol.address()..symbol.address().checked_add(symbol.size())?,
                name: addr2line::demangle_auto(name.into(), None).into_owned(),
            })
        };
        Some(symbols.filter_map(function).collect())
    }
}

/// Whether the system chose where the file is mapped: not if it is an executable of a fixed
/// place, which its header says.
fn is_moved(file: &Path) -> bool {
    let mut header = [0; 18];
    let read = File::open(file).and_then(|mut file| file.read_exact(&mut header));
    read.is_err() || header[16..] != [2, 0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_short() {
        let symbols = Symbols::new(Path::new("/nowhere/project"));
        let short = |file| symbols.short(file);
        assert_eq!(short("/nowhere/project/src/../src/lib.rs"), "src/lib.rs");
        let registry = "/home/me/.cargo/registry/src/index.crates.io-1/slab-0.4.12/src/lib.rs";
        assert_eq!(short(registry), "slab-0.4.12/src/lib.rs");
        assert_eq!(short("/usr/src/zlib/deflate.c"), "/usr/src/zlib/deflate.c");
    }
}
