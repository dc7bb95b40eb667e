//! The benchmark's loads on highwater above the system's allocator, outside every scope.

#![forbid(unsafe_code)]

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn main() {
    highwater_tests::load::main();
}
