//! Above mimalloc the figures are those above the system's allocator.

#![forbid(unsafe_code)]

use highwater_tests::comparison::compare_usage;

#[global_allocator]
static ALLOC: highwater::Alloc<mimalloc::MiMalloc> = highwater::Alloc::new(mimalloc::MiMalloc);

#[test]
fn every_workload_has_the_same_figures() {
    compare_usage(env!("CARGO_BIN_EXE_meter")).unwrap();
}

/// Its own figures are found though nobody asked for its statistics to be linked.
#[cfg(target_os = "linux")]
#[test]
fn mimalloc_tells_what_it_holds() {
    use highwater::__private::{jemalloc, mimalloc};
    let held = || mimalloc().expect("it is linked").held_bytes;
    let kept: Vec<_> = (0..500)
        .map(|_| std::hint::black_box(vec![1_u8; 100_000]))
        .collect();
    assert!(held() >= 50_000_000, "{}", held());
    assert_eq!(mimalloc().expect("it is linked").used_bytes, None);
    assert_eq!(jemalloc(), None);
    drop(kept);
}
