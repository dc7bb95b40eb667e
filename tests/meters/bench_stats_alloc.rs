//! The benchmark's loads on `stats_alloc` above the system's allocator.

#![forbid(unsafe_code)]

#[global_allocator]
static ALLOC: &stats_alloc::StatsAlloc<std::alloc::System> = &stats_alloc::INSTRUMENTED_SYSTEM;

fn main() {
    highwater_tests::load::main();
}
