//! The allocator's own promises: exact counts for any sequence of requests, and
//! nothing changed by a request that fails. What scopes and scenarios make of it
//! is tested where they are used.

use super::scopes::Record;
use super::*;
use crate::scope::Scope;
use proptest::prelude::*;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

#[global_allocator]
static ALLOC: Alloc = Alloc::system();

/// A request, as proptest makes them up. Places are taken modulo the number of
/// live blocks.
#[derive(Clone, Debug)]
enum Request {
    Allocate {
        size: usize,
        align_log2: u32,
        zeroed: bool,
    },
    Resize {
        place: usize,
        new_size: usize,
    },
    Free {
        place: usize,
    },
}

fn sizes() -> impl Strategy<Value = usize> {
    prop_oneof![
        0..64_usize,
        0..5_000_usize,
        4_090..4_100_usize,
        0..300_000_usize
    ]
}

fn requests() -> impl Strategy<Value = Vec<Request>> {
    let request = prop_oneof![
        3 => (sizes(), 0..=20_u32, any::<bool>())
            .prop_map(|(size, align_log2, zeroed)| Request::Allocate { size, align_log2, zeroed }),
        2 => (any::<usize>(), sizes())
            .prop_map(|(place, new_size)| Request::Resize { place, new_size }),
        2 => any::<usize>().prop_map(|place| Request::Free { place }),
    ];
    proptest::collection::vec(request, 1..120)
}

/// A live block, filled with one byte that tells it from others.
struct Block {
    start: *mut u8,
    layout: Layout,
    fill: u8,
}

impl Block {
    fn allocate(layout: Layout, zeroed: bool, fill: u8) -> Self {
        // SAFETY: `Alloc` gives zero-sized requests a footer's room, so no
        // layout is too small for it; the block is checked for null below.
        let start = unsafe {
            if zeroed {
                ALLOC.alloc_zeroed(layout)
            } else {
                ALLOC.alloc(layout)
            }
        };
        assert!(!start.is_null());
        assert_eq!(start as usize % layout.align(), 0);
        let block = Self {
            start,
            layout,
            fill,
        };
        if zeroed {
            block.assert_filled_with(0, layout.size());
        }
        block.fill_all();
        block
    }

    fn fill_all(&self) {
        // SAFETY: the block is live and has this many bytes.
        unsafe { ptr::write_bytes(self.start, self.fill, self.layout.size()) };
    }

    fn assert_filled_with(&self, byte: u8, bytes: usize) {
        // SAFETY: the block is live, initialised, and at least this long.
        let content = unsafe { std::slice::from_raw_parts(self.start, bytes) };
        assert!(content.iter().all(|found| *found == byte));
    }

    fn resize(&mut self, new_size: usize) {
        // SAFETY: the block is live with this layout; the size is small.
        let start = unsafe { ALLOC.realloc(self.start, self.layout, new_size) };
        assert!(!start.is_null());
        assert_eq!(start as usize % self.layout.align(), 0);
        let kept = self.layout.size().min(new_size);
        self.start = start;
        self.layout = Layout::from_size_align(new_size, self.layout.align()).unwrap();
        self.assert_filled_with(self.fill, kept);
        self.fill_all();
    }

    fn free(self) {
        self.assert_filled_with(self.fill, self.layout.size());
        // SAFETY: the block is live with this layout, and not used afterwards.
        unsafe { ALLOC.dealloc(self.start, self.layout) };
    }
}

/// What the figures must be, by plain sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Model {
    live_bytes: u64,
    live_blocks: u64,
    peak_bytes: u64,
    total_bytes: u64,
    total_blocks: u64,
    reallocations: u64,
}

impl Model {
    fn change(&mut self, before: usize, after: usize) {
        self.live_bytes = self.live_bytes - before as u64 + after as u64;
        self.peak_bytes = self.peak_bytes.max(self.live_bytes);
        self.total_bytes += after.saturating_sub(before) as u64;
    }

    fn of(scope: &Scope) -> Self {
        let usage = scope.usage();
        assert_eq!(usage.peak_error_bytes, 0);
        assert_eq!(usage.freed_bytes, usage.total_bytes - usage.live_bytes);
        Self {
            live_bytes: usage.live_bytes,
            live_blocks: usage.live_blocks,
            peak_bytes: usage.peak_bytes,
            total_bytes: usage.total_bytes,
            total_blocks: usage.total_blocks,
            reallocations: usage.reallocations,
        }
    }
}

/// Plays the requests in a scope of their own. The list of blocks has its room
/// beforehand, so nothing but the requests is counted.
fn play(requests: &[Request]) {
    let mut blocks: Vec<Block> = Vec::with_capacity(requests.len());
    let mut model = Model::default();
    let scope = Scope::enter("play");
    for (number, request) in requests.iter().enumerate() {
        match *request {
            Request::Allocate {
                size,
                align_log2,
                zeroed,
            } => {
                let layout = Layout::from_size_align(size, 1 << align_log2).unwrap();
                blocks.push(Block::allocate(layout, zeroed, number.to_le_bytes()[0] | 1));
                model.total_blocks += 1;
                model.live_blocks += 1;
                model.change(0, size);
            }
            Request::Resize { place, new_size } if !blocks.is_empty() => {
                let place = place % blocks.len();
                let old_size = blocks[place].layout.size();
                blocks[place].resize(new_size);
                model.reallocations += 1;
                model.change(old_size, new_size);
            }
            Request::Free { place } if !blocks.is_empty() => {
                let block = blocks.swap_remove(place % blocks.len());
                model.live_blocks -= 1;
                model.change(block.layout.size(), 0);
                block.free();
            }
            _ => {}
        }
        assert_eq!(
            Model::of(&scope),
            model,
            "after request {number}: {request:?}"
        );
    }
    for block in blocks.drain(..) {
        block.free();
    }
    assert_eq!(scope.usage().live_bytes, 0);
    assert_eq!(scope.usage().live_blocks, 0);
}

proptest! {
    #[test]
    fn any_sequence_is_counted_to_the_byte(requests in requests()) {
        play(&requests);
    }
}

#[test]
fn the_figures_do_not_depend_on_being_read() {
    let scope = Scope::enter("unread");
    let mut kept = [ptr::null_mut(); 100];
    let layout = Layout::from_size_align(1_000, 8).unwrap();
    for slot in &mut kept {
        // SAFETY: the layout is not empty.
        *slot = unsafe { ALLOC.alloc(layout) };
    }
    for slot in kept {
        // SAFETY: each was allocated above with this layout.
        unsafe { ALLOC.dealloc(slot, layout) };
    }
    let usage = scope.usage();
    assert_eq!((usage.peak_bytes, usage.live_bytes), (100_000, 0));
    assert_eq!((usage.total_blocks, usage.freed_blocks), (100, 100));
}

/// An allocator that has no memory left when told so.
struct Failing(AtomicBool);

// SAFETY: passes everything on to `System`, or returns null, which is allowed.
unsafe impl GlobalAlloc for Failing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if self.0.load(SeqCst) {
            return ptr::null_mut();
        }
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(block, layout) };
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if self.0.load(SeqCst) {
            return ptr::null_mut();
        }
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(block, layout, new_size) }
    }
}

#[test]
fn a_request_that_fails_changes_nothing() {
    static FAILING: Alloc<Failing> = Alloc::new(Failing(AtomicBool::new(false)));
    let layout = Layout::from_size_align(100, 8).unwrap();
    let scope = Scope::enter("failing");
    // SAFETY: the layout is not empty; the block is used and freed as allocated.
    unsafe {
        let block = FAILING.alloc(layout);
        block.write_bytes(7, 100);
        let before = scope.usage();

        FAILING.inner.0.store(true, SeqCst);
        assert!(FAILING.alloc(layout).is_null());
        assert!(FAILING.alloc_zeroed(layout).is_null());
        assert!(FAILING.realloc(block, layout, 200).is_null());
        assert_eq!(scope.usage(), before);

        FAILING.inner.0.store(false, SeqCst);
        let block = FAILING.realloc(block, layout, 200);
        assert_eq!(block.add(99).read(), 7);
        assert_eq!(scope.usage().live_bytes, 200);
        FAILING.dealloc(block, Layout::from_size_align(200, 8).unwrap());
    }
    assert_eq!(scope.usage().live_blocks, 0);
    assert_eq!(scope.usage().overruns, 0);
}

#[test]
fn a_request_too_large_for_its_footer_fails() {
    let scope = Scope::enter("huge");
    let huge = Layout::from_size_align(isize::MAX as usize, 1).unwrap();
    let small = Layout::from_size_align(8, 1).unwrap();
    // SAFETY: the layouts are not empty; the block is freed as allocated. The
    // requests are refused before they reach the system.
    unsafe {
        assert!(ALLOC.alloc(huge).is_null());
        assert!(ALLOC.alloc_zeroed(huge).is_null());
        let block = ALLOC.alloc(small);
        assert!(ALLOC.realloc(block, small, isize::MAX as usize).is_null());
        ALLOC.dealloc(block, small);
    }
    let usage = scope.usage();
    assert_eq!((usage.total_blocks, usage.live_blocks), (1, 0));
}

#[test]
fn a_write_past_the_end_is_noticed_and_names_the_owner() {
    let scope = Scope::enter("careless");
    let layout = Layout::from_size_align(24, 8).unwrap();
    // SAFETY: the byte behind the block is the footer's, so the memory is ours;
    // that it is overwritten is what this test is about.
    unsafe {
        let block = ALLOC.alloc(layout);
        block.add(24).write(0);
        ALLOC.dealloc(block, layout);
    }
    assert_eq!(scope.usage().overruns, 1);
    let overruns = scope.overruns().unwrap();
    assert_eq!(overruns.first_size_bytes, 24);
    assert_eq!(overruns.first_owner.as_deref(), Some("careless"));
}

#[test]
fn a_footer_of_noise_is_never_followed() {
    let scope = Scope::enter("noise");
    let layout = Layout::from_size_align(24, 8).unwrap();
    for noise in [
        [0xFF; 4],
        [0; 4],
        [0xA5, 0xFF, 0xFF, 0xFF],
        [0xA5, 0xF0, 0xFF, 0x0F],
    ] {
        // SAFETY: the four bytes behind the block are the footer's.
        unsafe {
            let block = ALLOC.alloc(layout);
            ptr::copy_nonoverlapping(noise.as_ptr(), block.add(24), 4);
            ALLOC.dealloc(block, layout);
        }
    }
    assert_eq!(scope.usage().overruns, 4);
    assert_eq!(scope.overruns().unwrap().first_owner, None);
}

#[test]
fn ended_scopes_without_live_blocks_are_used_again() {
    let tags_used = || {
        scopes::open("probe", &scopes::ROOT)
            .map(Record::tag_and_close)
            .unwrap()
    };
    let before = tags_used();
    for _ in 0..20_000 {
        drop(Scope::enter("short"));
    }
    // Other tests open scopes meanwhile, but not thousands.
    assert!(tags_used() < before + 2_000);
}

impl Record {
    fn tag_and_close(&'static self) -> u32 {
        scopes::close(self);
        self.tag()
    }
}

/// Nothing lives in the outer one and no thread stands in it, but what the inner
/// one allocates later is credited to it.
#[test]
fn an_ended_scope_is_not_used_again_while_one_inside_it_is_open() {
    let mut others = Vec::with_capacity(300);
    let outer = Scope::enter("outer");
    let inner = Scope::enter("inner");
    drop(outer);
    for _ in 0..300 {
        others.push(unscoped(|| {
            OpenScope::enter("other").expect("few are open")
        }));
    }
    let block = std::hint::black_box(Box::new([0_u8; 5_000]));
    assert_eq!(inner.live(), (5_000, 1));
    for other in others {
        assert_eq!(other.live(), (0, 0));
        unscoped(|| other.leave());
    }
    drop(block);
}

#[test]
fn threads_that_come_and_go_share_ledgers() {
    let scope = Scope::enter("storm");
    for _ in 0..500 {
        std::thread::spawn(|| drop(vec![0_u8; 10_000]))
            .join()
            .unwrap();
    }
    // Each handle's blocks are freed by now; the threads' own belong to no scope.
    assert_eq!(scope.usage().live_blocks, 0);
    assert!(ledger::count() < 300, "{}", ledger::count());
}
