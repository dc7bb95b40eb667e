//! What the allocators of this process say of themselves: glibc's is there, and no other is.

#![cfg(all(target_os = "linux", target_env = "gnu"))]
#![forbid(unsafe_code)]

use highwater_monitor::Sample;
use std::hint::black_box;

#[test]
fn glibc_tells_and_those_that_are_not_linked_are_absent() {
    let kept: Vec<_> = (0..1_000).map(|_| black_box(vec![1_u8; 10_000])).collect();
    let allocators = Sample::of_this_process().allocators;
    assert_eq!(allocators.len(), 1, "{allocators:?}");
    let glibc = allocators[0];
    assert_eq!((glibc.name, glibc.fragmented_bytes), ("glibc", None));
    let used = glibc.used_bytes.expect("it counts that");
    assert!((10_000_000..=glibc.held_bytes).contains(&used), "{glibc:?}");
    drop(kept);
}
