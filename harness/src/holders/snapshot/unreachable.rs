//! Blocks that no root leads to: those that are lost, those that are indirectly lost, and
//! those that point to each other in a cycle.

use super::graph::Graph;

/// How a block that is unreachable is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// Nothing points to it.
    Directly,
    /// Only lost blocks do.
    Indirectly,
    /// It is in a cycle, the one with this number.
    Cycle(u32),
}

/// The strongly connected components of a part of a graph, after Tarjan, *Depth-first
/// search and linear graph algorithms*, 1972; without recursion, since lists are long.
struct Components<'a> {
    graph: &'a Graph,
    is_part: &'a [bool],
    order: Vec<u32>,
    low: Vec<u32>,
    open: Vec<u32>,
    is_open: Vec<bool>,
    next: u32,
    cycle_of: Vec<Option<u32>>,
    cycles: u32,
}

const UNSEEN: u32 = u32::MAX;

impl<'a> Components<'a> {
    fn new(graph: &'a Graph, is_part: &'a [bool]) -> Self {
        let count = graph.nodes().len();
        Self {
            graph,
            is_part,
            order: vec![UNSEEN; count],
            low: vec![0; count],
            open: Vec::new(),
            is_open: vec![false; count],
            next: 0,
            cycle_of: vec![None; count],
            cycles: 0,
        }
    }

    fn enter(&mut self, node: u32) {
        self.order[node as usize] = self.next;
        self.low[node as usize] = self.next;
        self.next += 1;
        self.open.push(node);
        self.is_open[node as usize] = true;
    }

    fn visit(&mut self, root: u32) {
        let mut path = vec![(root, 0)];
        self.enter(root);
        while let Some((node, edge)) = path.last_mut() {
            let node = *node;
            let target = self.graph.edges(node).get(*edge).copied();
            *edge += 1;
            match target {
                Some(target) if !self.is_part[target as usize] => {}
                Some(target) if self.order[target as usize] == UNSEEN => {
                    self.enter(target);
                    path.push((target, 0));
                }
                Some(target) => {
                    if self.is_open[target as usize] {
                        self.lower(node, self.order[target as usize]);
                    }
                }
                None => {
                    path.pop();
                    if let Some((above, _)) = path.last() {
                        self.lower(*above, self.low[node as usize]);
                    }
                    if self.low[node as usize] == self.order[node as usize] {
                        self.close(node);
                    }
                }
            }
        }
    }

    fn lower(&mut self, node: u32, to: u32) {
        let low = &mut self.low[node as usize];
        *low = (*low).min(to);
    }

    /// What is open from `node` on is a component; a cycle, if it is more than one block
    /// or points to itself.
    fn close(&mut self, node: u32) {
        let first = self
            .open
            .iter()
            .rposition(|open| *open == node)
            .unwrap_or(0);
        let is_cycle = self.open.len() - first > 1 || self.graph.edges(node).contains(&node);
        for member in self.open.drain(first..) {
            self.is_open[member as usize] = false;
            self.cycle_of[member as usize] = is_cycle.then_some(self.cycles);
        }
        self.cycles += u32::from(is_cycle);
    }
}

/// How each block with `is_part` is lost; none for the others.
pub(super) fn lost(graph: &Graph, is_part: &[bool]) -> Vec<Option<Lost>> {
    let count = graph.nodes().len();
    let parts = || (0_u32..).take(count).filter(|node| is_part[*node as usize]);
    let mut has_holder = vec![false; count];
    for node in parts() {
        for target in graph.edges(node) {
            has_holder[*target as usize] |= *target != node;
        }
    }
    let mut components = Components::new(graph, is_part);
    for node in parts() {
        if components.order[node as usize] == UNSEEN {
            components.visit(node);
        }
    }
    let mut lost = vec![None; count];
    for node in parts() {
        lost[node as usize] = Some(match components.cycle_of[node as usize] {
            Some(cycle) => Lost::Cycle(cycle),
            None if has_holder[node as usize] => Lost::Indirectly,
            None => Lost::Directly,
        });
    }
    lost
}

#[cfg(test)]
mod tests {
    use super::super::graph::Node;
    use super::super::system::Memory;
    use super::*;

    #[test]
    fn lost_alone_through_others_and_in_circles() {
        // alone, holder -> held, one <-> other -> hanging
        let mut blocks: Vec<Box<[usize; 2]>> = (0..6).map(|_| Box::new([0; 2])).collect();
        let address = |of: usize, blocks: &[Box<[usize; 2]>]| blocks[of].as_ptr() as usize;
        for (from, to, word) in [(1, 2, 0), (3, 4, 0), (4, 3, 0), (4, 5, 1)] {
            blocks[from][word] = address(to, &blocks);
        }
        let nodes = blocks.iter().enumerate().map(|(stack, block)| {
            Node::tracked(block.as_ptr() as usize, 16, u32::try_from(stack).unwrap())
        });
        let graph = Graph::new(&Memory::open().unwrap(), nodes.collect());
        let lost = lost(&graph, &[true; 6]);
        let of = |stack: u32| {
            let index = graph
                .nodes()
                .iter()
                .position(|node| node.stack == Some(stack));
            lost[index.unwrap()]
        };
        let expected = [
            Lost::Directly,
            Lost::Directly,
            Lost::Indirectly,
            Lost::Cycle(0),
            Lost::Cycle(0),
            Lost::Indirectly,
        ];
        assert_eq!([0, 1, 2, 3, 4, 5].map(of), expected.map(Some));
    }
}
