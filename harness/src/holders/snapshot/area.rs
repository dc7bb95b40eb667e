//! Parts of memory that are not blocks, and who owns them.

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
    ThreadLocals(Thread),
    State,
    /// Of an async scenario, which stands around the state.
    Runtime,
    OwnStack,
    /// Of the thread with this name.
    Stack(String),
    /// What the program has mapped itself, by this name.
    Mapped(String),
    /// Memory of which it is not known what is in use: a part of the heap in which no blocks
    /// can be told apart, the stack of a thread that runs, and the system's statics.
    InMotion,
}

/// Whose thread-locals are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thread {
    /// They stay while they are read: this thread's, and the first one's.
    Stays,
    /// It waited where its stack was at this address.
    Waited(usize),
    /// It runs, and may be about to end. What its thread-locals held is freed then, and the
    /// addresses stay in them.
    Runs,
}

/// What of some ranges lies in none of the others.
pub(super) fn without(ranges: &[(usize, usize)], others: &[(usize, usize)]) -> Vec<(usize, usize)> {
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
