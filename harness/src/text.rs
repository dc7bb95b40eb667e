//! How sizes, numbers, durations and tables are read and written.
//!
//! This is the lowest module beside `alloc`. It is written here, and small, so that the library
//! has no dependencies for it.

mod byte_size;
pub(crate) mod columns;
pub(crate) mod duration;
pub(crate) mod fitted;
pub(crate) mod json;
#[cfg(any(highwater_glibc, highwater_holders))]
pub(crate) mod maps;
pub(crate) mod paths;
pub(crate) mod shell;
pub(crate) mod signature;
mod size;
pub(crate) mod sparkline;
mod units;

pub(crate) use byte_size::{Blocks, Bound, RateWithin, Steps};
pub use byte_size::{ByteSize, ByteSizeError, Rate, Thousands};
pub use size::Size;

/// What a scenario is called: its name, with the variant if there is one.
#[doc(hidden)]
pub fn full_name(name: &str, variant: Option<&str>) -> String {
    match variant {
        Some(variant) => format!("{name} ({variant})"),
        None => name.to_owned(),
    }
}

/// FNV-1a with 64 bits: the same on every system and in every version.
pub(crate) fn fnv1a(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}
