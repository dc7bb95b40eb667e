//! The benchmark's loads on `peakmem-alloc` above the system's allocator.

#![forbid(unsafe_code)]

#[global_allocator]
static ALLOC: &peakmem_alloc::PeakMemAlloc<std::alloc::System> =
    &peakmem_alloc::INSTRUMENTED_SYSTEM;

fn main() {
    highwater_tests::load::main();
}
