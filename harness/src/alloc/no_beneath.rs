//! Allocators are asked for their figures on Linux alone.

use super::Beneath;

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
