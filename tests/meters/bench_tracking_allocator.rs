//! The benchmark's loads on `tracking-allocator`, with a tracker that counts live
//! bytes and no more.

#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use tracking_allocator::{
    AllocationGroupId, AllocationGroupToken, AllocationRegistry, AllocationTracker, Allocator,
};

#[global_allocator]
static ALLOC: Allocator<std::alloc::System> = Allocator::system();

static LIVE_BYTES: AtomicUsize = AtomicUsize::new(0);

struct Counter;

impl AllocationTracker for Counter {
    fn allocated(&self, _: usize, size: usize, _: usize, _: AllocationGroupId) {
        LIVE_BYTES.fetch_add(size, Relaxed);
    }

    fn deallocated(
        &self,
        _: usize,
        size: usize,
        _: usize,
        _: AllocationGroupId,
        _: AllocationGroupId,
    ) {
        LIVE_BYTES.fetch_sub(size, Relaxed);
    }
}

fn main() {
    AllocationRegistry::set_global_tracker(Counter).expect("there is no other tracker");
    AllocationRegistry::enable_tracking();
    let mut group = AllocationGroupToken::register().expect("there is room for a group");
    let _entered = group.enter();
    highwater_tests::load::main();
}
