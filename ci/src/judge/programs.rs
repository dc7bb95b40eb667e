//! Names of addresses, from the files of programs that are here: of profiles that have none.
//!
//! A file must be of the same build, by its identifier. It is where the profile says, or where
//! cargo builds programs.

use crate::sweep::symbols::{Raw, Symbols};
use highwater_reports::heap_profile::{At, Code};
use object::{Object as _, ObjectSegment as _, ReadCache};
use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where cargo puts programs, in the target directory.
const BUILT: [&str; 2] = ["release", "debug"];

/// The files of programs.
#[derive(Debug)]
pub(super) struct Programs {
    target: Option<PathBuf>,
    symbols: Symbols,
    /// By their paths as profiles have them; none if they are not here.
    known: HashMap<Arc<str>, Option<Program>>,
}

/// A file that is here.
#[derive(Debug)]
struct Program {
    path: PathBuf,
    segments: Vec<Segment>,
}

/// A part of a file that is mapped.
#[derive(Debug)]
struct Segment {
    offset: u64,
    length: u64,
    address: u64,
}

impl Programs {
    /// Those in `target`, where cargo builds, are known too.
    pub(super) fn new(root: &Path, target: Option<&Path>) -> Self {
        Self {
            target: target.map(Path::to_owned),
            symbols: Symbols::new(root),
            known: HashMap::new(),
        }
    }

    /// The functions there, inlined ones with them, the innermost first; none if they are not
    /// known.
    pub(super) fn functions(&mut self, code: &Code) -> Vec<Raw> {
        let target = self.target.as_deref();
        let program = self.known.entry(code.module.clone());
        let program = program.or_insert_with(|| Program::find(code, target));
        let Some(program) = program else {
            return Vec::new();
        };
        let address = match code.at {
            At::Address(address) => Some(address),
            At::Offset(offset) => {
                let mut segments = program.segments.iter();
                segments.find_map(|segment| segment.address_of(offset))
            }
        };
        let frames = address.map(|address| self.symbols.frames(&program.path, 0, address));
        let mut frames = frames.unwrap_or_default();
        frames.retain(|frame| frame.function.is_some());
        frames
    }
}

impl Segment {
    /// The address of what is at an offset of the file, if it is in this part.
    fn address_of(&self, offset: u64) -> Option<u64> {
        let within = offset.checked_sub(self.offset)?;
        self.address
            .checked_add(within)
            .filter(|_| within < self.length)
    }
}

impl Program {
    fn find(code: &Code, target: Option<&Path>) -> Option<Self> {
        let build_id = code.build_id.as_deref()?;
        let path = Path::new(&*code.module);
        let name = path.file_name()?;
        let built = target.into_iter().flat_map(|target| {
            let folders = BUILT.iter();
            folders.map(|folder| target.join(folder).join(name))
        });
        let mut all = std::iter::once(path.to_owned()).chain(built);
        all.find_map(|path| Self::read(path, build_id))
    }

    /// The file, if it is of this build.
    fn read(path: PathBuf, build_id: &str) -> Option<Self> {
        if !path.is_file() {
            return None;
        }
        let cache = ReadCache::new(File::open(&path).ok()?);
        let file = object::File::parse(&cache).ok()?;
        let id = file.build_id().ok()??;
        let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        if !id.eq_ignore_ascii_case(build_id) {
            return None;
        }
        let segments = file.segments().map(|segment| {
            let (offset, length) = segment.file_range();
            Segment {
                offset,
                length,
                address: segment.address(),
            }
        });
        let segments = segments.collect();
        Some(Self { path, segments })
    }
}
