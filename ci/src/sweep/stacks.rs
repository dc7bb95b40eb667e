//! The call stacks that the counting library took, and the call sites that they are for a reader.
//!
//! The library writes return addresses and where files are mapped. `symbols` finds functions
//! and lines, when the process has ended.

use super::symbols::Symbols;
use highwater::__private::signature;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// How many call sites a test has, and how many frames each.
const SITES: usize = 10;
const FRAMES: usize = 6;
/// Files whose frames tell nobody anything.
const SYSTEM: [&str; 4] = ["libc.so", "ld-linux", "libgcc_s", "libpthread"];
/// How the name of the counting library's file begins and ends.
const OURS: [&str; 2] = ["counting", ".so"];

/// A function in a call stack.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[schemars(title = "Frame of a call site")]
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
    /// Of what is left, the bytes that are unreachable; null if that is not known, and of the peak.
    pub unreachable_bytes: Option<u64>,
    /// The same of blocks; null likewise.
    pub unreachable_blocks: Option<u64>,
    /// The call stack, the innermost function first, without those of std. Empty for blocks
    /// whose call stacks are not known.
    pub frames: Vec<SiteFrame>,
}

impl SiteFound {
    /// By what it is known again, though lines moved: 16 hex digits, the hash FNV-1a of its
    /// functions. None if its functions are not known.
    pub fn signature(&self) -> Option<String> {
        let functions = self.frames.iter().map(|frame| frame.function.as_str());
        signature(None, functions, std::iter::empty())
    }
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
    all: Vec<Stack>,
    maps: Vec<Mapping>,
    /// Whether it is known what is unreachable.
    is_searched: bool,
}

#[derive(Clone, Debug)]
struct Stack {
    /// Bytes and blocks that are left, those at the peak, and those that are unreachable.
    left: [u64; 2],
    peak: [u64; 2],
    unreachable: [u64; 2],
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
    /// Reads what the library wrote behind its figures; none if there is nothing. It knows what is
    /// unreachable if it has searched for it.
    pub(super) fn read(text: &str, is_searched: bool) -> Option<Self> {
        let (stacks, maps) = text.split_once("\nmaps\n")?;
        let stack = |line: &str| {
            let numbers = line.strip_prefix("stack ")?.split_whitespace();
            let numbers: Vec<u64> = numbers.map(str::parse).collect::<Result<_, _>>().ok()?;
            let (figures, addresses) = numbers.split_first_chunk()?;
            let &[left, left_blocks, peak, peak_blocks, bytes, blocks] = figures;
            Some(Stack {
                left: [left, left_blocks],
                peak: [peak, peak_blocks],
                unreachable: [bytes, blocks],
                addresses: addresses.to_vec(),
            })
        };
        Some(Self {
            all: stacks.lines().filter_map(stack).collect(),
            maps: maps.lines().filter_map(Mapping::read).collect(),
            is_searched,
        })
    }

    /// The call sites of these blocks, those with most bytes first.
    pub(super) fn sites(&self, symbols: &mut Symbols, blocks: Blocks) -> Vec<SiteFound> {
        let mut sites = BTreeMap::<Vec<SiteFrame>, [u64; 4]>::new();
        for stack in &self.all {
            let [bytes, number] = match blocks {
                Blocks::Left => stack.left,
                Blocks::AtPeak => stack.peak,
            };
            if number > 0 {
                let site = sites.entry(self.frames(symbols, stack)).or_default();
                let [lost, lost_blocks] = stack.unreachable;
                let figures = [bytes, number, lost, lost_blocks];
                site.iter_mut()
                    .zip(figures)
                    .for_each(|(sum, figure)| *sum += figure);
            }
        }
        let is_known = self.is_searched && blocks == Blocks::Left;
        let site = |(frames, [bytes, blocks, lost, lost_blocks]): (_, [u64; 4])| SiteFound {
            bytes,
            blocks,
            unreachable_bytes: is_known.then_some(lost),
            unreachable_blocks: is_known.then_some(lost_blocks),
            frames,
        };
        let mut sites: Vec<_> = sites.into_iter().map(site).collect();
        // Those that are alike stay in the order of their frames.
        sites.sort_by_key(|site| std::cmp::Reverse((site.bytes, site.blocks)));
        sites.truncate(SITES);
        sites
    }

    /// Where the start of the file is mapped that this mapping is a part of: a file may be mapped
    /// several times.
    fn base(&self, part: &Mapping) -> u64 {
        let is_base = |mapping: &&Mapping| {
            mapping.file == part.file && mapping.offset == 0 && mapping.start <= part.start
        };
        let base = self.maps.iter().rev().find(is_base);
        base.map_or(part.start, |mapping| mapping.start)
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
            if name.starts_with(OURS[0]) && name.ends_with(OURS[1]) {
                continue;
            }
            let is_system = SYSTEM.iter().any(|system| name.starts_with(system));
            for raw in symbols.frames(&mapping.file, self.base(mapping), address) {
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
    // Behind them is the program's own allocator.
    let is_call = |(frame, _): &(SiteFrame, bool)| {
        let mut calls = ["__rust_alloc", "__rust_realloc"].iter();
        calls.any(|call| frame.function.contains(call))
    };
    let all = match all.iter().position(is_call) {
        Some(call) => &all[call + 1..],
        None => all,
    };
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn what_the_library_wrote_is_read() {
        let text = "figures 1 2 3 4 5 6 \nunreachable 3 1 \nstack 10 1 20 2 3 1 4097 8193 \nstack 0 0 5 1 0 0 \nmaps\n\
                    1000-3000 r-xp 00000000 fe:00 123                  /tmp/with a space\n\
                    5000-6000 rw-p 00000000 00:00 0 \n";
        let stacks = Stacks::read(text, true).expect("it is whole");
        assert_eq!(stacks.all.len(), 2);
        assert_eq!(stacks.all[0].addresses, [4097, 8193]);
        assert_eq!(stacks.maps.len(), 1);
        assert_eq!(stacks.maps[0].file, Path::new("/tmp/with a space"));
        let mut symbols = Symbols::new(Path::new("/tmp"));
        let sites = stacks.sites(&mut symbols, Blocks::AtPeak);
        let told: Vec<_> = sites.iter().map(|site| (site.bytes, site.blocks)).collect();
        assert_eq!(told, [(20, 2), (5, 1)]);
        assert_eq!(sites[0].unreachable_bytes, None, "of the peak");
        let left = stacks.sites(&mut symbols, Blocks::Left);
        let told = |site: &SiteFound| (site.unreachable_bytes, site.unreachable_blocks);
        assert_eq!(told(&left[0]), (Some(3), Some(1)));
        let unknown = Stacks::read(text, false).expect("it is whole");
        let left = unknown.sites(&mut symbols, Blocks::Left);
        assert_eq!(told(&left[0]), (None, None));
        // A file that is not there still has its name.
        assert_eq!(sites[0].frames[0].function, "with a space+0x0");
        assert!(Stacks::read("figures 1 2 3 4 5 6 ", true).is_none());
    }

    #[test]
    fn only_the_library_itself_is_left_out() {
        let text = "figures\nstack 10 1 0 0 0 0 4097 \nstack 20 1 0 0 0 0 8193 \nmaps\n\
                    1000-2000 r-xp 00000000 fe:00 1 /tmp/counting-0f\n\
                    2000-3000 r-xp 00000000 fe:00 2 /tmp/counting-0f.so\n";
        let stacks = Stacks::read(text, true).expect("it is whole");
        let mut symbols = Symbols::new(Path::new("/tmp"));
        let sites = stacks.sites(&mut symbols, Blocks::Left);
        assert_eq!(sites[0].frames, []);
        assert_eq!(sites[1].frames[0].function, "counting-0f+0x0");
    }

    #[test]
    fn a_part_belongs_to_the_start_before_it() {
        let text = "figures\nmaps\n\
                    1000-2000 r--p 00000000 fe:00 1 /tmp/one\n\
                    2000-3000 r--p 00000000 fe:00 2 /tmp/two\n\
                    5000-6000 r--p 00000000 fe:00 1 /tmp/one\n\
                    6000-7000 r-xp 00001000 fe:00 1 /tmp/one\n\
                    8000-9000 r--p 00000000 fe:00 1 /tmp/one\n";
        let stacks = Stacks::read(text, true).expect("it is whole");
        let bases = stacks.maps.iter().map(|mapping| stacks.base(mapping));
        let bases: Vec<_> = bases.collect();
        assert_eq!(bases, [0x1000, 0x2000, 0x5000, 0x5000, 0x8000]);
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
        let of_allocator = vec![
            frame("<my::Counter as core::alloc::GlobalAlloc>::alloc", true),
            frame("__rustc::__rust_alloc", true),
            frame("my::leak", true),
        ];
        assert_eq!(names(of_allocator), ["my::leak (lib.rs:1)"]);
        assert!(names(Vec::new()).is_empty());
    }
}
