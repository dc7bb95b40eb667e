//! The figures of Rust are the same with the feature `c-heap` and without, and reports say
//! whether C's are among them.

#![forbid(unsafe_code)]
#![cfg(all(
    target_os = "linux",
    target_env = "gnu",
    any(target_arch = "x86_64", target_arch = "aarch64"),
    not(target_feature = "crt-static")
))]

use highwater::{Alloc, Scenario, Scope, measure};
use std::hint::black_box;

#[global_allocator]
static ALLOC: Alloc = Alloc::system();

/// A value whose drop the thread has to be told of.
struct Dropped(Vec<u8>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.clear();
    }
}

thread_local! {
    static OF_THREAD: Dropped = Dropped(vec![1; 70]);
}

#[test]
fn the_figures_of_rust_are_the_same_with_the_feature_and_without() {
    let scope = Scope::enter("rust");
    let mut kept = vec![0_u8; 1_000];
    for length in [5, 5_000, 500_000, 50] {
        kept.resize(length, 1);
        kept.shrink_to_fit();
    }
    drop(black_box(vec![0_u64; 3_000]));
    let aligned = black_box(Box::new(Aligned([7; 256])));
    let usage = scope.usage();
    assert_eq!((usage.live_bytes, usage.live_blocks), (50 + 256, 2));
    assert_eq!(usage.peak_bytes, 500_000);
    assert_eq!((usage.total_bytes, usage.total_blocks), (525_251, 3));
    assert_eq!(usage.reallocations, 4);
    drop((kept, aligned));
    assert_eq!(scope.usage().live_bytes, 0);
}

#[test]
fn a_thread_that_has_ended_leaves_nothing_behind() {
    let thread = || {
        let spawned = std::thread::Builder::new().spawn(|| OF_THREAD.with(|own| own.0.len()));
        let joined = spawned.expect("it starts").join();
        assert_eq!(joined.expect("it does not panic"), 70);
    };
    measure(thread);
    let ((), usage) = measure(thread);
    assert_eq!((usage.live_bytes, usage.live_blocks), (0, 0), "{usage:?}");
}

#[repr(align(128))]
struct Aligned([u8; 256]);

impl Drop for Aligned {
    fn drop(&mut self) {
        assert!(self.0.iter().all(|byte| *byte == 7));
    }
}

#[test]
fn reports_say_whether_the_heap_of_c_is_counted() {
    let report = Scenario::new("coverage").steps(1).run(|| (), |(), _| ());
    let not_judged = report.coverage().not_judged();
    let is_missing = not_judged.iter().any(|(figure, _)| *figure == "C's heap");
    assert_eq!(is_missing, cfg!(not(feature = "c-heap")));
    let words = if is_missing {
        "not what C allocates"
    } else {
        "what C allocates, too"
    };
    assert!(report.to_string().contains(words), "{report}");
}
