//! The benchmark's loads on dhat, with its profiler on.

#![forbid(unsafe_code)]

#[global_allocator]
static ALLOC: dhat::Alloc = dhat::Alloc;

fn main() {
    let _profiler = dhat::Profiler::builder().testing().build();
    highwater_tests::load::main();
}
