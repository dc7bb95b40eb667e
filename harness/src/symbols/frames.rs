//! Names for return addresses, and the selection of frames for a reader.
//!
//! A stack leads from the allocator through std and other libraries to the program's own
//! code, and on through this library to the test runner. Frames inside of the first frame that
//! is not std's, and frames outside of the scenario, are left out.

use super::short::{closing, short, shortened};
use crate::text::paths::{in_registry, is_std_source, package, project_root, without_detours};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

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

    /// The package of a dependency's frame, without its version.
    pub(crate) fn package(&self) -> Option<&str> {
        let file = self.file.as_deref().filter(|_| self.is_dependency)?;
        let package = file.split('/').next()?;
        let is_version = |(_, rest): &(&str, &str)| rest.starts_with(|c: char| c.is_ascii_digit());
        let cut = package.rsplit_once('-').filter(is_version);
        Some(cut.map_or(package, |(name, _)| name))
    }
}

/// A frame as it was found.
#[derive(Clone, Debug)]
pub(super) struct Raw {
    /// With the types of generics, where the symbol has them.
    pub(super) function: String,
    pub(super) file: Option<PathBuf>,
    pub(super) line: Option<u32>,
    /// Whether the symbol says what generics stand for.
    pub(super) has_types: bool,
}

/// A stack as a reader wants to see it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Named {
    pub(crate) frames: Vec<Frame>,
    pub(crate) type_name: Option<String>,
}

/// Whose code a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Std,
    Ours,
    Dependency,
    Program,
}

/// A function at a return address, and what is made of it.
struct Known {
    raw: Raw,
    owner: Owner,
    /// None where it is nothing for a reader.
    frame: Option<Frame>,
}

/// Names that were found already.
pub(crate) struct Names {
    known: HashMap<usize, Rc<[Known]>>,
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
            root: project_root().unwrap_or_else(package),
            has_lines: false,
        }
    }

    /// Whether any frame of the program has a line.
    pub(crate) fn has_lines(&self) -> bool {
        self.has_lines
    }

    /// The stack with these return addresses, innermost first. Names are not looked for
    /// outside of the scenario.
    pub(crate) fn stack(&mut self, addresses: &[usize]) -> Named {
        let (mut frames, mut library) = (Vec::new(), Vec::new());
        'stack: for address in addresses {
            for known in self.at(*address).iter() {
                match &known.frame {
                    Some(frame) => frames.push(frame.clone()),
                    // Outside of the scenario: from this library's own frames on.
                    None if frames.is_empty() => library.push(known.raw.clone()),
                    None if known.owner == Owner::Ours => break 'stack,
                    None => {}
                }
            }
        }
        let type_name = if frames.is_empty() {
            None
        } else {
            type_of(&library)
        };
        self.has_lines |= frames.iter().any(|frame| frame.line.is_some());
        Named { frames, type_name }
    }

    /// What is at a return address.
    fn at(&mut self, address: usize) -> Rc<[Known]> {
        if let Some(known) = self.known.get(&address) {
            return Rc::clone(known);
        }
        let known = resolve(address).into_iter().map(|raw| {
            let owner = owner(&raw);
            let is_foreign = matches!(owner, Owner::Dependency | Owner::Program);
            let frame = is_foreign.then(|| raw.frame(owner, &self.root));
            Known { raw, owner, frame }
        });
        let known: Rc<[Known]> = known.collect();
        self.known.insert(address, Rc::clone(&known));
        known
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

    /// What a stack is called in frames of this library and of std.
    // Not needed where call stacks can't be taken.
    #[allow(dead_code)]
    pub(crate) const OWN_STACK: &str = "this thread's stack";

    /// What a stack is called in the frame that is to go on at `address`: by the function,
    /// without those that were inlined into it.
    // Not needed where call stacks can't be taken.
    #[allow(dead_code)]
    pub(crate) fn place_on_stack(&mut self, address: usize) -> String {
        match self.at(address).last() {
            Some(known) if has_closures(known) => "the scenario's closures".to_owned(),
            Some(Known {
                frame: Some(frame), ..
            }) => format!("stack of {}", frame.function),
            _ => Self::OWN_STACK.to_owned(),
        }
    }
}

impl Raw {
    /// As a reader wants to see it.
    pub(super) fn frame(&self, owner: Owner, root: &Path) -> Frame {
        Frame {
            function: short(&self.function),
            file: self.file.as_deref().map(|file| printed(file, root)),
            line: self.line,
            is_dependency: owner == Owner::Dependency,
        }
    }
}

/// The path as it may be printed.
fn printed(file: &Path, root: &Path) -> String {
    let file = &without_detours(file);
    if let Ok(inside) = file.strip_prefix(root) {
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

/// Whether a scenario's closures are in its frame: of the functions here, those have them by
/// value that the program calls.
fn has_closures(known: &Known) -> bool {
    let function = known.raw.function.trim_start_matches('<');
    let is_run = |start: &str| {
        let name = function.split_once(start).map(|(_, name)| name);
        let end = name.map(|name| name.strip_prefix("_async").unwrap_or(name));
        end.is_some_and(|end| end.is_empty() || end.starts_with("::<"))
    };
    known.owner == Owner::Ours
        && function.starts_with("highwater::scenario::")
        && !function.ends_with('}')
        && is_run("builder::Scenario>::run")
}

pub(super) fn owner(raw: &Raw) -> Owner {
    let function = raw.function.trim_start_matches(['<', '&']);
    let is_of = |prefixes: &[&str]| prefixes.iter().any(|prefix| function.starts_with(prefix));
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
    } else if file.is_some_and(is_std_source) || is_of(&STD) || by_std || !has_path {
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

/// Gives back what was read from the program's files for names, which may be more than what the
/// program itself has. The next name reads it again.
pub(crate) fn forget_files() {
    #[cfg(highwater_stacks)]
    backtrace::clear_symbol_cache();
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[track_caller]
    fn known(function: &str, file: &str) -> Known {
        let raw = Raw {
            function: function.to_owned(),
            file: Some(file.into()),
            line: None,
            has_types: false,
        };
        let owner = owner(&raw);
        Known {
            raw,
            owner,
            frame: None,
        }
    }

    #[test]
    fn what_std_is_built_with_is_of_std() {
        let function = "<foldhash::fast::RandomState as core::hash::BuildHasher>::build_hasher";
        for file in [
            "/rust/deps/foldhash-0.1.5/src/fast.rs",
            "/usr/src/rustc-1.85.0/vendor/foldhash-0.1.5/src/fast.rs",
        ] {
            assert_eq!(known(function, file).owner, Owner::Std);
        }
        assert_eq!(known(function, "/home/me/fast.rs").owner, Owner::Program);
    }

    #[test]
    fn closures_are_where_a_scenario_is_run() {
        let is_there = |function| has_closures(&known(function, "a.rs"));
        for function in [
            "highwater::scenario::run::<impl highwater::scenario::builder::Scenario>::run",
            "<highwater::scenario::builder::Scenario>::run::<u8, my::f::{closure#0}>",
            "<highwater::scenario::builder::Scenario>::run_async::<u8>",
        ] {
            assert!(is_there(function), "{function}");
        }
        for function in [
            "highwater::scenario::run::run",
            "highwater::isolation::child::on_own_thread::{{closure}}",
            "<highwater::scenario::builder::Scenario>::run_async::<u8>::{closure#0}",
            "my::run",
        ] {
            assert!(!is_there(function), "{function}");
        }
    }

    #[test]
    fn files_of_the_registry_start_with_the_package() {
        let file = Path::new("/root/.cargo/registry/src/index.crates.io-1/tokio-1.4.0/src/lib.rs");
        assert_eq!(in_registry(file), Some("tokio-1.4.0/src/lib.rs".into()));
        assert_eq!(in_registry(Path::new("/home/me/src/lib.rs")), None);
    }
}
