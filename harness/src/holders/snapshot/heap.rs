//! Untracked blocks: those that were allocated before the run in call-stack mode, or outside
//! of it.
//!
//! A static may hold tracked blocks through untracked ones, so the search has to know where they
//! start and end. glibc keeps each block's size in front of it, from the start of its heap to
//! the end. Memory is taken for such a heap if its sizes lead, from one to the next, exactly to
//! its end. The blocks of other allocators are not known.

use super::graph::Node;
use super::system::{Buffer, Mapping, Memory, PAGE, end_of_mapping};

/// glibc's own: in front of each block are its neighbour's size and its own, in whose
/// lowest bits are whether the neighbour is in use and whether it is mapped by itself.
const HEADER: usize = 16;
const SMALLEST: usize = 32;
const FLAGS: usize = 7;
const PREVIOUS_IN_USE: usize = 1;
const MAPPED: usize = 2;
/// Of each word in front of a block, one is the block's own as well.
const SHARED: usize = 8;
/// Heaps of threads start at multiples of this.
const ARENA: usize = 64 << 20;
/// What such a heap starts with is no longer than this.
const LONGEST_START: usize = 0xc00;
/// A larger mapping is address space that something keeps for itself, no block: it would
/// take seconds to ask which of its pages are used.
const LARGEST: usize = 1 << 38;
/// How often a heap is looked at that changes meanwhile.
const TRIES: usize = 20;

/// What was found.
pub(super) struct Heap {
    pub(super) blocks: Vec<Node>,
    /// Parts of it in which threads were at work, so that no blocks could be told apart.
    pub(super) in_motion: Vec<(usize, usize)>,
    /// All parts of memory that are its own.
    pub(super) taken: Vec<(usize, usize)>,
}

/// All blocks of glibc's heap that are in use, and some that it keeps to hand out again.
pub(super) fn heap(memory: &Memory, mappings: &[Mapping], stacks: &[usize]) -> Heap {
    let mut walker = Walker::new(memory);
    let mut found = Heap {
        blocks: Vec::new(),
        in_motion: Vec::new(),
        taken: Vec::new(),
    };
    for mapping in mappings.iter().filter(|mapping| mapping.is_data()) {
        let is_arena = mapping.name.is_empty() && walker.end_of_arena(mapping.start).is_some();
        if mapping.name == "[heap]" || is_arena {
            let end = if is_arena {
                mapping.start + ARENA
            } else {
                mapping.end
            };
            found.taken.push((mapping.start, end.min(mapping.end)));
            if (0..TRIES).any(|_| walker.walk(mapping.start, is_arena)) {
                found.blocks.extend_from_slice(&walker.blocks);
            } else {
                found.in_motion.push((mapping.start, mapping.end));
            }
        } else if mapping.name.is_empty()
            && mapping.end - mapping.start <= LARGEST
            && !stacks.iter().any(|sp| mapping.contains(*sp))
        {
            mapped_alone(memory, mapping, &mut found);
        }
    }
    found
}

/// Words of memory, a slice of it at a time.
struct Words<'a> {
    memory: &'a Memory,
    buffer: Buffer,
    start: usize,
    length: usize,
}

impl<'a> Words<'a> {
    fn new(memory: &'a Memory) -> Self {
        Self {
            memory,
            buffer: Buffer::new(1 << 20),
            start: 0,
            length: 0,
        }
    }

    /// What was read may have changed.
    fn forget(&mut self) {
        self.length = 0;
    }

    fn at(&mut self, address: usize) -> Option<usize> {
        let is_there = address >= self.start && address + 8 <= self.start + self.length;
        if !is_there {
            self.start = address;
            self.length = self.memory.read(address, &mut self.buffer);
        }
        let offset = address - self.start;
        let bytes = self.buffer[..self.length].get(offset..offset + 8)?;
        Some(usize::from_ne_bytes(bytes.try_into().ok()?))
    }
}

/// Goes through heaps. What it needs is allocated before it looks, or else a heap would
/// change while it is being looked at; what was too small is larger at the next try.
struct Walker<'a> {
    words: Words<'a>,
    maps: String,
    blocks: Vec<Node>,
}

impl<'a> Walker<'a> {
    fn new(memory: &'a Memory) -> Self {
        Self {
            words: Words::new(memory),
            maps: String::with_capacity(1 << 16),
            blocks: Vec::with_capacity(1 << 12),
        }
    }

    /// Finds the blocks in use of a heap; false if it does not look like one.
    fn walk(&mut self, start: usize, is_arena: bool) -> bool {
        self.words.forget();
        if !is_arena {
            // It may have grown since it was listed.
            let end = end_of_mapping(&mut self.maps, start);
            return end.is_some_and(|end| self.walk_from(start, end));
        }
        let Some(end) = self.end_of_arena(start) else {
            return false;
        };
        let mut starts = (start + HEADER..start + LONGEST_START).step_by(HEADER);
        starts.any(|start| self.walk_from(start, end))
    }

    /// Where the used part of a thread's heap ends. It starts with where its arena is,
    /// which heap was before it, and how large it and its mapping are.
    fn end_of_arena(&mut self, start: usize) -> Option<usize> {
        if !start.is_multiple_of(ARENA) {
            return None;
        }
        self.words.forget();
        let mut word = |offset| self.words.at(start + offset);
        let (arena, before, size, mapped) = (word(0)?, word(8)?, word(16)?, word(24)?);
        let is_one = arena > 0
            && before % ARENA == 0
            && (1..=mapped).contains(&size)
            && mapped <= ARENA
            && size % PAGE == 0;
        is_one.then_some(start + size)
    }

    fn walk_from(&mut self, start: usize, end: usize) -> bool {
        self.blocks.clear();
        let mut address = start;
        loop {
            let Some(word) = self.words.at(address + 8) else {
                return false;
            };
            let size = word & !FLAGS;
            // At the end of a heap that is full are two that are no blocks.
            if size == end - address || end - address <= SMALLEST {
                return !self.blocks.is_empty();
            }
            // What is no heap may have any word there.
            if size < SMALLEST || !size.is_multiple_of(HEADER) || size > end - address {
                return false;
            }
            let next = self.words.at(address + size + 8);
            if next.is_some_and(|next| next & PREVIOUS_IN_USE != 0) {
                self.blocks
                    .push(Node::untracked(address + HEADER, size - SHARED));
            }
            address += size;
        }
    }
}

/// Blocks so large that each has a mapping of its own.
fn mapped_alone(memory: &Memory, mapping: &Mapping, found: &mut Heap) {
    let mut beyond = mapping.start;
    let used = memory.used(mapping.start, mapping.end).into_iter();
    for page in used.flat_map(|(start, end)| (start..end).step_by(PAGE)) {
        if page < beyond {
            continue;
        }
        let mut header = [0; HEADER];
        if memory.read(page, &mut header) < HEADER {
            continue;
        }
        let [offset, word] = [0, 8].map(|at| {
            let bytes = header[at..at + 8].try_into();
            bytes.map_or(0, usize::from_ne_bytes)
        });
        let size = word & !FLAGS;
        let is_one = offset < PAGE
            && word & FLAGS == MAPPED
            && size.is_multiple_of(PAGE)
            && size > 0
            && size <= mapping.end - page;
        if is_one {
            let block = Node::untracked(page + HEADER, size - HEADER);
            found.blocks.push(block);
            beyond = page + size;
            found.taken.push((page, beyond));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::system::{mappings, threads};
    use super::*;

    #[test]
    fn blocks_of_every_size_and_thread_are_found() {
        let sizes = [1, 24, 100, 1_000, 100_000, 1 << 20];
        let make = move || sizes.map(|size| vec![1_u8; size]);
        let (own, other) = (make(), std::thread::spawn(make).join().unwrap());
        let memory = Memory::open().unwrap();
        let here = (&raw const own) as usize;
        let mut stacks = vec![here];
        stacks.extend(
            threads()
                .unwrap()
                .0
                .iter()
                .map(|thread| thread.stack_pointer),
        );
        let heap = heap(&memory, &mappings().unwrap(), &stacks);
        for block in own.iter().chain(&other) {
            let address = block.as_ptr() as usize;
            let found = heap.blocks.iter().find(|found| found.address() == address);
            let is_in_motion = |(start, end): &(usize, usize)| (*start..*end).contains(&address);
            if heap.in_motion.iter().any(is_in_motion) {
                // Other tests run on threads that share this part.
                continue;
            }
            let found = found.expect("it is in use");
            assert!((block.len()..block.len() + 2 * PAGE).contains(&found.size));
        }
    }
}
