//! [`Figure`]: what is judged.

use std::fmt;

/// A figure that is judged.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Figure {
    /// Resident memory and what is swapped out, in bytes.
    Memory,
    /// Live bytes on the heap, where highwater's allocator is installed.
    Heap,
    /// Threads.
    Threads,
    /// Open descriptors.
    Descriptors,
    /// Live bytes of the component of this name.
    Component(String),
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.pad("memory"),
            Self::Heap => f.pad("heap"),
            Self::Threads => f.pad("threads"),
            Self::Descriptors => f.pad("descriptors"),
            Self::Component(name) => f.pad(name),
        }
    }
}
