//! Above mimalloc the figures are those above the system's allocator.

#![forbid(unsafe_code)]

use highwater_tests::comparison::compare_usage;

#[global_allocator]
static ALLOC: highwater::Alloc<mimalloc::MiMalloc> = highwater::Alloc::new(mimalloc::MiMalloc);

#[test]
fn every_workload_has_the_same_figures() {
    compare_usage(env!("CARGO_BIN_EXE_meter")).unwrap();
}
