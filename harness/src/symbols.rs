//! Names of functions in call stacks, of types, of statics and thread-locals.
//!
//! `diagnosis` and `holders` use them.

mod foreign;
mod frames;
mod short;
#[cfg(highwater_holders)]
mod statics;
mod text;

pub use foreign::{Located, frames_told, stack_told};
pub use frames::Frame;
pub(crate) use frames::{Named, Names, forget_files};
pub use short::plain;
#[cfg(highwater_holders)]
pub(crate) use statics::{Symbols, library};
pub(crate) use text::Stack;
// Not needed where tests are not given processes of their own.
#[allow(unused_imports)]
pub(crate) use text::stack_text;
