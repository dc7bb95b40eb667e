//! How sizes, numbers, durations and tables are read and written.
//!
//! The lowest room beside `alloc`: nothing in here knows what it is used for. Small, and
//! written here, so that the library stays without dependencies.

mod byte_size;
pub(crate) mod columns;
pub(crate) mod duration;
pub(crate) mod json;

pub(crate) use byte_size::{Blocks, Bound, Rate, RateWithin, Signed, Thousands};
pub use byte_size::{ByteSize, ByteSizeError};
