//! The counting library that `cargo highwater sweep` preloads into test binaries.
//!
//! The tool compiles this folder on its own, without dependencies; it is no module of the tool.
//! It defines C's `malloc` family and forwards to glibc's, so it sees what a dynamically linked
//! program allocates, Rust's `System` and C libraries alike. It counts requested bytes: each
//! block is longer than requested, and the last sixteen bytes of its usable area, the footer, hold
//! the requested size, a check, and the number of a call stack. A block without a valid footer
//! is foreign: glibc gave it out by another way. It is passed on and not counted.
//!
//! Nothing here allocates, takes a lock or panics, but for what it calls of C: glibc's own `malloc`
//! family; `__cxa_atexit` at the start; the unwinder, where call stacks are taken, and at the end;
//! a thread, where all of this is checked; and `__libc_freeres` at the end. When the process ends by
//! `exit` or by a return from `main`, what is left is searched for what is unreachable, and the
//! figures are written to the file that the environment names.
//!
//! Each of these uses only those before it:
//! - `system` declares what is called of C.
//! - `output` writes the file for the figures, and standard error.
//! - `stacks` has the call stacks that allocate, if they are asked for.
//! - `limit` ends a process that takes too much memory.
//! - `counts` has the figures.
//! - `memory` reads the memory of this process, and `addresses` has those of the live blocks.
//! - `blocks` knows the blocks, and `family` has C's functions that give them out.
//! - `caller` finds the function that ended the process, with its stack.
//! - `search` finds the blocks that nothing leads to any more.
//! - `check` finds out whether all of this holds on this machine.
//! - `process` is what happens at the start and at the end.

#![deny(unsafe_op_in_unsafe_fn)]

mod addresses;
mod blocks;
mod caller;
mod check;
mod counts;
mod family;
mod limit;
mod memory;
mod output;
mod process;
mod search;
mod stacks;
mod system;
