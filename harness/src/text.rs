//! How sizes, numbers, durations and tables are read and written.
//!
//! This is the lowest module beside `alloc`. It is written here, and small, so that the library
//! has no dependencies for it.

mod byte_size;
pub(crate) mod columns;
pub(crate) mod duration;
pub(crate) mod json;

pub(crate) use byte_size::{Blocks, Bound, Rate, RateWithin, Signed, Thousands};
pub use byte_size::{ByteSize, ByteSizeError};
