//! Where a search for holders starts: statics, thread-locals, the scenario's state, and
//! the stacks.

use super::State;
use super::system::{Buffer, Mapping, Memory, Waiting};
use object::elf::{PT_GNU_RELRO, PT_LOAD, PT_TLS};
use object::read::elf::{ElfFile64, ProgramHeader as _};
use object::{Endianness, ReadCache};
use std::fs::File;
use std::path::Path;

/// A part of memory that is there by itself.
#[derive(Clone, Debug)]
pub(super) struct Area {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) kind: Kind,
}

/// Whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Of the program or library with this number, which is shifted by so much.
    Statics {
        object: usize,
        shift: usize,
    },
    /// Of a thread; of the program itself.
    ThreadLocals,
    State,
    OwnStack,
    /// Of the thread with this name.
    Stack(String),
    /// A part of the heap in which no blocks can be told apart.
    InMotion,
}

/// A program or library, with what its file says of its memory.
pub(super) struct Module {
    pub(super) path: String,
    pub(super) is_program: bool,
    shift: usize,
    writable: Vec<(usize, usize)>,
    relocated: Vec<(usize, usize)>,
    /// The size of its thread-locals, rounded up to their alignment.
    pub(super) thread_locals: usize,
}

pub(super) struct Roots {
    pub(super) areas: Vec<Area>,
    pub(super) modules: Vec<Module>,
}

/// Whose statics are none of the program's: the system's own lists of blocks are there.
const SYSTEM: [&str; 4] = ["libc.so", "libc-", "ld-linux", "ld-"];

/// The areas in the order in which they are asked.
pub(super) fn roots(
    memory: &Memory,
    mappings: &[Mapping],
    waiting: &[Waiting],
    state: &State,
) -> Roots {
    let modules = modules(mappings);
    let all_thread_locals: usize = modules.iter().map(|module| module.thread_locals + 64).sum();
    let program = modules.iter().find(|module| module.is_program);
    let own_thread_locals = program.map_or(0, |program| program.thread_locals);
    let mut statics = Vec::new();
    for (object, module) in modules.iter().enumerate() {
        let (shift, kind) = (
            module.shift,
            Kind::Statics {
                object,
                shift: module.shift,
            },
        );
        for (start, end) in without(&module.writable, &module.relocated) {
            statics.push(Area {
                start: start + shift,
                end: end + shift,
                kind: kind.clone(),
            });
        }
    }
    let mut thread_locals = Vec::new();
    let mut stacks = Vec::new();
    let mut add_thread = |kind: Kind, start: usize| {
        let Some(mapping) = mappings.iter().find(|mapping| mapping.contains(start)) else {
            return;
        };
        let pointer = thread_pointer(memory, start, mapping.end);
        if let Some(pointer) = pointer {
            thread_locals.push(pointer);
        }
        let end = pointer.map_or(mapping.end, |pointer| pointer - all_thread_locals);
        stacks.push(Area { start, end, kind });
    };
    add_thread(Kind::OwnStack, state.end());
    for thread in waiting {
        add_thread(Kind::Stack(thread.name.clone()), thread.stack_pointer);
    }
    for mapping in mappings
        .iter()
        .filter(|mapping| may_be_first_thread(mapping))
    {
        thread_locals.extend(thread_pointer(memory, mapping.start, mapping.end));
    }
    let mut areas = statics;
    areas.extend(thread_locals.into_iter().map(|pointer| Area {
        start: pointer - own_thread_locals,
        end: pointer,
        kind: Kind::ThreadLocals,
    }));
    areas.push(Area {
        start: state.address,
        end: state.end(),
        kind: Kind::State,
    });
    areas.extend(stacks);
    Roots { areas, modules }
}

/// The first thread's thread-locals are not on its stack.
fn may_be_first_thread(mapping: &Mapping) -> bool {
    mapping.is_data && mapping.name.is_empty() && mapping.end - mapping.start <= 64 << 10
}

/// What the processor's register for thread-locals points to: a structure that starts
/// with its own address, and has it once more two words on. They end there.
fn thread_pointer(memory: &Memory, start: usize, end: usize) -> Option<usize> {
    const ALIGNMENT: usize = 64;
    let mut buffer = Buffer::new(1 << 16);
    let mut place = start.next_multiple_of(ALIGNMENT);
    while place < end {
        let length = memory.read(place, &mut buffer);
        let word = |at: usize| {
            let bytes = buffer[..length].get(at..at + 8)?;
            Some(usize::from_ne_bytes(bytes.try_into().ok()?))
        };
        let is_it = |at: &usize| word(*at) == Some(place + at) && word(at + 16) == Some(place + at);
        if let Some(at) = (0..length).step_by(ALIGNMENT).find(is_it) {
            return Some(place + at);
        }
        if length < buffer.len() {
            return None;
        }
        // The two words lie within one multiple of the alignment.
        place += length;
    }
    None
}

/// What of some ranges lies in none of the others.
fn without(ranges: &[(usize, usize)], others: &[(usize, usize)]) -> Vec<(usize, usize)> {
    let mut left = ranges.to_vec();
    for (start, end) in others {
        left = left
            .into_iter()
            .flat_map(|(from, to)| [(from, to.min(*start)), (from.max(*end), to)])
            .filter(|(from, to)| from < to)
            .collect();
    }
    left
}

/// The program and its libraries.
fn modules(mappings: &[Mapping]) -> Vec<Module> {
    let program = std::fs::read_link("/proc/self/exe").unwrap_or_default();
    let mut modules: Vec<Module> = Vec::new();
    for mapping in mappings
        .iter()
        .filter(|mapping| mapping.name.starts_with('/'))
    {
        if modules.iter().any(|module| module.path == mapping.name) {
            continue;
        }
        let is_program = Path::new(&mapping.name) == program;
        // The program's file may have been replaced since it was started.
        let file = if is_program {
            "/proc/self/exe"
        } else {
            &mapping.name
        };
        modules.extend(module(file, mapping, is_program));
    }
    modules
}

fn module(file: &str, first: &Mapping, is_program: bool) -> Option<Module> {
    let cache = ReadCache::new(File::open(file).ok()?);
    let elf = ElfFile64::<Endianness, _>::parse(&cache).ok()?;
    let endian = elf.endian();
    let number = |word: u64| usize::try_from(word).unwrap_or(usize::MAX);
    let (mut writable, mut relocated) = (Vec::new(), Vec::new());
    let (mut thread_locals, mut lowest) = (0, None);
    let name = Path::new(&first.name).file_name()?.to_string_lossy();
    let is_system = SYSTEM.iter().any(|system| name.starts_with(system));
    for header in elf.elf_program_headers() {
        let start = number(header.p_vaddr(endian));
        let size = number(header.p_memsz(endian));
        match header.p_type(endian) {
            PT_LOAD => {
                lowest.get_or_insert(start);
                if header.p_flags(endian) & object::elf::PF_W != 0 && !is_system {
                    writable.push((start, start + size));
                }
            }
            PT_GNU_RELRO => relocated.push((start, start + size)),
            PT_TLS => {
                thread_locals = size.next_multiple_of(number(header.p_align(endian)).max(1));
            }
            _ => {}
        }
    }
    Some(Module {
        path: first.name.clone(),
        is_program,
        shift: first.start.checked_sub(lowest? & !0xfff)?,
        writable,
        relocated,
        thread_locals,
    })
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
}
