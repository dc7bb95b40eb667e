//! The benchmark's loads on `cap` above the system's allocator.

#![forbid(unsafe_code)]

#[global_allocator]
static ALLOC: cap::Cap<std::alloc::System> = cap::Cap::new(std::alloc::System, usize::MAX);

fn main() {
    highwater_tests::load::main();
}
