//! Memory that a program has mapped itself, past every allocator. It may hold blocks too.
//!
//! It is all mapped memory without the heap, statics, stacks and this library's own tables.
//! There may be more of it than can be searched, such as large files. The result then says
//! that not everything was searched.

use super::area::{Area, Kind, Thread, without};
use super::system::{Mapping, Memory, PAGE};
use super::threads::{Other, Sizes, others};
use std::path::Path;

/// What was found.
pub(super) struct Mapped {
    pub(super) areas: Vec<Area>,
    /// Whether it is little enough to be searched.
    pub(super) are_all: bool,
}

/// What is known of memory by other ways.
pub(super) struct Known<'a> {
    pub(super) taken: &'a [(usize, usize)],
    /// The files of the program and its libraries.
    pub(super) modules: Vec<&'a str>,
    /// Of threads that were found.
    pub(super) pointers: &'a [usize],
    pub(super) thread_locals: Sizes,
}

/// It takes about a second to search so much.
const MOST: usize = 1 << 30;
/// It takes seconds to ask which pages of a larger mapping are used.
const LARGEST: usize = 1 << 38;

/// All memory in which an address can be kept, and that is not known otherwise.
pub(super) fn mapped(memory: &Memory, mappings: &[Mapping], known: &Known<'_>) -> Mapped {
    let mut found = Mapped {
        areas: Vec::new(),
        are_all: true,
    };
    for mapping in mappings {
        let is_module = known.modules.contains(&mapping.name.as_str());
        let Some(kind) = kind(mapping).filter(|_| !is_module) else {
            continue;
        };
        let is_near = |part: &&(usize, usize)| part.0 < mapping.end && mapping.start < part.1;
        let taken: Vec<_> = known.taken.iter().filter(is_near).copied().collect();
        let rest = without(&[(mapping.start, mapping.end)], &taken);
        if size(&rest) > LARGEST {
            found.are_all = false;
        } else if mapping.is_shared() {
            // What another process has used, or this one elsewhere, is not said to be used.
            found.add(&rest, &kind);
        } else {
            let used = rest.iter().flat_map(|part| memory.used(part.0, part.1));
            let parts = found.without_threads(memory, used.collect(), known);
            found.add(&parts, &kind);
        }
    }
    let mut left = MOST;
    found.areas.retain(|area| {
        let size = area.end - area.start;
        let has_room = size <= left;
        left = left.saturating_sub(size);
        found.are_all &= has_room;
        has_room
    });
    found
}

fn size(parts: &[(usize, usize)]) -> usize {
    parts.iter().map(|(start, end)| end - start).sum()
}

/// What this is to a reader; none if no address can be kept there, or if it is the system's
/// or glibc's.
fn kind(mapping: &Mapping) -> Option<Kind> {
    let name = mapping.name.as_str();
    let is_anonymous = name.is_empty() || name.starts_with("[anon");
    if !mapping.is_readable() || !mapping.is_writable() && !is_anonymous {
        return None;
    }
    if name.starts_with("[stack") {
        // Of a thread that does not wait, or else it would be known.
        return Some(Kind::InMotion);
    }
    let is_of_system = name.starts_with('[') && !is_anonymous;
    if is_of_system || name.starts_with("[anon: glibc") {
        return None;
    }
    let file = name.strip_suffix(" (deleted)").unwrap_or(name);
    let is_shared_memory =
        file == "/dev/zero" || file.starts_with("/SYSV") || file.starts_with("[anon_shmem");
    Some(Kind::Mapped(if is_shared_memory {
        "shared memory".to_owned()
    } else if is_anonymous {
        "mapped memory".to_owned()
    } else {
        let file = Path::new(file).file_name().unwrap_or(file.as_ref());
        format!("mapped file {}", file.to_string_lossy())
    }))
}

impl Mapped {
    fn add(&mut self, parts: &[(usize, usize)], kind: &Kind) {
        let kind = || kind.clone();
        self.areas.extend(parts.iter().map(|(start, end)| Area {
            start: *start,
            end: *end,
            kind: kind(),
        }));
    }

    /// What is left of some memory without the stacks of threads in it. Of one that runs,
    /// nobody knows which part of its stack is in use; one that has ended holds nothing.
    fn without_threads(
        &mut self,
        memory: &Memory,
        mut parts: Vec<(usize, usize)>,
        known: &Known<'_>,
    ) -> Vec<(usize, usize)> {
        let of_part = |part: &(usize, usize)| others(memory, *part, known.pointers);
        for other in parts.iter().flat_map(of_part).collect::<Vec<_>>() {
            let Other {
                pointer,
                lowest,
                has_ended,
            } = other;
            if !has_ended {
                let Sizes { own, all } = known.thread_locals;
                let outside = [(0, lowest), (pointer.saturating_sub(all), usize::MAX)];
                self.add(&without(&parts, &outside), &Kind::InMotion);
                let thread_locals = (pointer.saturating_sub(own), pointer);
                self.add(&[thread_locals], &Kind::ThreadLocals(Thread::Runs));
            }
            parts = without(&parts, &[(lowest, pointer)]);
        }
        parts
    }
}

/// Whether memory that could not be read is still there: it can't be read then, and was not
/// given back meanwhile.
pub(super) fn are_still_there(addresses: &[usize], mappings: &[Mapping]) -> bool {
    let is_there = |address: &usize| {
        let mut all = mappings.iter();
        all.any(|mapping| mapping.contains(*address) && mapping.is_readable())
    };
    addresses.iter().any(is_there)
}

/// Whole pages around a part of memory.
pub(super) fn pages(start: usize, end: usize) -> (usize, usize) {
    (start / PAGE * PAGE, end.next_multiple_of(PAGE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_hold_an_address_is_named() {
        let named = |access: &str, name| {
            let access = access.as_bytes().try_into().unwrap();
            match kind(&Mapping::of((0x1000, 0x2000), access, name)) {
                Some(Kind::Mapped(name)) => name,
                Some(other) => format!("{other:?}"),
                None => String::new(),
            }
        };
        for (access, name, expected) in [
            ("rw-p", "", "mapped memory"),
            ("r--p", "", "mapped memory"),
            ("rwxp", "[anon:code]", "mapped memory"),
            ("---p", "", ""),
            ("rw-s", "/dev/zero (deleted)", "shared memory"),
            ("rw-s", "/SYSV00000000 (deleted)", "shared memory"),
            ("rw-s", "[anon_shmem:queue]", "shared memory"),
            (
                "rw-s",
                "/memfd:a queue (deleted)",
                "mapped file memfd:a queue",
            ),
            ("rw-p", "/var/lib/prices.db", "mapped file prices.db"),
            (
                "rw-s",
                "anon_inode:[io_uring]",
                "mapped file anon_inode:[io_uring]",
            ),
            ("r--p", "/usr/lib/locale/locale-archive", ""),
            ("rw-p", "[heap]", ""),
            ("r--p", "[vvar]", ""),
            ("rw-p", "[stack]", "InMotion"),
            ("rw-p", "[anon: glibc: malloc arena]", ""),
        ] {
            assert_eq!(named(access, name), expected, "{access} {name}");
        }
    }

    #[test]
    fn no_more_than_can_be_searched() {
        let memory = Memory::open().unwrap();
        let file = |start, end| Mapping::of((start, end), *b"rw-s", "/large");
        let taken = [(0x1000, 0x3000)];
        let known = Known {
            taken: &taken,
            modules: vec!["/program"],
            pointers: &[],
            thread_locals: Sizes { own: 0, all: 0 },
        };
        let found = |mappings: &[Mapping]| {
            let found = mapped(&memory, mappings, &known);
            let parts: Vec<_> = found.areas.iter().map(|a| (a.start, a.end)).collect();
            (parts, found.are_all)
        };
        let small = file(0x2000, 0x5000);
        let program = Mapping::of((0x2000, 0x5000), *b"rw-p", "/program");
        assert_eq!(found(&[program]), (vec![], true));
        assert_eq!(
            found(std::slice::from_ref(&small)),
            (vec![(0x3000, 0x5000)], true)
        );
        let most = file(0x10000, 0x10000 + MOST);
        let both = (vec![(0x10000, 0x10000 + MOST)], false);
        assert_eq!(found(&[most, small.clone()]), both);
        let too_large = file(0x10000, 0x10000 + LARGEST + 1);
        assert_eq!(found(&[too_large, small]), (vec![(0x3000, 0x5000)], false));
    }
}
