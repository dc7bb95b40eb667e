//! Where a search for holders starts: statics, thread-locals, the scenario's state, and
//! the stacks.

use super::area::{Area, Kind, without};
use super::mapped::{Known, pages};
use super::system::{Mapping, Memory, Waiting};
use super::threads::{Sizes, threads};
use crate::holders::State;
use crate::symbols::Symbols;
use object::elf::{PF_W, PF_X, PT_GNU_RELRO, PT_LOAD, PT_TLS};
use object::read::elf::{ElfFile64, ProgramHeader as _};
use object::{Endianness, ReadCache};
use std::fs::File;
use std::path::Path;

/// A program or library, with what its file says of its memory.
pub(super) struct Module {
    pub(super) path: String,
    pub(super) is_program: bool,
    is_system: bool,
    shift: usize,
    writable: Vec<(usize, usize)>,
    relocated: Vec<(usize, usize)>,
    /// How far before the end of all thread-locals the program's start; of a library, how
    /// much space it has there.
    pub(super) thread_locals: usize,
    has_no_thread_locals: bool,
}

impl Module {
    /// The names in its file.
    pub(super) fn symbols(&self) -> Symbols {
        let file = if self.is_program {
            "/proc/self/exe"
        } else {
            &self.path
        };
        Symbols::of(file, self.thread_locals)
    }
}

pub(super) struct Roots {
    pub(super) areas: Vec<Area>,
    pub(super) modules: Vec<Module>,
    /// Where nothing else is to be looked for.
    taken: Vec<(usize, usize)>,
    pointers: Vec<usize>,
    thread_locals: Sizes,
    /// Whether these are all: each library could be read, and each thread's thread-locals
    /// were found. Those of libraries are not looked for.
    pub(super) are_all: bool,
}

impl Roots {
    /// All that is known of memory, with these parts of it.
    pub(super) fn known(&mut self, parts: impl IntoIterator<Item = (usize, usize)>) -> Known<'_> {
        self.taken.extend(parts);
        Known {
            taken: &self.taken,
            modules: self.modules.iter().map(|module| &*module.path).collect(),
            pointers: &self.pointers,
            thread_locals: self.thread_locals,
        }
    }
}

/// Whose statics are none of the program's: the system's own lists of blocks are there, and
/// among them what the program has told the system.
const SYSTEM: [&str; 4] = ["libc.so", "libc-", "ld-linux", "ld-"];
/// Whose thread-locals hold no blocks: those, and what serves exceptions in C++.
const WITHOUT_BLOCKS: [&str; 2] = ["libgcc_s", "libstdc++"];

/// The areas in the order in which they are asked.
pub(super) fn roots(
    memory: &Memory,
    mappings: &[Mapping],
    waiting: &[Waiting],
    state: &State,
) -> Roots {
    let (modules, are_all_read) = modules(mappings);
    let sizes = modules.iter().map(|module| module.thread_locals + 64);
    let all_thread_locals: usize = sizes.sum();
    let program = modules.iter().find(|module| module.is_program);
    let own_thread_locals = program.map_or(0, |program| program.thread_locals);
    let sizes = Sizes {
        own: own_thread_locals,
        all: all_thread_locals,
    };
    let threads = threads(memory, mappings, waiting, state, sizes);
    let are_all_threads = threads.pointers.len() > waiting.len();
    let have_none = |module: &Module| module.is_program || module.has_no_thread_locals;
    let are_all = are_all_read && are_all_threads && modules.iter().all(have_none);
    let mut areas = statics(&modules);
    let mut taken: Vec<_> = areas
        .iter()
        .map(|area| pages(area.start, area.end))
        .collect();
    taken.extend(threads.taken);
    areas.extend(threads.pointers.iter().map(|(pointer, thread)| Area {
        start: pointer.saturating_sub(sizes.own),
        end: *pointer,
        kind: Kind::ThreadLocals(*thread),
    }));
    areas.push(Area {
        start: state.without_runtime(),
        end: state.end(),
        kind: Kind::State,
    });
    areas.push(Area {
        start: state.address,
        end: state.without_runtime(),
        kind: Kind::Runtime,
    });
    areas.extend(threads.stacks);
    Roots {
        areas,
        modules,
        taken,
        pointers: threads
            .pointers
            .iter()
            .map(|(pointer, _)| *pointer)
            .collect(),
        thread_locals: sizes,
        are_all,
    }
}

/// The part of each module that is written to while the program runs.
fn statics(modules: &[Module]) -> Vec<Area> {
    let mut areas = Vec::new();
    for (object, module) in modules.iter().enumerate() {
        let shift = module.shift;
        let written = without(&module.writable, &module.relocated).into_iter();
        areas.extend(written.map(|(start, end)| Area {
            start: start.saturating_add(shift),
            end: end.saturating_add(shift),
            kind: if module.is_system {
                Kind::InMotion
            } else {
                Kind::Statics { object, shift }
            },
        }));
    }
    areas
}

/// The program and its libraries, and whether each of them could be read. They are what has
/// code: other files that are mapped may be anything.
fn modules(mappings: &[Mapping]) -> (Vec<Module>, bool) {
    let program = std::fs::read_link("/proc/self/exe").unwrap_or_default();
    let mut modules: Vec<Module> = Vec::new();
    let mut are_all_read = true;
    let files = mappings
        .iter()
        .filter(|mapping| mapping.name.starts_with('/'));
    for code in files.filter(|mapping| mapping.is_code()) {
        if modules.iter().any(|module| module.path == code.name) {
            continue;
        }
        let is_program = Path::new(&code.name) == program;
        // The program's file may have been replaced since it was started.
        let file = if is_program {
            "/proc/self/exe"
        } else {
            &code.name
        };
        let module = module(file, code, is_program);
        are_all_read &= module.is_some();
        modules.extend(module);
    }
    let has_program = modules.iter().any(|module| module.is_program);
    (modules, are_all_read && has_program)
}

fn module(file: &str, code: &Mapping, is_program: bool) -> Option<Module> {
    let cache = ReadCache::new(File::open(file).ok()?);
    let elf = ElfFile64::<Endianness, _>::parse(&cache).ok()?;
    let endian = elf.endian();
    let (mut writable, mut relocated) = (Vec::new(), Vec::new());
    let (mut thread_locals, mut shift) = (0, None);
    let name = Path::new(&code.name).file_name()?.to_string_lossy();
    let is_one_of = |names: &[&str]| names.iter().any(|start| name.starts_with(start));
    let is_system = is_one_of(&SYSTEM);
    for header in elf.elf_program_headers() {
        let start = usize::try_from(header.p_vaddr(endian)).ok()?;
        let size = usize::try_from(header.p_memsz(endian)).ok()?;
        let end = start.checked_add(size)?;
        match header.p_type(endian) {
            PT_LOAD if header.p_flags(endian) & PF_X != 0 => {
                let offset = usize::try_from(header.p_offset(endian)).ok()?;
                // The loader maps whole pages.
                let first = (start & !0xfff).checked_add(code.offset)?;
                let first = first.checked_sub(offset & !0xfff)?;
                shift = shift.or(code.start.checked_sub(first));
            }
            PT_LOAD if header.p_flags(endian) & PF_W != 0 => {
                writable.push((start, end));
            }
            PT_GNU_RELRO => relocated.push((start, end)),
            PT_TLS => {
                let alignment = usize::try_from(header.p_align(endian)).ok()?.max(1);
                thread_locals = distance_of_thread_locals(start, size, alignment)?;
            }
            _ => {}
        }
    }
    Some(Module {
        path: code.name.clone(),
        is_program,
        is_system,
        shift: shift?,
        writable,
        relocated,
        thread_locals,
        has_no_thread_locals: thread_locals == 0 || is_system || is_one_of(&WITHOUT_BLOCKS),
    })
}

/// How far before their end the thread-locals of a program start, as glibc lays them out:
/// so that the start is aligned as it is in the file.
fn distance_of_thread_locals(start: usize, size: usize, alignment: usize) -> Option<usize> {
    let beyond = start.checked_next_multiple_of(alignment)? - start;
    let rest = size.saturating_sub(beyond);
    rest.checked_next_multiple_of(alignment)?
        .checked_add(beyond)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_ranges() {
        assert_eq!(
            without(&[(10, 20), (30, 40)], &[(15, 35)]),
            [(10, 15), (35, 40)]
        );
        assert_eq!(without(&[(10, 20)], &[(12, 14)]), [(10, 12), (14, 20)]);
        assert_eq!(without(&[(10, 20)], &[(0, 30)]), []);
    }

    #[test]
    fn thread_locals_are_aligned_as_in_their_file() {
        assert_eq!(distance_of_thread_locals(0x1000, 20, 16), Some(32));
        assert_eq!(distance_of_thread_locals(0x1008, 20, 16), Some(24));
        assert_eq!(distance_of_thread_locals(0x1008, 4, 16), Some(8));
        assert_eq!(distance_of_thread_locals(usize::MAX, 20, 16), None);
    }
}
