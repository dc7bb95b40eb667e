//! The shortest retention paths from the roots to the blocks, and the blocks without one.
//!
//! The kinds of roots are searched one after the other. What a static holds would stay if the
//! state were dropped, so a static is named before a stack that points to the same block. Paths
//! through tracked blocks come first: untracked blocks may have been freed, and still contain
//! the addresses of what was in their memory before.

use super::graph::Graph;
use super::paths::{Path, Paths};
use super::unreachable::{Lost, lost};
use crate::holders::{Hold, Holder};
use std::collections::{HashMap, VecDeque};

/// Where a root points to.
pub(super) struct Seed {
    pub(super) node: u32,
    /// The kinds of roots are asked in this order.
    pub(super) rank: usize,
    /// The root's name.
    pub(super) root: String,
}

/// The rank of memory in which no blocks can be told apart; what only that leads to may
/// be held or not. It is asked at last.
pub(super) const IN_MOTION: usize = 9;

/// Which blocks a path may lead through.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Through {
    Tracked,
    All,
}

/// What an untracked block is called.
pub(super) const UNTRACKED: &str = "memory from outside of the run";

pub(super) struct Search<'a> {
    graph: &'a Graph,
    /// The site of each stack.
    site_of: &'a [usize],
    /// For each site, what it allocates.
    types: &'a [String],
    paths: Paths,
    /// For each site its element in paths, and whether that is text.
    elements: Vec<(u32, bool)>,
    /// The element of an untracked block.
    untracked: u32,
    path_of: Vec<Option<(Hold, Path)>>,
    queue: VecDeque<u32>,
}

fn is_text(type_name: &str) -> bool {
    matches!(type_name, "String" | "Vec<u8>" | "Box<str>" | "Box<[u8]>")
}

/// For each site its holders, those of most blocks first.
pub(super) fn holders(
    graph: &Graph,
    seeds: &[Seed],
    (site_of, types): (&[usize], &[String]),
    is_complete: bool,
) -> Vec<Vec<Holder>> {
    let mut paths = Paths::default();
    let element = |name: &String| (paths.element(name), is_text(name));
    let elements = types.iter().map(element).collect();
    let mut search = Search {
        graph,
        site_of,
        types,
        elements,
        untracked: paths.element(UNTRACKED),
        paths,
        path_of: vec![None; graph.nodes().len()],
        queue: VecDeque::new(),
    };
    search.reach(seeds);
    if is_complete {
        search.look_at_what_is_left();
    }
    search.grouped()
}

impl Search<'_> {
    fn reach(&mut self, seeds: &[Seed]) {
        for through in [Through::Tracked, Through::All] {
            for rank in 0..IN_MOTION {
                self.start(seeds, rank, Hold::Held, through);
            }
        }
        self.start(seeds, IN_MOTION, Hold::Unknown, Through::All);
    }

    fn start(&mut self, seeds: &[Seed], rank: usize, hold: Hold, through: Through) {
        for seed in seeds.iter().filter(|seed| seed.rank == rank) {
            let root = self.paths.element(&seed.root);
            let path = self.paths.from(root);
            self.step(path, seed.node, hold, through);
        }
        self.follow(through);
    }

    /// The block is held by what is at the end of `path`, unless a shorter one was found.
    fn step(&mut self, path: Path, node: u32, hold: Hold, through: Through) {
        let is_open = through == Through::All || self.graph.nodes()[node as usize].stack.is_some();
        if is_open && self.path_of[node as usize].is_none() {
            let element = self.element_of(node);
            let path = self.paths.then(path, element);
            self.path_of[node as usize] = Some((hold, path));
            self.queue.push_back(node);
        }
    }

    fn follow(&mut self, through: Through) {
        let graph = self.graph;
        while let Some(node) = self.queue.pop_front() {
            let Some((hold, path)) = self.path_of[node as usize] else {
                continue;
            };
            let hold = match hold {
                Hold::Held | Hold::Unknown => hold,
                Hold::Lost | Hold::IndirectlyLost | Hold::Cycle => Hold::IndirectlyLost,
            };
            // What is written in a text is no address.
            if self.site_of(node).is_some_and(|site| self.elements[site].1) {
                continue;
            }
            for target in graph.edges(node) {
                self.step(path, *target, hold, through);
            }
        }
    }

    fn site_of(&self, node: u32) -> Option<usize> {
        let stack = self.graph.nodes()[node as usize].stack?;
        let site = self.site_of.get(stack as usize).copied();
        site.filter(|site| *site < self.elements.len())
    }

    fn type_of(&self, node: u32) -> &str {
        let site = self.site_of(node);
        let name = site.and_then(|site| self.types.get(site));
        name.map_or(UNTRACKED, String::as_str)
    }

    fn element_of(&self, node: u32) -> u32 {
        let site = self.site_of(node);
        site.map_or(self.untracked, |site| self.elements[site].0)
    }

    fn look_at_what_is_left(&mut self) {
        let nodes = self.graph.nodes();
        let is_left: Vec<_> = nodes
            .iter()
            .zip(&self.path_of)
            .map(|(node, path)| node.stack.is_some() && path.is_none())
            .collect();
        if !is_left.contains(&true) {
            return;
        }
        let lost = lost(self.graph, &is_left);
        let cycles = self.names_of_cycles(&lost);
        // In this order: what hangs on a lost block is told by that.
        for (node, how) in (0_u32..).zip(&lost) {
            if *how == Some(Lost::Directly) {
                let element = self.element_of(node);
                self.path_of[node as usize] = Some((Hold::Lost, self.paths.from(element)));
                self.queue.push_back(node);
            }
        }
        for (node, how) in (0_u32..).zip(&lost) {
            if let Some(Lost::Cycle(number)) = how {
                let element = self.paths.element(&cycles[number]);
                self.path_of[node as usize] = Some((Hold::Cycle, self.paths.from(element)));
                self.queue.push_back(node);
            }
        }
        self.follow(Through::Tracked);
    }

    /// Each cycle by the types in it.
    fn names_of_cycles(&self, lost: &[Option<Lost>]) -> HashMap<u32, String> {
        let mut types: HashMap<u32, Vec<&str>> = HashMap::new();
        for (node, how) in (0_u32..).zip(lost) {
            if let Some(Lost::Cycle(number)) = how {
                let of_cycle = types.entry(*number).or_default();
                let name = self.type_of(node);
                if !of_cycle.contains(&name) {
                    of_cycle.push(name);
                }
            }
        }
        let named = types.into_iter().map(|(number, mut types)| {
            types.sort_unstable();
            (number, types.join(", "))
        });
        named.collect()
    }

    fn grouped(&self) -> Vec<Vec<Holder>> {
        let mut groups = HashMap::new();
        for (node, number) in self.graph.nodes().iter().zip(0_u32..) {
            if let Some(site) = self.site_of(number) {
                // By which way it can't be told is nothing to tell apart.
                let known = |(hold, _): &(Hold, Path)| *hold != Hold::Unknown;
                let key = (site, self.path_of[number as usize].filter(known));
                let (blocks, bytes) = groups.entry(key).or_insert((0_u64, 0_u64));
                *blocks += 1;
                *bytes += node.size as u64;
            }
        }
        let mut holders = vec![Vec::new(); self.types.len()];
        for ((site, found), (blocks, bytes)) in groups {
            let unknown = (Hold::Unknown, Vec::new());
            let (hold, path) =
                found.map_or(unknown, |(hold, path)| (hold, self.paths.elements(path)));
            holders[site].push(Holder {
                hold,
                path,
                blocks,
                bytes,
            });
        }
        for of_site in &mut holders {
            of_site.sort_by(|a, b| b.blocks.cmp(&a.blocks).then_with(|| a.path.cmp(&b.path)));
        }
        holders
    }
}
