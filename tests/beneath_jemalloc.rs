//! Above jemalloc the figures are those above the system's allocator.

#![forbid(unsafe_code)]

use highwater::{Hold, Scenario};
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

/// Its blocks are told apart where they are tracked, and what was allocated before is
/// not: nothing can be called lost.
#[test]
fn what_has_no_holder_is_not_called_lost() {
    let report = Scenario::new("lost")
        .steps(200)
        .run(|| (), |(), i| std::mem::forget(format!("{i:020}")));
    let diagnosis = report.diagnosis().expect("it failed, on Linux");
    let site = &diagnosis.sites()[0];
    let holders = site.holders().expect("this is Linux");
    assert_eq!(holders[0].hold(), Hold::Unknown, "{diagnosis}");
    let expected = "    no holder was found in what could be searched, ";
    assert!(site.to_string().contains(expected), "{site}");
    assert!(
        !diagnosis.to_string().contains("unreachable"),
        "{diagnosis}"
    );
}
