//! The benchmark's loads on divan's `AllocProfiler` above the system's allocator.
//! Outside one of divan's own benchmarks it looks for a tally and finds none, so
//! this is the least that it costs.

#![forbid(unsafe_code)]

#[global_allocator]
static ALLOC: divan::AllocProfiler = divan::AllocProfiler::system();

fn main() {
    highwater_tests::load::main();
}
