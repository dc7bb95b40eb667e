//! Finds the blocks that are unreachable: no root leads to them, so the program can't use or free
//! them any more.
//!
//! It is the search of a conservative garbage collector, as LeakSanitizer has it. The roots are
//! all memory that can be written to, and what stays of the only thread: its registers and its
//! stack. glibc's heaps are no roots, because what was freed there still has its old contents. An
//! aligned word that is an address in a block leads to it, and on to all that is in that block.
//!
//! Blocks are in an array that is sorted by address, and those whose contents are still to be read
//! are in a list through it, so the search needs no other room and no recursion.

use crate::caller::Caller;
use crate::memory::{Kind, Mapping, Memory, Room, each_mapping};
use crate::system::PAGE;
use crate::{addresses, blocks, stacks};

/// Why it is not known what is unreachable, in a word.
pub(crate) type Unknown = &'static [u8];

/// A live block.
struct Node {
    start: usize,
    size: usize,
    /// The place, and one more, of the next in the list of those whose contents are to be read.
    next: u32,
    stack: u16,
    is_counted: bool,
    is_reached: bool,
}

impl Node {
    /// Where its memory ends, if it was mapped for it alone.
    fn end(&self) -> usize {
        (self.start + self.size + blocks::FOOTER).next_multiple_of(PAGE)
    }
}

/// All blocks, by address.
struct Nodes {
    all: Room<Node>,
    /// The list of those whose contents are to be read: the place of the first, and one more.
    first: u32,
}

/// The bytes and blocks that count and are unreachable, which are put down to their call stacks
/// too. `caller` is what the only thread has called last that is searched.
pub(crate) fn unreachable(caller: &Caller) -> Result<[usize; 2], Unknown> {
    if addresses::is_full() {
        return Err(b"room");
    }
    let mut memory = Memory::open().ok_or(&b"memory"[..])?;
    // Each begins with the address of its arena, which is in such a heap too. Where the program's
    // settings make them smaller, other memory is in the window, and would not be searched.
    let is_heap = |start| memory.word(start).is_some_and(addresses::is_in_heap);
    if !addresses::heaps().all(is_heap) {
        return Err(b"heaps");
    }
    let mut nodes = Nodes::collect(&mut memory)?;
    caller.registers.iter().for_each(|word| nodes.reach(*word));
    let mut visit = |mapping: Mapping| {
        if let Some(mapping) = searched(mapping, caller.stack) {
            nodes.reach_from(mapping, &mut memory);
        }
    };
    if !each_mapping(&mut visit) {
        return Err(b"memory");
    }
    while let Some((start, size)) = nodes.next() {
        memory.each_word(start, start + size, &mut |word| nodes.reach(word));
    }
    let mut sums = [0; 2];
    let is_unreachable = |node: &&Node| node.is_counted && !node.is_reached;
    for node in nodes.all.iter().filter(is_unreachable) {
        stacks::is_unreachable(node.stack.into(), node.size);
        sums = [sums[0] + node.size, sums[1] + 1];
    }
    Ok(sums)
}

/// The part of a mapping in which a root can be.
fn searched(mapping: Mapping, stack: usize) -> Option<Mapping> {
    let is_own = mapping.kind == Kind::Anonymous;
    if !mapping.is_readable || !mapping.is_writable && !is_own {
        return None;
    }
    match mapping.kind {
        Kind::Heap | Kind::System => None,
        // Below is what calls left that have returned.
        Kind::Stack if (mapping.start..mapping.end).contains(&stack) => Some(Mapping {
            start: stack,
            ..mapping
        }),
        Kind::Stack | Kind::Anonymous | Kind::File => Some(mapping),
    }
}

impl Nodes {
    /// Reads what is known of each block.
    fn collect(memory: &mut Memory) -> Result<Self, Unknown> {
        let count = addresses::count();
        // Places are as long.
        u32::try_from(count).map_err(|_| &b"room"[..])?;
        // SAFETY: zeros are a value of each part of a node.
        let mut all = unsafe { Room::<Node>::of_zeros(count) }.ok_or(&b"room"[..])?;
        for (node, start) in all.iter_mut().zip(addresses::all()) {
            let known = blocks::read(start, |address| memory.word(address));
            let known = known.ok_or(&b"blocks"[..])?;
            *node = Node {
                start,
                size: known.size,
                next: 0,
                stack: known.stack as u16,
                is_counted: known.is_counted,
                is_reached: false,
            };
        }
        Ok(Self { all, first: 0 })
    }

    /// Reaches what the words in this mapping lead to.
    fn reach_from(&mut self, mapping: Mapping, memory: &mut Memory) {
        let mut at = mapping.start;
        while at < mapping.end {
            let (end, is_root) = self.part(at, memory);
            let end = end.min(mapping.end);
            if is_root {
                memory.each_word(at, end, &mut |word| self.reach(word));
            }
            at = end;
        }
    }

    /// The end of the part of memory that begins here and is of one kind; and whether roots can be
    /// there: not in blocks, glibc's heaps and this library's own tables.
    fn part(&self, at: usize, memory: &Memory) -> (usize, bool) {
        let mut end = (at / addresses::WINDOW + 1).saturating_mul(addresses::WINDOW);
        if addresses::is_in_heap(at) {
            return (end, false);
        }
        let [words, pages] = memory.rooms();
        let own = [self.all.range(), words, pages];
        let later = self.all.partition_point(|node| node.end() <= at);
        let block = self.all.get(later).map(|node| (node.start, node.end()));
        let taken = own.into_iter().chain(addresses::rooms()).chain(block);
        for (from, to) in taken {
            if (from..to).contains(&at) {
                return (to, false);
            }
            if at < from {
                end = end.min(from);
            }
        }
        (end, true)
    }

    /// A word was found: reaches the block that it is an address in, if there is one.
    fn reach(&mut self, word: usize) {
        let Some(place) = self
            .all
            .partition_point(|node| node.start <= word)
            .checked_sub(1)
        else {
            return;
        };
        if let Some(node) = self.all.get_mut(place)
            && word - node.start < node.size.max(1)
            && !node.is_reached
        {
            node.is_reached = true;
            node.next = self.first;
            self.first = place as u32 + 1;
        }
    }

    /// The next block whose contents are to be read: where it starts, and its size.
    fn next(&mut self) -> Option<(usize, usize)> {
        let place = self.first.checked_sub(1)?;
        let node = self.all.get(place as usize)?;
        self.first = node.next;
        Some((node.start, node.size))
    }
}
