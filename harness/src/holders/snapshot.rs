//! The contents of memory at one moment: the blocks, the pointers between them, and the roots.

mod area;
mod graph;
mod heap;
mod mapped;
mod paths;
mod roots;
mod search;
mod system;
mod threads;
mod unreachable;

use super::{Holder, State};
use crate::alloc::Trace;
use crate::symbols::{Names, Symbols, library};
use area::{Area, Kind, Thread};
use graph::{Graph, Node};
use heap::{Heap, heap};
use mapped::{are_still_there, mapped};
use roots::{Roots, roots};
use search::Seed;
use std::collections::HashMap;
use system::{Memory, Waiting, mappings, threads};

pub(crate) struct Snapshot {
    graph: Graph,
    roots: Roots,
    words: Vec<Word>,
    /// This thread's stack: where each frame starts, its lowest address, and where its
    /// function is to go on.
    frames: Vec<(usize, usize)>,
    state: State,
    is_complete: bool,
    unsearched_threads: usize,
}

impl Snapshot {
    /// Of the tracked blocks, as memory is now. It allocates, so call it outside of every
    /// scope.
    pub(crate) fn take(trace: &Trace, state: &State) -> Result<Self, String> {
        // Of another libc's threads and heap nothing is known.
        if !cfg!(target_env = "gnu") {
            return Err("they are looked for where the system's library is glibc".to_owned());
        }
        let cant = |error: std::io::Error| format!("this process can't be read: {error}");
        let memory = Memory::open().map_err(cant)?;
        let mappings = mappings().map_err(cant)?;
        let (waiting, running) = threads().map_err(cant)?;
        let mut stacks: Vec<_> = waiting.iter().map(|thread| thread.stack_pointer).collect();
        stacks.push(state.stack);
        let Heap {
            blocks: mut nodes,
            in_motion,
            taken,
        } = heap(&memory, &mappings, &stacks);
        let untracked = nodes.len();
        trace.for_each_block(|address, size, stack| {
            nodes.push(Node::tracked(address, size, stack));
        });
        let is_whole_heap = is_heap_of(&nodes[untracked..], &nodes[..untracked]);
        let graph = Graph::new(&memory, nodes);
        let mut roots = roots(&memory, &mappings, &waiting, state);
        let in_motion = in_motion.into_iter().map(|(start, end)| Area {
            start,
            end,
            kind: Kind::InMotion,
        });
        roots.areas.extend(in_motion);
        let mut is_complete = is_whole_heap && roots.are_all;
        // Of another allocator's heap it is not known what in it is in use.
        if is_whole_heap {
            let known = roots.known(taken.into_iter().chain(Trace::own_tables()));
            let mapped = mapped(&memory, &mappings, &known);
            is_complete &= mapped.are_all;
            roots.areas.extend(mapped.areas);
        }
        let (mut words, unread) = words(&memory, &graph, &roots.areas);
        let woken = woken(&waiting);
        words.retain(|(area, ..)| !is_of(&roots.areas[*area], &woken));
        let unsearched_threads = if trace.is_shared() {
            running + woken.len()
        } else {
            0
        };
        is_complete &= unsearched_threads == 0;
        is_complete &= !are_still_there(&unread, &system::mappings().map_err(cant)?);
        Ok(Self {
            graph,
            roots,
            words,
            frames: frames(),
            state: *state,
            is_complete,
            unsearched_threads,
        })
    }

    /// For each site its holders, those of most blocks first; `site_of` says which site a
    /// stack belongs to, and `types` what each site allocates.
    pub(crate) fn holders(
        &self,
        site_of: &[usize],
        types: &[String],
        names: &mut Names,
    ) -> Vec<Vec<Holder>> {
        let mut naming = Naming {
            snapshot: self,
            symbols: HashMap::new(),
        };
        let seed = |(area, address, node): &Word| {
            let area = &self.roots.areas[*area];
            let root = naming.name(area, *address, names)?;
            Some(Seed {
                node: *node,
                rank: rank(&area.kind, &root),
                root,
            })
        };
        let seeds: Vec<_> = self.words.iter().filter_map(seed).collect();
        search::holders(&self.graph, &seeds, (site_of, types), self.is_complete)
    }

    /// Threads of the scenario that could not be searched, because they were running.
    pub(crate) fn unsearched_threads(&self) -> usize {
        self.unsearched_threads
    }

    /// The function on this thread's stack in whose frame `address` lies, as the address that
    /// it was to go on at.
    fn frame_at(&self, address: usize) -> Option<usize> {
        let after = self.frames.partition_point(|(start, _)| *start <= address);
        self.frames[..after].last().map(|(_, address)| *address)
    }
}

/// A word of a root that points to a block: the number of the root, the address of the word,
/// and the block.
type Word = (usize, usize, u32);

/// All of them, and what could not be read.
fn words(memory: &Memory, graph: &Graph, areas: &[Area]) -> (Vec<Word>, Vec<usize>) {
    let (mut words, mut unread) = (Vec::new(), Vec::new());
    for (number, area) in areas.iter().enumerate() {
        let targets = graph.targets(memory, (area.start, area.end), &mut unread);
        // What lies in a block that is known is that block's.
        let may_be_block = matches!(area.kind, Kind::InMotion | Kind::Mapped(_));
        let is_in_block = |address| may_be_block && graph.find(address).is_some();
        let targets = targets.into_iter();
        let targets = targets.filter(|(address, _)| !is_in_block(*address));
        words.extend(targets.map(|(address, node)| (number, address, node)));
    }
    (words, unread)
}

/// Where the stacks were of threads that waited, and went on while they were read.
fn woken(waiting: &[Waiting]) -> Vec<usize> {
    let woken = waiting.iter().filter(|thread| !thread.still_waits());
    woken.map(|thread| thread.stack_pointer).collect()
}

/// Whether this is a part of a thread with one of these stacks.
fn is_of(area: &Area, stacks: &[usize]) -> bool {
    match area.kind {
        Kind::ThreadLocals(Thread::Waited(stack)) => stacks.contains(&stack),
        Kind::Stack(_) => stacks.contains(&area.start),
        _ => false,
    }
}

/// Whether the tracked blocks lie in the heap that was found, all but a few that
/// came and went meanwhile: then it is the one that the program allocates from, and was at
/// rest where they are.
fn is_heap_of(tracked: &[Node], heap: &[Node]) -> bool {
    let hidden = |node: &Node| !node.address();
    let mut starts: Vec<_> = heap.iter().map(hidden).collect();
    starts.sort_unstable();
    let is_start = |node: &&Node| starts.binary_search(&hidden(node)).is_ok();
    let found = tracked.iter().filter(is_start);
    found.count() * 100 >= tracked.len() * 99
}

fn rank(kind: &Kind, root: &str) -> usize {
    match kind {
        Kind::Statics { .. } => 0,
        Kind::ThreadLocals(Thread::Stays | Thread::Waited(_)) => 1,
        Kind::State => 2,
        Kind::Runtime => 3,
        // What the scenario's caller and closures have is often in frames of this library too.
        Kind::OwnStack if root != Names::OWN_STACK => 4,
        Kind::OwnStack => 5,
        Kind::Stack(_) => 6,
        // The addresses in it may be old.
        Kind::ThreadLocals(Thread::Runs) => 7,
        Kind::Mapped(_) => 8,
        Kind::InMotion => search::IN_MOTION,
    }
}

/// This thread's frames, the innermost first, which lies at the lowest addresses.
fn frames() -> Vec<(usize, usize)> {
    let mut frames = Vec::new();
    backtrace::trace(|frame| {
        frames.push((frame.sp() as usize, frame.ip() as usize));
        true
    });
    frames.sort_unstable();
    frames
}

/// Names for roots.
struct Naming<'a> {
    snapshot: &'a Snapshot,
    symbols: HashMap<usize, Symbols>,
}

impl Naming<'_> {
    /// The root's name; none if it is the search's own.
    fn name(&mut self, area: &Area, address: usize, names: &mut Names) -> Option<String> {
        let modules = &self.snapshot.roots.modules;
        Some(match &area.kind {
            Kind::Statics { object, shift } => {
                let module = &modules[*object];
                match self.symbols(*object).static_at(address - shift) {
                    Some(name) if is_of_diagnosis(&name) => return None,
                    Some(name) => format!("static {}", Names::of_static(&name)),
                    None if module.is_program => "a static without a name".to_owned(),
                    None => format!("a static of {}", library(&module.path)),
                }
            }
            Kind::ThreadLocals(_) => {
                let program = modules.iter().position(|module| module.is_program)?;
                let name = self.symbols(program);
                name.thread_local_before_end(area.end - address)
                    .map_or_else(
                        || "a thread-local without a name".to_owned(),
                        |name| format!("thread-local {}", Names::of_static(&name)),
                    )
            }
            Kind::State => format!("state {}", state_type(self.snapshot.state.type_name)),
            Kind::Runtime => "the scenario's own runtime".to_owned(),
            Kind::OwnStack => {
                let address = self.snapshot.frame_at(address);
                address.map_or_else(
                    || Names::OWN_STACK.to_owned(),
                    |address| names.place_on_stack(address),
                )
            }
            Kind::Stack(thread) => format!("stack of thread {thread}"),
            Kind::Mapped(name) => name.clone(),
            Kind::InMotion => search::UNTRACKED.to_owned(),
        })
    }

    fn symbols(&mut self, module: usize) -> &Symbols {
        let modules = &self.snapshot.roots.modules;
        self.symbols
            .entry(module)
            .or_insert_with(|| modules[module].symbols())
    }
}

/// Whether a static serves the search itself: the tables of this library, and of what
/// finds the names.
fn is_of_diagnosis(name: &str) -> bool {
    let path = name.trim_start_matches('<');
    ["highwater::", "backtrace::", "std::backtrace_rs::"]
        .iter()
        .any(|library| path.starts_with(library))
}

/// Without the runtime that stands around the state of an async scenario.
fn state_type(path: &str) -> String {
    let short = Names::of_type(path);
    let inner = short
        .strip_prefix("OnRuntime<")
        .and_then(|rest| rest.strip_suffix('>'));
    inner.map(str::to_owned).unwrap_or(short)
}

impl State {
    pub(super) fn end(&self) -> usize {
        self.address + self.size
    }

    /// Where what the scenario returned starts.
    pub(super) fn without_runtime(&self) -> usize {
        self.address + self.runtime
    }
}
