//! [`Holder`]: who keeps alive what a scenario allocated.
//!
//! When the requested steps are done, with the state still alive, memory is searched the
//! way a conservative garbage collector does it: each word of each static, thread-local
//! and stack, and of each block that is met, is taken for a pointer if it is an address
//! inside of a block. What is found is the shortest path to each block; what is not
//! found, nobody can free any more.

#[cfg_attr(not(highwater_stacks), path = "holders/no_snapshot.rs")]
mod snapshot;

pub(crate) use snapshot::Snapshot;
use std::fmt;
use std::hint::black_box;

/// How a block is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Hold {
    /// A static, a thread-local, the scenario's state or a stack leads to it.
    Held,
    /// Nothing points to it: it is lost.
    Lost,
    /// Only lost blocks point to it.
    IndirectlyLost,
    /// It is lost, in a cycle of blocks that hold each other.
    Cycle,
    /// No root leads to it, but not everything could be searched.
    Unknown,
}

impl Hold {
    /// As in reports.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Lost => "lost",
            Self::IndirectlyLost => "indirectly lost",
            Self::Cycle => "cycle",
            Self::Unknown => "unknown",
        }
    }

    /// In words, in front of the path where there is one.
    fn how(self) -> &'static str {
        match self {
            Self::Held => "held by",
            Self::Lost => "unreachable: nothing points to them",
            Self::IndirectlyLost => "unreachable: only what is lost itself points to them:",
            Self::Cycle => "unreachable: a cycle of",
            Self::Unknown => "no holder was found in what could be searched",
        }
    }
}

/// [`Hold::how`], for a hold by its word in a report.
#[doc(hidden)]
pub fn how_held(word: &str) -> &'static str {
    let known = [Hold::Held, Hold::Lost, Hold::IndirectlyLost, Hold::Cycle];
    let hold = known.into_iter().find(|hold| hold.word() == word);
    hold.unwrap_or(Hold::Unknown).how()
}

/// What keeps blocks of one site alive, all by the same path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    pub(crate) hold: Hold,
    pub(crate) path: Vec<String>,
    pub(crate) blocks: u64,
    pub(crate) bytes: u64,
}

impl Holder {
    /// How they are held.
    pub fn hold(&self) -> Hold {
        self.hold
    }

    /// From the root to the blocks themselves, such as `static cache::PRICES`,
    /// `HashMap<String, f64>`, `String`. Of a cycle, one element with all types in it;
    /// of what is lost, from the first lost block on; empty if it is unknown.
    pub fn path(&self) -> &[String] {
        &self.path
    }

    /// How many blocks.
    pub fn blocks(&self) -> u64 {
        self.blocks
    }

    /// Their bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = self.hold.how();
        match self.hold {
            Hold::Lost | Hold::Unknown => f.write_str(how),
            _ => write!(f, "{how} {}", self.path.join(" → ")),
        }
    }
}

/// Where a scenario's state is, and its type.
#[derive(Clone, Copy, Debug)]
// Not needed where memory can't be searched.
#[allow(dead_code)]
pub(crate) struct State {
    address: usize,
    size: usize,
    type_name: &'static str,
    /// From here on, towards its start, this thread's stack is the scenario's and its
    /// callers'.
    stack: usize,
}

impl State {
    /// Of a state that lives in the frame of the caller.
    pub(crate) fn of<S>(state: &S) -> Self {
        // The state's own address would do, if it were not for what the compiler has put
        // below it, or made of a state without a size.
        let mark = black_box(0_u8);
        Self {
            address: (&raw const *state) as usize,
            size: size_of::<S>(),
            type_name: std::any::type_name::<S>(),
            stack: (&raw const mark) as usize,
        }
    }
}
