//! Allocators are asked for their figures on Linux alone.

/// An allocator's own figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beneath {
    /// Its name.
    pub name: &'static str,
    /// What it has from the system.
    pub held_bytes: u64,
    /// What it has handed out and not got back.
    pub used_bytes: Option<u64>,
    /// What is free on pages that are in use in part.
    pub fragmented_bytes: Option<u64>,
}

/// None.
pub fn glibc() -> Option<Beneath> {
    None
}

/// None.
pub fn jemalloc() -> Option<Beneath> {
    None
}

/// None.
pub fn mimalloc() -> Option<Beneath> {
    None
}
