//! Where the stacks and thread-locals of threads are.
//!
//! glibc keeps its record of a thread at the upper end of the thread's stack, behind its
//! thread-locals. The search finds the records of threads that run, and of some that have ended:
//! glibc keeps their stacks for later threads, and old addresses are still in them.

use super::area::{Area, Kind, Thread};
use super::system::{Buffer, Mapping, Memory, PAGE, Waiting, own_thread};
use crate::holders::State;

/// How much space thread-locals take.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    /// Of the program itself.
    pub(super) own: usize,
    /// Of it and all libraries, at most.
    pub(super) all: usize,
}

/// What was found of threads.
pub(super) struct Threads {
    pub(super) stacks: Vec<Area>,
    /// Where each thread's thread-locals end and what glibc knows of it begins.
    pub(super) pointers: Vec<(usize, Thread)>,
    /// Where nothing else is to be looked for: whole stacks, and thread-locals.
    pub(super) taken: Vec<(usize, usize)>,
}

/// What the processor's register for thread-locals points to is a structure of about this
/// size.
const DESCRIPTION: usize = 0x900;
/// Where in it the thread's number is, which is 0 when the thread has ended. It is never
/// relied on before it was found to be right for this thread.
const NUMBER: usize = 720;

/// This thread's stack from the scenario's frames on, and the stacks of threads that wait.
pub(super) fn threads(
    memory: &Memory,
    mappings: &[Mapping],
    waiting: &[Waiting],
    state: &State,
    sizes: Sizes,
) -> Threads {
    let mut found = Threads {
        stacks: Vec::new(),
        pointers: Vec::new(),
        taken: Vec::new(),
    };
    let mut add = |kind: Kind, thread: Thread, start: usize| {
        let Some(mapping) = mappings.iter().find(|mapping| mapping.contains(start)) else {
            return;
        };
        let pointer = thread_pointer(memory, start, mapping.end);
        let stack = pointer.and_then(|pointer| stack_of(memory, pointer));
        let lowest = stack.filter(|lowest| (mapping.start..=start).contains(lowest));
        let taken_to = pointer.unwrap_or(mapping.end);
        let end = pointer.map_or(mapping.end, |pointer| pointer.saturating_sub(sizes.all));
        found
            .pointers
            .extend(pointer.map(|pointer| (pointer, thread)));
        found
            .taken
            .push((lowest.unwrap_or(mapping.start), taken_to));
        found.stacks.push(Area { start, end, kind });
    };
    add(Kind::OwnStack, Thread::Stays, state.stack);
    for thread in waiting {
        let stack = thread.stack_pointer;
        add(
            Kind::Stack(thread.name.clone()),
            Thread::Waited(stack),
            stack,
        );
    }
    for mapping in mappings {
        if may_be_first_thread(mapping, sizes.all) {
            let pointer = thread_pointer(memory, mapping.start, mapping.end);
            let pointer = pointer.map(|pointer| (pointer, Thread::Stays));
            found.pointers.extend(pointer);
        }
    }
    found.pointers.sort_by_key(|(pointer, _)| *pointer);
    found.pointers.dedup_by_key(|(pointer, _)| *pointer);
    for (pointer, _) in &found.pointers {
        found
            .taken
            .push((pointer.saturating_sub(sizes.all), *pointer));
    }
    found
}

/// The first thread's thread-locals are not on its stack.
fn may_be_first_thread(mapping: &Mapping, all_thread_locals: usize) -> bool {
    let largest = all_thread_locals.saturating_add(64 << 10);
    mapping.is_data() && mapping.name.is_empty() && mapping.end - mapping.start <= largest
}

/// A thread of which only its description was found: it runs, or has ended.
pub(super) struct Other {
    pub(super) pointer: usize,
    /// Where its stack starts, its lowest address.
    pub(super) lowest: usize,
    pub(super) has_ended: bool,
}

/// Those in a part of memory. `known` are the pointers of other threads.
pub(super) fn others(memory: &Memory, (start, end): (usize, usize), known: &[usize]) -> Vec<Other> {
    let own = own_thread();
    let tells_number = known
        .iter()
        .any(|pointer| own.is_some() && number(memory, *pointer) == own);
    let mut others = Vec::new();
    let mut address = start;
    while let Some(pointer) = thread_pointer(memory, address, end) {
        if let (false, Some(lowest)) = (known.contains(&pointer), stack_of(memory, pointer)) {
            others.push(Other {
                pointer,
                lowest,
                has_ended: tells_number && number(memory, pointer) == Some(0),
            });
        }
        address = pointer + 1;
    }
    others
}

fn number(memory: &Memory, pointer: usize) -> Option<u32> {
    let mut bytes = [0; 4];
    let length = memory.read(pointer + NUMBER, &mut bytes);
    (length == bytes.len()).then(|| u32::from_ne_bytes(bytes))
}

/// Where the stack starts at whose upper end the thread's description is: it says where, and
/// how large it is. None if it is no such description.
fn stack_of(memory: &Memory, pointer: usize) -> Option<usize> {
    const FARTHEST_END: usize = 0x10000;
    let mut buffer = Buffer::new(DESCRIPTION);
    let length = memory.read(pointer, &mut buffer);
    let words: Vec<_> = buffer[..length]
        .chunks_exact(8)
        .map(|bytes| bytes.try_into().map_or(0, usize::from_ne_bytes))
        .collect();
    let is_stack = |pair: &&[usize]| {
        let (lowest, size) = (pair[0], pair[1]);
        let end = lowest.saturating_add(size);
        let is_complete = lowest > 0 && lowest % PAGE == 0 && size % PAGE == 0;
        is_complete && lowest < pointer && (pointer..pointer + FARTHEST_END).contains(&end)
    };
    words.windows(2).find(is_stack).map(|pair| pair[0])
}

/// What the processor's register for thread-locals points to: a structure that starts
/// with its own address, and has it once more two words on. They end there.
fn thread_pointer(memory: &Memory, start: usize, end: usize) -> Option<usize> {
    const ALIGNMENT: usize = 64;
    let mut buffer = Buffer::new(1 << 16);
    let mut address = start.next_multiple_of(ALIGNMENT);
    while address < end {
        let wanted = buffer.len().min(end - address);
        let length = memory.read(address, &mut buffer[..wanted]);
        let word = |at: usize| {
            let bytes = buffer[..length].get(at..at + 8)?;
            Some(usize::from_ne_bytes(bytes.try_into().ok()?))
        };
        let is_it =
            |at: &usize| word(*at) == Some(address + at) && word(at + 16) == Some(address + at);
        if let Some(at) = (0..length).step_by(ALIGNMENT).find(is_it) {
            return Some(address + at);
        }
        if length < wanted {
            return None;
        }
        // The two words lie within one multiple of the alignment.
        address += length;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::system::mappings;
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn a_thread_is_found_by_what_glibc_knows_of_it() {
        let (tell, told) = mpsc::channel();
        let (end, ended) = mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            let mark = 0_u8;
            tell.send((&raw const mark) as usize).unwrap();
            let _ = ended.recv();
        });
        let mark = told.recv().unwrap();
        let memory = Memory::open().unwrap();
        let here = 0_u8;
        let mappings = mappings().unwrap();
        let mapping_of = |address: usize| {
            let mut all = mappings.iter();
            all.find(|mapping| mapping.contains(address)).unwrap()
        };
        let of = |address: usize| {
            let pointer = thread_pointer(&memory, address, mapping_of(address).end);
            pointer.expect("not the first thread")
        };
        let own = of((&raw const here) as usize);
        assert_eq!(number(&memory, own), own_thread());
        let part = (mark, mapping_of(mark).end);
        let found = others(&memory, part, &[own]);
        assert!(!found[0].has_ended);
        assert_eq!(found[0].pointer, of(mark));
        let lowest = found[0].lowest;
        assert!(lowest < mark && mark - lowest < 64 << 20, "{lowest:#x}");
        drop(end);
        thread.join().unwrap();
    }
}
