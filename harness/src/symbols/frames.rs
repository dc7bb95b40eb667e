//! Names for return addresses, and the selection of frames for a reader.
//!
//! A stack leads from the allocator through std and other libraries to the program's own
//! code, and on through this library to the test runner. Frames inside of the first frame that
//! is not std's, and frames outside of the scenario, are left out.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

/// A function in a call stack.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Frame {
    pub(crate) function: String,
    pub(crate) file: Option<String>,
    pub(crate) line: Option<u32>,
    pub(crate) is_dependency: bool,
}

impl Frame {
    /// The function's path, shortened.
    pub fn function(&self) -> &str {
        &self.function
    }

    /// The file, relative to the project, or to the registry for a dependency; none if
    /// the program has no line tables.
    pub fn file(&self) -> Option<&str> {
        self.file.as_deref()
    }

    /// The line in that file, from 1 on; none if the program has no line tables.
    pub fn line(&self) -> Option<u32> {
        self.line
    }

    /// Whether it is in a package from a registry.
    pub fn is_dependency(&self) -> bool {
        self.is_dependency
    }
}

/// A frame as it was found.
#[derive(Clone, Debug)]
struct Raw {
    /// With the types of generics, where the symbol has them.
    function: String,
    file: Option<PathBuf>,
    line: Option<u32>,
    /// Whether the symbol says what generics stand for.
    has_types: bool,
}

/// A stack as a reader wants to see it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Named {
    pub(crate) frames: Vec<Frame>,
    pub(crate) type_name: Option<String>,
}

/// Whose code a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Std,
    Ours,
    Dependency,
    Program,
}

/// Names that were found already.
pub(crate) struct Names {
    known: HashMap<usize, Vec<Raw>>,
    root: PathBuf,
    has_lines: bool,
}

impl Names {
    pub(crate) fn new() -> Self {
        // What is read from the program's files at the first name stays mapped: better
        // now than when that is being measured.
        resolve(Self::new as fn() -> Self as usize);
        Self {
            known: HashMap::new(),
            root: project_root(),
            has_lines: false,
        }
    }

    /// Whether any frame of the program has a line.
    pub(crate) fn has_lines(&self) -> bool {
        self.has_lines
    }

    /// The stack with these return addresses, innermost first.
    pub(crate) fn stack(&mut self, addresses: &[usize]) -> Named {
        let mut all = Vec::new();
        for address in addresses {
            let raw = self
                .known
                .entry(*address)
                .or_insert_with(|| resolve(*address));
            all.extend(raw.iter().cloned());
        }
        let owners: Vec<_> = all.iter().map(owner).collect();
        let is_foreign = |owner: &Owner| matches!(owner, Owner::Dependency | Owner::Program);
        let Some(first) = owners.iter().position(is_foreign) else {
            return Named {
                frames: Vec::new(),
                type_name: None,
            };
        };
        // Outside of the scenario: from this library's own frames on.
        let outside = owners[first..]
            .iter()
            .position(|owner| *owner == Owner::Ours);
        let end = outside.map_or(all.len(), |outside| first + outside);
        let type_name = type_of(&all[..first]);
        let shown = all[first..end].iter().zip(&owners[first..end]);
        let frames: Vec<_> = shown
            .filter(|(_, owner)| is_foreign(owner))
            .map(|(raw, owner)| self.frame(raw, *owner))
            .collect();
        self.has_lines |= frames.iter().any(|frame| frame.line.is_some());
        Named { frames, type_name }
    }

    /// A static's path, cut to what tells.
    // Not needed where call stacks can't be taken.
    #[allow(dead_code)]
    pub(crate) fn of_static(path: &str) -> String {
        short(path)
    }

    /// A type's path, each part of it cut to its name.
    // Not needed where call stacks can't be taken.
    #[allow(dead_code)]
    pub(crate) fn of_type(path: &str) -> String {
        shortened(path, 1)
    }

    /// What a stack is called in the frame that is to go on at `address`: by the function,
    /// without those that were inlined into it.
    // Not needed where call stacks can't be taken.
    #[allow(dead_code)]
    pub(crate) fn place_on_stack(&mut self, address: usize) -> String {
        let raw = self
            .known
            .entry(address)
            .or_insert_with(|| resolve(address));
        match raw.last().map(|raw| (raw, owner(raw))) {
            Some((_, Owner::Ours)) => "the scenario's closures".to_owned(),
            Some((raw, Owner::Program | Owner::Dependency)) => {
                format!("stack of {}", short(&raw.function))
            }
            Some((_, Owner::Std)) | None => "this thread's stack".to_owned(),
        }
    }

    fn frame(&self, raw: &Raw, owner: Owner) -> Frame {
        Frame {
            function: short(&raw.function),
            file: raw.file.as_deref().map(|file| self.path(file)),
            line: raw.line,
            is_dependency: owner == Owner::Dependency,
        }
    }

    /// The path as it may be printed.
    fn path(&self, file: &Path) -> String {
        let file = &without_detours(file);
        if let Ok(inside) = file.strip_prefix(&self.root) {
            return inside.display().to_string();
        }
        if let Some(inside) = in_registry(file) {
            return inside.display().to_string();
        }
        let parts: Vec<_> = file.components().collect();
        let last = parts.iter().skip(parts.len().saturating_sub(2));
        let last: PathBuf = last.collect();
        last.display().to_string()
    }
}

/// `a/../b` as `b`: what a manifest says of its sources may lead up and down again.
fn without_detours(file: &Path) -> PathBuf {
    let mut direct = PathBuf::new();
    for part in file.components() {
        match part {
            Component::ParentDir => {
                direct.pop();
            }
            part => direct.push(part),
        }
    }
    direct
}

/// The directory of the nearest `Cargo.lock` above the package that cargo runs, or above
/// the working directory; that directory itself, if there is none.
fn project_root() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let start = package.or_else(|| std::env::current_dir().ok());
    let start = start.unwrap_or_default();
    let mut above = start.ancestors();
    let root = above.find(|directory| directory.join("Cargo.lock").exists());
    root.unwrap_or(&start).to_owned()
}

/// Of a file in cargo's registry, the path from the package on.
fn in_registry(file: &Path) -> Option<PathBuf> {
    let mut parts = file.components();
    parts.find(|part| *part == Component::Normal("registry".as_ref()))?;
    parts
        .next()
        .filter(|part| *part == Component::Normal("src".as_ref()))?;
    // The registry's own name.
    parts.next()?;
    Some(parts.collect())
}

fn owner(raw: &Raw) -> Owner {
    let function = raw.function.trim_start_matches(['<', '&']);
    let is_of = |prefixes: &[&str]| prefixes.iter().any(|prefix| function.starts_with(prefix));
    let is_in = |part: &str| {
        let file = raw.file.as_deref().map(Path::to_string_lossy);
        file.is_some_and(|file| file.contains(part))
    };
    // A method of a number, or a string, by a trait of std's.
    let by_std = function.split_once(" as ").is_some_and(|(name, by)| {
        !name.contains("::") && STD.iter().any(|prefix| by.starts_with(prefix))
    });
    let file = raw.file.as_deref();
    // Others than Rust's have none.
    let is_of_rust = |file: &Path| file.extension().is_some_and(|extension| extension == "rs");
    let has_path = function.contains("::") || file.is_some_and(is_of_rust);
    if is_of(&["highwater::"]) || file.is_some_and(|file| file.starts_with(OUR_SOURCE)) {
        Owner::Ours
    } else if is_in("/rustc/") || is_in("/rustlib/src/") || is_of(&STD) || by_std || !has_path {
        Owner::Std
    } else if file.is_some_and(|file| in_registry(file).is_some()) {
        Owner::Dependency
    } else {
        Owner::Program
    }
}

/// Where this library was compiled. With line tables alone, an inlined function is known
/// by its file, and by its name without a path.
const OUR_SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src");

/// What the paths of std's functions start with.
const STD: [&str; 6] = [
    "std::",
    "core::",
    "alloc::",
    "hashbrown::",
    "__rust",
    "dyn core::",
];

/// The type that was allocated: what the outermost of the library's frames is a method
/// of. Inner frames may be shared between types by the linker, so they are not asked.
fn type_of(library: &[Raw]) -> Option<String> {
    // What text is copied with is a method of `str`, and what is in it one of `Vec`.
    let copies_text = |raw: &Raw| raw.function.starts_with("<str as alloc::");
    if library.iter().any(|raw| raw.has_types && copies_text(raw)) {
        return Some("String".to_owned());
    }
    let method = library.iter().rev().find(|raw| {
        let function = &raw.function;
        let is_of = |prefixes: &[&str]| prefixes.iter().any(|prefix| function.starts_with(prefix));
        raw.has_types && is_of(&CONTAINERS) && !is_of(&PARTS_OF_CONTAINERS)
    })?;
    let inside = closing(&method.function)?;
    // Of a trait's method, the type that has it.
    let name = inside.split(" as ").next()?;
    let short = shortened(name, 1);
    // What a map allocates through an entry is the map's.
    let is_entry = |map: &str| name.contains(map) && name.contains("Entry<");
    let map = MAPS.iter().find(|(path, _)| is_entry(path));
    Some(match (map, short.find('<')) {
        (Some((_, map)), Some(arguments)) => format!("{map}{}", &short[arguments..]),
        _ => short,
    })
}

/// Where entries of maps are, and the maps.
const MAPS: [(&str, &str); 3] = [
    ("alloc::collections::btree::map::", "BTreeMap"),
    ("std::collections::hash::map::", "HashMap"),
    ("hashbrown::", "HashMap"),
];

/// What the methods of types that allocate start with, and those of types that only such
/// types are made of.
const CONTAINERS: [&str; 4] = [
    "<alloc::",
    "<std::collections::",
    "<std::sync::mpsc::",
    "<hashbrown::",
];
const PARTS_OF_CONTAINERS: [&str; 3] =
    ["<alloc::raw_vec::", "<alloc::alloc::", "<hashbrown::raw::"];

/// What is between the first `<` and its `>`.
fn closing(function: &str) -> Option<&str> {
    let mut depth = 0;
    for (index, c) in function.char_indices() {
        match c {
            '<' => depth += 1,
            '>' if !function[..index].ends_with('-') => {
                depth -= 1;
                if depth == 0 {
                    return function.get(1..index);
                }
            }
            _ => {}
        }
    }
    None
}

/// `alloc::vec::Vec<my::Candle>` as `Vec<Candle>`: in types, the last part of each path;
/// of a function's own path, the last two.
fn short(path: &str) -> String {
    shortened(path, 0)
}

/// The same for a text that stands inside so many brackets.
fn shortened(path: &str, mut depth: i32) -> String {
    let mut shortened = String::with_capacity(path.len());
    let mut word = String::new();
    let flush = |word: &mut String, out: &mut String, depth: i32| {
        let is_type = depth > 0;
        let parts: Vec<_> = word.split("::").collect();
        let keep = if is_type { 1 } else { 2 };
        let last = &parts[parts.len().saturating_sub(keep)..];
        out.push_str(&last.join("::"));
        word.clear();
    };
    for c in path.chars() {
        match c {
            '<' | '>' | ',' | ' ' | '(' | ')' | '[' | ']' | '&' | ';' => {
                flush(&mut word, &mut shortened, depth);
                depth += match c {
                    '<' | '(' | '[' => 1,
                    '>' | ')' | ']' => -1,
                    _ => 0,
                };
                shortened.push(c);
            }
            _ => word.push(c),
        }
    }
    flush(&mut word, &mut shortened, depth);
    shortened
}

/// The functions at a return address: those that were inlined there, innermost first,
/// and the one that has them.
#[cfg(highwater_stacks)]
fn resolve(address: usize) -> Vec<Raw> {
    let mut found = Vec::new();
    // The call is before where it returns to.
    let call = address.saturating_sub(1) as *mut std::ffi::c_void;
    backtrace::resolve(call, |symbol| {
        let Some(name) = symbol.name() else { return };
        found.push(Raw {
            function: format!("{name:#}"),
            file: symbol.filename().map(Path::to_owned),
            line: symbol.lineno(),
            has_types: name.as_bytes().starts_with(b"_R"),
        });
    });
    found
}

#[cfg(not(highwater_stacks))]
fn resolve(_address: usize) -> Vec<Raw> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_to_what_tells() {
        assert_eq!(short("prices::cache::remember"), "cache::remember");
        assert_eq!(
            short("alloc::vec::Vec<fixtures::Candle>"),
            "vec::Vec<Candle>"
        );
        assert_eq!(
            short("<alloc::vec::Vec<fixtures::market::Candle>>::push"),
            "<Vec<Candle>>::push"
        );
        assert_eq!(
            short("bot::Bot::on_candle::{closure#0}"),
            "on_candle::{closure#0}"
        );
    }

    #[test]
    fn the_type_is_that_of_the_outermost_method() {
        let raw = |function: &str, has_types| Raw {
            function: function.to_owned(),
            file: None,
            line: None,
            has_types,
        };
        let frames = [
            raw(
                "<alloc::raw_vec::RawVec<alloc::boxed::Box<u64>>>::grow_one",
                true,
            ),
            raw("<alloc::vec::Vec<my::Candle>>::push", true),
        ];
        assert_eq!(type_of(&frames).as_deref(), Some("Vec<Candle>"));
        let entry = "<alloc::collections::btree::map::entry::Entry<u64, my::Candle>>::or_default";
        let told = type_of(&[raw(entry, true)]);
        assert_eq!(told.as_deref(), Some("BTreeMap<u64, Candle>"));
        let legacy = [raw("alloc::vec::Vec<T,A>::push", false)];
        assert_eq!(type_of(&legacy), None);
    }

    #[test]
    fn files_of_the_registry_start_with_the_package() {
        let file = Path::new("/root/.cargo/registry/src/index.crates.io-1/tokio-1.4.0/src/lib.rs");
        assert_eq!(in_registry(file), Some("tokio-1.4.0/src/lib.rs".into()));
        assert_eq!(in_registry(Path::new("/home/me/src/lib.rs")), None);
        let detour = Path::new("/home/me/cases/one/../driver.rs");
        assert_eq!(
            without_detours(detour),
            Path::new("/home/me/cases/driver.rs")
        );
    }
}
