//! The benchmark's loads on the system's allocator.

#![forbid(unsafe_code)]

#[global_allocator]
static ALLOC: std::alloc::System = std::alloc::System;

fn main() {
    highwater_tests::load::main();
}
