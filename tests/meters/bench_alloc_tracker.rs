//! The benchmark's loads on `alloc_tracker`, measuring the whole process.

#![forbid(unsafe_code)]

#[global_allocator]
static ALLOC: alloc_tracker::Allocator<std::alloc::System> = alloc_tracker::Allocator::system();

fn main() {
    let session = alloc_tracker::Session::new().no_stdout().no_file();
    let operation = session.operation("load");
    let _span = operation.measure_process().iterations(1);
    highwater_tests::load::main();
}
