//! Functions and lines of addresses in the files of a process.

use addr2line::Loader;
use highwater::__private::{in_registry, is_std_source, without_detours};
use object::{Object as _, ObjectSymbol as _};
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::fs::{self, File};
use std::io::Read as _;
use std::ops::Range;
use std::path::{Path, PathBuf};

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
    files: HashMap<PathBuf, Binary>,
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
            files: HashMap::new(),
            known: HashMap::new(),
        }
    }

    /// The functions at an address in a file whose start is mapped at `base`, inlined ones with
    /// them, the innermost first.
    pub(crate) fn frames(&mut self, file: &Path, base: u64, address: u64) -> Vec<Raw> {
        let opened = self.files.entry(file.to_owned());
        let opened = opened.or_insert_with(|| Binary::open(file));
        let place = if opened.is_moved {
            address - base
        } else {
            address
        };
        let key = (file.to_owned(), place);
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        let loader = opened.loader.as_ref();
        let mut frames = loader
            .map(|loader| frames(loader, place))
            .unwrap_or_default();
        if frames.iter().all(|frame| frame.function.is_none()) {
            let functions = opened.functions.get_or_insert_with(|| {
                // Names alone, of a file without debug information for this place.
                Function::all(file).unwrap_or_default()
            });
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
        let short = path.strip_prefix(&self.root).ok().map(Path::to_owned);
        let short = short.or_else(|| in_registry(&path));
        short.unwrap_or(path).display().to_string()
    }
}

impl Raw {
    fn new(function: Option<String>, file: Option<String>, line: Option<u32>) -> Self {
        let is_std = match (&file, &function) {
            (Some(file), _) => is_std_source(Path::new(file)),
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

/// A file that was looked at.
struct Binary {
    loader: Option<Loader>,
    /// Whether the system chose where it is mapped.
    is_moved: bool,
    /// Those of the table of symbols, once they were needed.
    functions: Option<Vec<Function>>,
}

impl Binary {
    fn open(file: &Path) -> Self {
        Self {
            loader: Loader::new(file).ok(),
            is_moved: is_moved(file),
            functions: None,
        }
    }
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
