//! Calls C's whole `malloc` family on two threads that Rust does not know, keeps its own count,
//! and prints what the counting library must have counted. Compiled by `ci/tests/sweep.rs`.

use std::ffi::{c_char, c_int, c_void};
use std::ptr;

type Start = extern "C" fn(*mut c_void) -> *mut c_void;

// SAFETY: these are the signatures that glibc documents.
unsafe extern "C" {
    fn malloc(size: usize) -> *mut c_void;
    fn calloc(count: usize, size: usize) -> *mut c_void;
    fn realloc(block: *mut c_void, size: usize) -> *mut c_void;
    fn reallocarray(block: *mut c_void, count: usize, size: usize) -> *mut c_void;
    fn free(block: *mut c_void);
    fn memalign(alignment: usize, size: usize) -> *mut c_void;
    fn aligned_alloc(alignment: usize, size: usize) -> *mut c_void;
    fn posix_memalign(block: *mut *mut c_void, alignment: usize, size: usize) -> c_int;
    fn valloc(size: usize) -> *mut c_void;
    fn pvalloc(size: usize) -> *mut c_void;
    fn malloc_usable_size(block: *mut c_void) -> usize;
    fn strdup(text: *const c_char) -> *mut c_char;
    fn pthread_create(
        thread: *mut usize,
        attributes: *const c_void,
        start: Start,
        argument: *mut c_void,
    ) -> c_int;
    fn pthread_join(thread: usize, result: *mut *mut c_void) -> c_int;
    fn __errno_location() -> *mut c_int;
    #[link_name = "__libc_malloc"]
    fn foreign(size: usize) -> *mut c_void;
}

const ENOMEM: c_int = 12;
const EINVAL: c_int = 22;
const PAGE: usize = 4096;

/// What was allocated, by the arguments.
#[derive(Default)]
struct Count {
    live: usize,
    peak: usize,
    total: usize,
    live_blocks: usize,
    blocks: usize,
}

impl Count {
    /// A block came, with so many bytes, at such an address.
    fn came(&mut self, block: *mut c_void, size: usize, alignment: usize) -> *mut c_void {
        assert!(!block.is_null() && block.addr().is_multiple_of(alignment));
        // SAFETY: the block is new, and `size` bytes of it may be written.
        unsafe {
            assert!(malloc_usable_size(block) >= size);
            ptr::write_bytes(block.cast::<u8>(), 0xAB, malloc_usable_size(block));
        }
        self.blocks += 1;
        self.live_blocks += 1;
        self.rise(size);
        block
    }

    fn rise(&mut self, size: usize) {
        self.live += size;
        self.total += size;
        self.peak = self.peak.max(self.live);
    }

    fn went(&mut self, block: *mut c_void, size: usize) {
        self.live -= size;
        self.live_blocks -= 1;
        // SAFETY: the block is given up here.
        unsafe { free(block) };
    }
}

fn refused(block: *mut c_void) {
    // SAFETY: it points to this thread's `errno`.
    let error = unsafe { *__errno_location() };
    assert!(block.is_null() && error == ENOMEM, "{error}");
}

/// Each way to get a block, in many sizes; a part of the blocks stays.
fn allocations(count: &mut Count) {
    // No list of Rust's, which the library would count too.
    let mut kept = [(ptr::null_mut(), 0); 207];
    let sizes = (0..200).chain([1_000, 4_095, 4_096, 100_000, 131_064, 200_000, 5_000_000]);
    for (at, size) in sizes.enumerate() {
        // SAFETY: each block is written within its size, and freed once.
        unsafe {
            let zeroed = calloc(size, 3);
            let bytes = std::slice::from_raw_parts(zeroed.cast::<u8>(), size * 3);
            assert!(bytes.iter().all(|byte| *byte == 0));
            let mut aligned = ptr::null_mut();
            assert_eq!(posix_memalign(&mut aligned, 64, size), 0);
            let pages = size.next_multiple_of(PAGE);
            let new = [
                (malloc(size), size, 16),
                (zeroed, size * 3, 16),
                (memalign(256, size), size, 256),
                (aligned_alloc(32, size), size, 32),
                (aligned, size, 64),
                (valloc(size), size, PAGE),
                (pvalloc(size), pages, PAGE),
                (realloc(ptr::null_mut(), size), size, 16),
                (reallocarray(ptr::null_mut(), size, 2), size * 2, 16),
            ];
            let new =
                new.map(|(block, size, alignment)| (count.came(block, size, alignment), size));
            kept[at] = new[at % new.len()];
            for (block, size) in new {
                if block != kept[at].0 {
                    count.went(block, size);
                }
            }
        }
    }
    for (block, size) in &kept[10..] {
        count.went(*block, *size);
    }
}

/// Blocks that change their size, and keep what is in them.
fn resizes(count: &mut Count) {
    // SAFETY: each block is read and written within its size, and freed once.
    unsafe {
        let mut size = 1;
        let mut block = count.came(malloc(size), size, 16);
        for next in [24, 25, 8, 3_000, 100, 1_000_000, 3_000_000, 50, 1] {
            let kept = size.min(next);
            ptr::write_bytes(block.cast::<u8>(), next as u8, size);
            block = if next % 2 == 0 {
                realloc(block, next)
            } else {
                reallocarray(block, next, 1)
            };
            let bytes = std::slice::from_raw_parts(block.cast::<u8>(), kept);
            assert!(bytes.iter().all(|byte| *byte == next as u8));
            if next > size {
                count.rise(next - size);
            } else {
                count.live -= size - next;
            }
            size = next;
        }
        // What fails changes nothing.
        refused(realloc(block, usize::MAX));
        refused(realloc(block, isize::MAX as usize - 4));
        refused(reallocarray(block, usize::MAX, 2));
        assert!(realloc(block, 0).is_null());
        count.live -= size;
        count.live_blocks -= 1;
    }
}

/// What glibc refuses, and what it gave out by another way.
fn failures_and_foreign_blocks() {
    // SAFETY: what is refused is no block; what is not is freed once.
    unsafe {
        for size in [
            usize::MAX,
            usize::MAX - 7,
            usize::MAX - 8,
            isize::MAX as usize - 4,
        ] {
            refused(malloc(size));
            refused(calloc(1, size));
            refused(memalign(64, size));
            refused(valloc(size));
            refused(pvalloc(size));
            let mut block = ptr::null_mut();
            assert_eq!(posix_memalign(&mut block, 64, size), ENOMEM);
            assert!(block.is_null());
        }
        refused(calloc(usize::MAX, 2));
        refused(calloc(1 << 33, 1 << 33));
        let mut block = ptr::null_mut();
        for alignment in [0, 4, 24] {
            assert_eq!(posix_memalign(&mut block, alignment, 8), EINVAL);
        }
        free(ptr::null_mut());
        assert_eq!(malloc_usable_size(ptr::null_mut()), 0);
        for size in [0, 24, 100, 1_000_000] {
            let block = foreign(size);
            assert!(malloc_usable_size(block) >= size);
            ptr::write_bytes(block.cast::<u8>(), 0xFF, malloc_usable_size(block));
            free(realloc(block, size * 2 + 1));
        }
    }
}

extern "C" fn whole_family(_: *mut c_void) -> *mut c_void {
    let mut count = Count::default();
    allocations(&mut count);
    resizes(&mut count);
    failures_and_foreign_blocks();
    // SAFETY: the text ends with a zero.
    let text = unsafe { strdup(c"twelve bytes".as_ptr()) };
    count.came(text.cast(), 13, 16);
    println!(
        "family {} {} {} {} {}",
        count.peak, count.total, count.blocks, count.live, count.live_blocks
    );
    ptr::null_mut()
}

/// Many small blocks, half of which stay, for totals over threads.
extern "C" fn small_blocks(_: *mut c_void) -> *mut c_void {
    for size in 0..50_000_usize {
        // SAFETY: the block is freed once.
        unsafe {
            let block = std::hint::black_box(malloc(size % 100));
            if size % 2 == 0 {
                free(block);
            }
        }
    }
    ptr::null_mut()
}

fn main() {
    // The main thread's buffer, before others print.
    println!("begin");
    let several = std::env::args().nth(1).is_some();
    let starts: &[Start] = if several {
        &[small_blocks as Start; 4]
    } else {
        &[whole_family]
    };
    let mut threads = [0; 4];
    // SAFETY: the threads are joined, once each.
    unsafe {
        for (thread, start) in threads.iter_mut().zip(starts) {
            assert_eq!(
                pthread_create(thread, ptr::null(), *start, ptr::null_mut()),
                0
            );
        }
        for thread in &threads[..starts.len()] {
            assert_eq!(pthread_join(*thread, ptr::null_mut()), 0);
        }
    }
}
