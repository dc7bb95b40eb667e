//! The call stacks that the counting library took, and the call sites that they are for a reader.
//!
//! The library writes return addresses and where files are mapped. Functions and lines are found
//! here, when the process has ended.

use addr2line::Loader;
use highwater::__private::without_detours;
use object::{Object as _, ObjectSymbol as _};
use schemars::JsonSchema;
use serde::Serialize;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::fs::{self, File};
use std::io::Read as _;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// How many call sites a test has, and how many frames each.
const SITES: usize = 10;
const FRAMES: usize = 6;
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
/// Files whose frames tell nobody anything.
const SYSTEM: [&str; 4] = ["libc.so", "ld-linux", "libgcc_s", "libpthread"];
/// How the name of the counting library's file begins.
const OURS: &str = "counting";

/// A function in a call stack.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[schemars(title = "Frame of a call site in a sweep")]
pub struct SiteFrame {
    /// Its path; of one without a symbol, the file that it is in.
    pub function: String,
    /// The file, relative to the project, or to the registry for a dependency; null if the
    /// program has no line tables.
    pub file: Option<String>,
    /// The line in it; null likewise.
    pub line: Option<u32>,
}

/// A place that allocates, with the blocks that it allocated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(title = "Call site in a sweep")]
pub struct SiteFound {
    /// The bytes of these blocks.
    pub bytes: u64,
    /// How many blocks there are.
    pub blocks: u64,
    /// The call stack, the innermost function first, without those of std. Empty for blocks
    /// whose call stacks are not known.
    pub frames: Vec<SiteFrame>,
}

/// The function, with its place in brackets.
impl fmt::Display for SiteFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.function)?;
        if let Some(file) = &self.file {
            write!(f, " ({file}")?;
            if let Some(line) = self.line {
                write!(f, ":{line}")?;
            }
            f.write_str(")")?;
        }
        Ok(())
    }
}

/// What the library wrote of call stacks.
#[derive(Clone, Debug, Default)]
pub(super) struct Stacks {
    stacks: Vec<Stack>,
    maps: Vec<Mapping>,
}

#[derive(Clone, Debug)]
struct Stack {
    /// Bytes and blocks that are left, and those at the peak.
    left: [u64; 2],
    peak: [u64; 2],
    /// Return addresses, the innermost first.
    addresses: Vec<u64>,
}

#[derive(Clone, Debug)]
struct Mapping {
    start: u64,
    end: u64,
    offset: u64,
    file: PathBuf,
}

/// Which blocks are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blocks {
    /// Those that are left.
    Left,
    /// Those at the peak.
    AtPeak,
}

impl Stacks {
    /// Reads what the library wrote behind its figures; none if there is nothing.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (stacks, maps) = text.split_once("\nmaps\n")?;
        let stack = |line: &str| {
            let numbers = line.strip_prefix("stack ")?.split_whitespace();
            let numbers: Vec<u64> = numbers.map(str::parse).collect::<Result<_, _>>().ok()?;
            let (&[left, left_blocks, peak, peak_blocks], addresses) =
                numbers.split_first_chunk()?;
            Some(Stack {
                left: [left, left_blocks],
                peak: [peak, peak_blocks],
                addresses: addresses.to_vec(),
            })
        };
        Some(Self {
            stacks: stacks.lines().filter_map(stack).collect(),
            maps: maps.lines().filter_map(Mapping::read).collect(),
        })
    }

    /// The call sites of these blocks, those with most bytes first.
    pub(super) fn sites(&self, symbols: &mut Symbols, blocks: Blocks) -> Vec<SiteFound> {
        let mut sites = BTreeMap::<Vec<SiteFrame>, [u64; 2]>::new();
        for stack in &self.stacks {
            let [bytes, number] = match blocks {
                Blocks::Left => stack.left,
                Blocks::AtPeak => stack.peak,
            };
            if number > 0 {
                let site = sites.entry(self.frames(symbols, stack)).or_default();
                site[0] += bytes;
                site[1] += number;
            }
        }
        let site = |(frames, [bytes, blocks]): (_, [u64; 2])| SiteFound {
            bytes,
            blocks,
            frames,
        };
        let mut sites: Vec<_> = sites.into_iter().map(site).collect();
        // Those that are alike stay in the order of their frames.
        sites.sort_by_key(|site| std::cmp::Reverse((site.bytes, site.blocks)));
        sites.truncate(SITES);
        sites
    }

    /// The frames of the program, or if there are none, the innermost ones.
    fn frames(&self, symbols: &mut Symbols, stack: &Stack) -> Vec<SiteFrame> {
        let mut all = Vec::new();
        for address in &stack.addresses {
            // The call stands before the address that it returns to.
            let address = address.saturating_sub(1);
            let is_in = |mapping: &&Mapping| (mapping.start..mapping.end).contains(&address);
            let Some(mapping) = self.maps.iter().find(is_in) else {
                continue;
            };
            let name = mapping.file.file_name().unwrap_or_default();
            let name = name.to_string_lossy().into_owned();
            if name.starts_with(OURS) {
                continue;
            }
            let is_system = SYSTEM.iter().any(|system| name.starts_with(system));
            let base = self
                .maps
                .iter()
                .find(|m| m.file == mapping.file && m.offset == 0);
            let base = base.map_or(mapping.start, |mapping| mapping.start);
            for raw in symbols.frames(&mapping.file, base, address) {
                let is_told = !is_system && !raw.is_std;
                let place = || format!("{name}+{:#x}", address - mapping.start + mapping.offset);
                let frame = SiteFrame {
                    function: raw.function.clone().unwrap_or_else(place),
                    file: raw.file.as_deref().map(|file| symbols.short(file)),
                    line: raw.line,
                };
                all.push((frame, is_told));
            }
        }
        told(&all)
    }
}

/// The frames that are to be told; of a stack that has none, one that says most.
fn told(all: &[(SiteFrame, bool)]) -> Vec<SiteFrame> {
    let is_own = |(_, is_told): &&(SiteFrame, bool)| *is_told;
    let mut frames: Vec<_> = { all.iter() }
        .filter(is_own)
        .map(|(frame, _)| frame.clone())
        .collect();
    frames.dedup();
    // What `#[test]` makes of a test.
    if let [.., test, wrapper] = &*frames
        && let Some(closure) = wrapper.function.strip_prefix(&test.function)
        && ["::{{closure}}", "::{closure#0}"].contains(&closure)
    {
        frames.pop();
    }
    if frames.is_empty() {
        let names = |(frame, _): &&(SiteFrame, bool)| {
            let mut starts = ["std::", "<std::", "test::", "<test::"].iter();
            starts.any(|start| frame.function.starts_with(start))
        };
        let frame = all.iter().find(names).or(all.first());
        frames.extend(frame.map(|(frame, _)| SiteFrame {
            function: frame.function.clone(),
            file: None,
            line: None,
        }));
    }
    frames.truncate(FRAMES);
    frames
}

impl Mapping {
    /// A line of `/proc/self/maps`, if it is of a file.
    fn read(line: &str) -> Option<Self> {
        let mut words = line.splitn(6, ' ');
        let (start, end) = words.next()?.split_once('-')?;
        let offset = words.nth(1)?;
        let file = words.nth(2)?.trim_start();
        let number = |text| u64::from_str_radix(text, 16).ok();
        Some(Self {
            start: number(start)?,
            end: number(end)?,
            offset: number(offset)?,
            file: file.starts_with('/').then(|| file.into())?,
        })
    }
}

/// A frame as it was found.
#[derive(Clone, Debug)]
struct Raw {
    function: Option<String>,
    file: Option<String>,
    line: Option<u32>,
    is_std: bool,
}

/// The symbols of the files that were looked at.
pub(super) struct Symbols {
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
    pub(super) fn new(root: &Path) -> Self {
        Self {
            root: root.canonicalize().unwrap_or_else(|_| root.to_owned()),
            loaders: HashMap::new(),
            functions: HashMap::new(),
            known: HashMap::new(),
        }
    }

    /// The functions at an address in a file whose start is mapped at `base`, inlined ones with
    /// them, the innermost first.
    fn frames(&mut self, file: &Path, base: u64, address: u64) -> Vec<Raw> {
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
    fn short(&self, file: &str) -> String {
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
    fn what_the_library_wrote_is_read() {
        let text = "figures 1 2 3 4 5 6 \nstack 10 1 20 2 4097 8193 \nstack 0 0 5 1 \nmaps\n\
                    1000-3000 r-xp 00000000 fe:00 123                  /tmp/with a space\n\
                    5000-6000 rw-p 00000000 00:00 0 \n";
        let stacks = Stacks::read(text).expect("it is whole");
        assert_eq!(stacks.stacks.len(), 2);
        assert_eq!(stacks.stacks[0].addresses, [4097, 8193]);
        assert_eq!(stacks.maps.len(), 1);
        assert_eq!(stacks.maps[0].file, Path::new("/tmp/with a space"));
        let mut symbols = Symbols::new(Path::new("/tmp"));
        let sites = stacks.sites(&mut symbols, Blocks::AtPeak);
        let told: Vec<_> = sites.iter().map(|site| (site.bytes, site.blocks)).collect();
        assert_eq!(told, [(20, 2), (5, 1)]);
        // A file that is not there still has its name.
        assert_eq!(sites[0].frames[0].function, "with a space+0x0");
        assert!(Stacks::read("figures 1 2 3 4 5 6 ").is_none());
    }

    #[test]
    fn what_is_told_of_a_stack() {
        let frame = |function: &str, is_told| {
            let frame = SiteFrame {
                function: function.to_owned(),
                file: Some("lib.rs".to_owned()),
                line: Some(1),
            };
            (frame, is_told)
        };
        let names = |frames: Vec<_>| {
            let told = told(&frames).into_iter();
            told.map(|frame| frame.to_string()).collect::<Vec<_>>()
        };
        let own = vec![
            frame("alloc::alloc::alloc", false),
            frame("my::leak", true),
            frame("my::test", true),
            frame("my::test::{{closure}}", true),
            frame("test::run", false),
        ];
        assert_eq!(names(own), ["my::leak (lib.rs:1)", "my::test (lib.rs:1)"]);
        let of_std = vec![
            frame("alloc::alloc::alloc", false),
            frame("std::thread::spawn", false),
            frame("test::run", false),
        ];
        assert_eq!(names(of_std), ["std::thread::spawn"]);
        assert_eq!(names(vec![frame("malloc", false)]), ["malloc"]);
        assert!(names(Vec::new()).is_empty());
    }

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
