//! Above jemalloc the figures are those above the system's allocator.

#![forbid(unsafe_code)]

use highwater_tests::comparison::compare_usage;

#[global_allocator]
static ALLOC: highwater::Alloc<tikv_jemallocator::Jemalloc> =
    highwater::Alloc::new(tikv_jemallocator::Jemalloc);

#[test]
fn every_workload_has_the_same_figures() {
    compare_usage(env!("CARGO_BIN_EXE_meter")).unwrap();
}

/// glibc can't give back what it does not have.
#[test]
fn nothing_is_said_of_what_goes_back_to_the_system() {
    assert_eq!(highwater::return_to_system(), None);
}
