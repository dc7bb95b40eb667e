//! Blocks, and which of them point to which: any word in a block that is an address
//! inside another.

use super::system::{Buffer, Memory, PAGE};

/// A block, tracked or untracked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Node {
    /// All bits the other way round, so that it is no address to whoever finds it in
    /// memory that was freed.
    hidden: usize,
    pub(super) size: usize,
    /// What it was allocated by; none if it is untracked.
    pub(super) stack: Option<u32>,
}

impl Node {
    pub(super) fn tracked(address: usize, size: usize, stack: u32) -> Self {
        let stack = Some(stack);
        Self {
            stack,
            ..Self::untracked(address, size)
        }
    }

    pub(super) fn untracked(address: usize, size: usize) -> Self {
        Self {
            hidden: !address,
            size,
            stack: None,
        }
    }

    pub(super) fn address(&self) -> usize {
        !self.hidden
    }

    fn end(&self) -> usize {
        self.address() + self.size
    }
}

/// All blocks by their addresses, with the edges between them.
pub(super) struct Graph {
    nodes: Vec<Node>,
    index: Index,
    /// The edges of all nodes, one node's after the other's.
    edges: Vec<u32>,
    /// Where each node's edges start; one more at the end.
    starts: Vec<usize>,
}

const WORD: usize = size_of::<usize>();
/// Blocks are looked up by parts of the address space that are so large, in bits.
const PART_BITS: usize = 9;
/// Blocks that are farther apart are looked up in different tables.
const FAR: usize = 16 << 20;
/// How much is read at a time at most, and at least where there are many small blocks.
const SLICE: usize = 1 << 20;
const READ_AHEAD: usize = 1 << 16;

impl Graph {
    /// Of these blocks, in any order, as memory is now.
    pub(super) fn new(memory: &Memory, mut nodes: Vec<Node>) -> Self {
        // Both lists come nearly sorted, which this sort makes use of.
        nodes.sort_by_key(Node::address);
        let nodes = without_overlaps(nodes);
        let mut graph = Self {
            index: Index::new(&nodes),
            edges: Vec::with_capacity(nodes.len()),
            starts: Vec::with_capacity(nodes.len() + 1),
            nodes,
        };
        graph.read_edges(memory);
        graph
    }

    pub(super) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    pub(super) fn edges(&self, node: u32) -> &[u32] {
        let index = node as usize;
        &self.edges[self.starts[index]..self.starts[index + 1]]
    }

    /// The block in which `address` lies.
    pub(super) fn find(&self, address: usize) -> Option<u32> {
        self.index.find(&self.nodes, address)
    }

    /// The blocks that words of a part of memory point to, each with the address of the word.
    /// Notes in `unread` where there was nothing to read.
    pub(super) fn targets(
        &self,
        memory: &Memory,
        (start, end): (usize, usize),
        unread: &mut Vec<usize>,
    ) -> Vec<(usize, u32)> {
        let mut found = Vec::new();
        let mut buffer = Buffer::new(SLICE.min(end.saturating_sub(start)));
        let mut address = start.next_multiple_of(WORD);
        while address + WORD <= end {
            let wanted = buffer.len().min(end - address);
            let length = memory.read(address, &mut buffer[..wanted]);
            for (at, word) in words(&buffer[..length]) {
                found.extend(self.find(word).map(|node| (address + at, node)));
            }
            address += length;
            if length < wanted {
                unread.push(address);
                address = (address + 1).next_multiple_of(PAGE);
            }
            address = address.next_multiple_of(WORD);
        }
        found
    }

    fn read_edges(&mut self, memory: &Memory) {
        let mut window = Window::new(memory);
        for number in 0..self.nodes.len() {
            self.starts.push(self.edges.len());
            let node = self.nodes[number];
            let (start, end) = (node.address().next_multiple_of(WORD), node.end());
            if node.size <= SLICE {
                self.read_edges_between(&mut window, start, end);
                continue;
            }
            for (start, end) in memory.used(start, end) {
                self.read_edges_between(&mut window, start, end);
            }
        }
        self.starts.push(self.edges.len());
    }

    fn read_edges_between(&mut self, window: &mut Window<'_>, start: usize, end: usize) {
        let mut address = start;
        while address + WORD <= end {
            let bytes = window.at(address, end - address);
            if bytes.len() < WORD {
                break;
            }
            for (_, word) in words(bytes) {
                self.edges.extend(self.index.find(&self.nodes, word));
            }
            address += bytes.len() / WORD * WORD;
        }
    }
}

/// A tracked block is known for certain; an untracked one that overlaps it is none.
fn without_overlaps(sorted: Vec<Node>) -> Vec<Node> {
    let mut nodes: Vec<Node> = Vec::with_capacity(sorted.len());
    for node in sorted {
        let is_in_way = |last: &Node| node.address() < last.end();
        if node.stack.is_some() {
            while nodes
                .last()
                .is_some_and(|last| last.stack.is_none() && is_in_way(last))
            {
                nodes.pop();
            }
        }
        if !nodes.last().is_some_and(is_in_way) {
            nodes.push(node);
        }
    }
    nodes
}

fn words(bytes: &[u8]) -> impl Iterator<Item = (usize, usize)> {
    bytes.chunks_exact(WORD).enumerate().map(|(number, bytes)| {
        let word = bytes.try_into().map_or(0, usize::from_ne_bytes);
        (number * WORD, word)
    })
}

/// The part of memory that was read last: blocks lie close to each other.
struct Window<'a> {
    memory: &'a Memory,
    buffer: Buffer,
    start: usize,
    length: usize,
}

impl<'a> Window<'a> {
    fn new(memory: &'a Memory) -> Self {
        Self {
            memory,
            buffer: Buffer::new(SLICE),
            start: 0,
            length: 0,
        }
    }

    /// Up to `wanted` bytes from `address` on; nothing if there is no memory.
    fn at(&mut self, address: usize, wanted: usize) -> &[u8] {
        let is_inside = |start: usize, length: usize| {
            address >= start && address + wanted.min(SLICE) <= start + length
        };
        if !is_inside(self.start, self.length) {
            self.start = address;
            let length = wanted.clamp(READ_AHEAD, SLICE);
            self.length = self.memory.read(address, &mut self.buffer[..length]);
        }
        let from = address - self.start;
        let to = (from + wanted).min(self.length);
        self.buffer.get(from..to).unwrap_or_default()
    }
}

/// Which nodes lie in which pages.
struct Index {
    parts: Vec<Part>,
}

/// Of a part of the address space with no large hole in it.
struct Part {
    start: usize,
    end: usize,
    /// For each so many bytes from the start on, the first node that ends in them or after.
    pages: Vec<u32>,
}

impl Index {
    // There are fewer blocks than 2^32: each has sixteen bytes.
    #[allow(clippy::cast_possible_truncation)]
    fn new(nodes: &[Node]) -> Self {
        let mut parts: Vec<Part> = Vec::new();
        for (number, node) in nodes.iter().enumerate() {
            let is_far = |part: &Part| node.address() - part.end > FAR;
            if parts.last().is_none_or(is_far) {
                let start = node.address() >> PART_BITS << PART_BITS;
                parts.push(Part {
                    start,
                    end: start,
                    pages: Vec::new(),
                });
            }
            if let Some(part) = parts.last_mut() {
                part.end = node.end();
                let pages = (part.end - part.start).div_ceil(1 << PART_BITS);
                while part.pages.len() < pages {
                    part.pages.push(number as u32);
                }
            }
        }
        Self { parts }
    }

    #[inline]
    fn find(&self, nodes: &[Node], address: usize) -> Option<u32> {
        let (first, last) = (self.parts.first()?, self.parts.last()?);
        if address < first.start || address >= last.end {
            return None;
        }
        let after = self.parts.partition_point(|part| part.start <= address);
        let part = self.parts[..after]
            .last()
            .filter(|part| address < part.end)?;
        let page = (address - part.start) >> PART_BITS;
        let mut number = *part.pages.get(page)? as usize;
        // Of which there are few.
        let beyond = part
            .pages
            .get(page + 1)
            .map_or(nodes.len(), |next| *next as usize + 1);
        let beyond = beyond.min(nodes.len());
        number += nodes[number..beyond].partition_point(|node| node.end() <= address);
        let node = nodes.get(number)?;
        // The number of a node came from a `u32`.
        #[allow(clippy::cast_possible_truncation)]
        (node.address() <= address).then_some(number as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn graph(blocks: &[&[usize]]) -> Graph {
        let memory = Memory::open().unwrap();
        let nodes = blocks.iter().enumerate().map(|(stack, block)| {
            Node::tracked(
                block.as_ptr() as usize,
                size_of_val(*block),
                u32::try_from(stack).unwrap(),
            )
        });
        Graph::new(&memory, nodes.collect())
    }

    #[test]
    fn a_word_that_points_into_a_block_is_an_edge() {
        let inner = vec![0_usize; 4];
        let inside = inner.as_ptr() as usize + 17;
        let beyond = inner.as_ptr() as usize + 32;
        let outer = vec![1, inside, beyond, 0];
        let graph = graph(&[&inner, &outer]);
        let number = |stack| {
            let is_it = |node: &Node| node.stack == Some(stack);
            u32::try_from(graph.nodes().iter().position(is_it).unwrap()).unwrap()
        };
        assert_eq!(graph.edges(number(1)), [number(0)]);
        assert!(graph.edges(number(0)).is_empty());
    }

    #[test]
    fn tracked_blocks_stay() {
        let node = |address, size, stack: Option<u32>| {
            let untracked = Node::untracked(address, size);
            Node { stack, ..untracked }
        };
        let sorted = vec![
            node(0, 16, None),
            node(16, 100, None),
            node(32, 16, Some(1)),
            node(40, 100, None),
            node(64, 16, Some(2)),
        ];
        let left = [
            node(0, 16, None),
            node(32, 16, Some(1)),
            node(64, 16, Some(2)),
        ];
        assert_eq!(without_overlaps(sorted), left);
    }

    proptest! {
        #[test]
        fn addresses_are_found_as_by_looking_at_every_block(
            gaps in proptest::collection::vec((0_usize..100_000, 1_usize..20_000), 1..60),
            asked in proptest::collection::vec(0_usize..4_000_000, 50),
        ) {
            let mut address = 0x1000_0000;
            let mut nodes = Vec::new();
            for (gap, size) in gaps {
                address += gap * if gap % 7 == 0 { 1_000 } else { 1 };
                nodes.push(Node::untracked(address, size));
                address += size;
            }
            let index = Index::new(&nodes);
            let ends = nodes.iter().flat_map(|node| [node.address(), node.end() - 1, node.end()]);
            for address in ends.chain(asked.into_iter().map(|offset| 0x1000_0000 + offset)) {
                let plain = nodes.iter().position(|node| {
                    (node.address()..node.end()).contains(&address)
                });
                let found = index.find(&nodes, address).map(|number| number as usize);
                prop_assert_eq!(found, plain, "{:#x}", address);
            }
        }
    }
}
