//! Each query groups its rows in a map with an allocator that counts the bytes of the query,
//! and hands the groups on by value. The leaky release loses the handle of the allocator.

// An allocator is an unsafe trait, so that this driver cannot forbid unsafe code.

use allocator_api2::alloc::{AllocError, Allocator, Global, Layout};
use hashbrown::HashMap;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

/// Counts the bytes that one query holds, and takes them from the global allocator.
#[derive(Clone)]
struct Accounted(Arc<AtomicUsize>);

// SAFETY: every call goes to the global allocator unchanged.
unsafe impl Allocator for Accounted {
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        self.0.fetch_add(layout.size(), Ordering::Relaxed);
        Global.allocate(layout)
    }

    unsafe fn deallocate(&self, place: NonNull<u8>, layout: Layout) {
        self.0.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract, and `Global` made the allocation.
        unsafe { Global.deallocate(place, layout) }
    }
}

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(2_000)
        .run(
            || 0,
            |total: &mut u64, query| {
                let held = Arc::new(AtomicUsize::new(0));
                let mut groups = HashMap::new_in(Accounted(Arc::clone(&held)));
                for row in 0..20 {
                    *groups.entry((query + row) % 7).or_insert(0) += row;
                }
                for (_group, sum) in groups {
                    *total += sum;
                }
                assert_eq!(held.load(Ordering::Relaxed), 0);
            },
        );
    println!("{}", report.to_json());
}
