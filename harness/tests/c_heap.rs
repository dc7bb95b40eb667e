//! What C allocates with the feature `c-heap`, held against what was asked for. The tests call C
//! directly.

#![deny(unsafe_code)]
#![cfg(highwater_c_heap)]

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

#[allow(unsafe_code)]
mod counted {
    use highwater::{Scenario, Scope, Usage, fail_each_allocation, measure};
    use libc::{c_char, c_int, c_void};
    use std::hint::black_box;
    use std::ptr;

    // SAFETY: these are the signatures that glibc documents.
    unsafe extern "C" {
        fn aligned_alloc(alignment: usize, size: usize) -> *mut c_void;
        fn asprintf(text: *mut *mut c_char, format: *const c_char, ...) -> c_int;
        fn malloc_usable_size(block: *mut c_void) -> usize;
        fn memalign(alignment: usize, size: usize) -> *mut c_void;
        fn pvalloc(size: usize) -> *mut c_void;
        fn reallocarray(block: *mut c_void, count: usize, size: usize) -> *mut c_void;
        fn valloc(size: usize) -> *mut c_void;
        #[link_name = "__libc_malloc"]
        fn foreign(size: usize) -> *mut c_void;
    }

    #[track_caller]
    fn assert_figures(usage: &Usage, live: (u64, u64), peak: u64, total: (u64, u64)) {
        let found = (
            (usage.live_bytes, usage.live_blocks),
            usage.peak_bytes,
            (usage.total_bytes, usage.total_blocks),
        );
        assert_eq!(found, (live, peak, total), "{usage:?}");
    }

    const PAGE: usize = 4096;

    /// The compiler knows these functions, and leaves out what has no effect.
    unsafe fn malloc(size: usize) -> *mut c_void {
        // SAFETY: C takes any size.
        black_box(unsafe { libc::malloc(black_box(size)) })
    }

    unsafe fn calloc(count: usize, size: usize) -> *mut c_void {
        // SAFETY: C takes any size.
        black_box(unsafe { libc::calloc(black_box(count), size) })
    }

    unsafe fn realloc(block: *mut c_void, size: usize) -> *mut c_void {
        // SAFETY: the caller's promises are passed on.
        black_box(unsafe { libc::realloc(black_box(block), size) })
    }

    unsafe fn free(block: *mut c_void) {
        // SAFETY: the caller's promises are passed on.
        unsafe { libc::free(black_box(block)) };
    }

    /// A block, the size that counts, and the alignment that it must have.
    type Made = (*mut c_void, usize, usize);

    fn posix(size: usize) -> *mut c_void {
        let mut block = ptr::null_mut();
        // SAFETY: there is a place for the result.
        assert_eq!(unsafe { libc::posix_memalign(&raw mut block, 64, size) }, 0);
        block
    }

    /// A block of each function that makes one.
    fn made(by: &str, size: usize) -> Made {
        let pages = size.next_multiple_of(PAGE);
        // SAFETY: C takes any size.
        unsafe {
            match by {
                "malloc" => (malloc(size), size, 16),
                "calloc" => (calloc(size, 3), size * 3, 16),
                "realloc" => (realloc(ptr::null_mut(), size), size, 16),
                "reallocarray" => (reallocarray(ptr::null_mut(), size, 2), size * 2, 16),
                "memalign" => (memalign(256, size), size, 256),
                "aligned_alloc" => (aligned_alloc(32, size), size, 32),
                "posix_memalign" => (posix(size), size, 64),
                "valloc" => (valloc(size), size, PAGE),
                "pvalloc" => (pvalloc(size), pages, PAGE),
                _ => panic!("{by} makes no block"),
            }
        }
    }

    const MAKERS: [&str; 9] = [
        "malloc",
        "calloc",
        "realloc",
        "reallocarray",
        "memalign",
        "aligned_alloc",
        "posix_memalign",
        "valloc",
        "pvalloc",
    ];

    #[test]
    fn the_whole_family_is_counted_to_the_byte() {
        for by in MAKERS {
            let sizes = (0..200).chain([1_000, 4_084, 4_095, 4_096, 100_000, 200_000, 5_000_000]);
            for size in sizes {
                let scope = Scope::enter("family");
                let (block, counted, alignment) = made(by, size);
                assert!(!block.is_null() && block.addr().is_multiple_of(alignment));
                let bytes = counted as u64;
                let usage = scope.usage();
                assert_figures(&usage, (bytes, 1), bytes, (bytes, 1));
                // SAFETY: the block is new, may be written in all of its usable bytes, and is
                // given up once.
                unsafe {
                    assert_eq!(malloc_usable_size(block), counted, "{by}");
                    if by == "calloc" {
                        let read = std::slice::from_raw_parts(block.cast::<u8>(), counted);
                        assert!(read.iter().all(|byte| *byte == 0));
                    }
                    ptr::write_bytes(block.cast::<u8>(), 0xAB, counted);
                    free(block);
                }
                let usage = scope.usage();
                assert_figures(&usage, (0, 0), bytes, (bytes, 1));
                assert_eq!(usage.overruns, 0);
            }
        }
    }

    #[test]
    fn blocks_that_change_their_size_stay_one_block() {
        let scope = Scope::enter("resizes");
        // SAFETY: the block is read and written within its size, and freed once.
        unsafe {
            let (mut size, mut peak) = (1, 1);
            let mut block = malloc(size);
            for next in [24, 25, 8, 3_000, 100, 1_000_000, 3_000_000, 50, 2] {
                let kept = size.min(next);
                ptr::write_bytes(block.cast::<u8>(), 0x5A, size);
                block = if next % 2 == 0 {
                    realloc(block, next)
                } else {
                    reallocarray(block, next, 1)
                };
                let bytes = std::slice::from_raw_parts(block.cast::<u8>(), kept);
                assert!(bytes.iter().all(|byte| *byte == 0x5A));
                (size, peak) = (next, peak.max(next as u64));
                let usage = scope.usage();
                assert_eq!((usage.live_bytes, usage.live_blocks), (size as u64, 1));
                assert_eq!((usage.peak_bytes, usage.total_blocks), (peak, 1));
            }
            assert_eq!(scope.usage().reallocations, 9);
            assert!(realloc(block, 0).is_null());
        }
        let usage = scope.usage();
        assert_eq!((usage.live_bytes, usage.live_blocks), (0, 0));
    }

    fn refused(block: *mut c_void) {
        let block = black_box(block);
        let error = std::io::Error::last_os_error().raw_os_error();
        assert!(block.is_null() && error == Some(libc::ENOMEM), "{error:?}");
    }

    #[test]
    fn requests_that_fail_change_no_count() {
        let scope = Scope::enter("failures");
        // SAFETY: what is refused is no block; the other is freed once.
        unsafe {
            let block = malloc(50);
            let before = scope.usage();
            for size in [usize::MAX, usize::MAX - 12, isize::MAX as usize - 4] {
                refused(malloc(size));
                refused(calloc(1, size));
                refused(memalign(64, size));
                refused(valloc(size));
                refused(pvalloc(size));
                refused(realloc(block, size));
                let mut none = ptr::null_mut();
                let result = libc::posix_memalign(&raw mut none, 64, size);
                assert_eq!((result, none), (libc::ENOMEM, ptr::null_mut()));
            }
            refused(calloc(usize::MAX, 2));
            refused(reallocarray(block, usize::MAX, 2));
            for alignment in [0, 4, 24] {
                let mut none = ptr::null_mut();
                let result = libc::posix_memalign(&raw mut none, alignment, 8);
                assert_eq!(result, libc::EINVAL);
            }
            free(ptr::null_mut());
            assert_eq!(malloc_usable_size(ptr::null_mut()), 0);
            assert_eq!(scope.usage(), before);
            assert_eq!(malloc_usable_size(block), 50);
            free(block);
        }
        assert_eq!(scope.usage().live_bytes, 0);
    }

    #[test]
    fn blocks_that_glibc_gave_out_by_another_way_are_passed_on() {
        let scope = Scope::enter("foreign");
        for size in [0, 24, 100, 1_000_000] {
            // SAFETY: each block is written within its usable bytes and given up once.
            unsafe {
                let block = foreign(size);
                assert!(malloc_usable_size(block) >= size);
                ptr::write_bytes(block.cast::<u8>(), 0xFF, malloc_usable_size(block));
                free(realloc(block, size * 2 + 1));
            }
        }
        assert_eq!(scope.usage(), Usage::default());
    }

    #[test]
    fn what_libc_allocates_for_its_callers_counts() {
        let scope = Scope::enter("libc");
        // SAFETY: all texts end with a zero, and each block is given up once.
        unsafe {
            let copy = libc::strdup(c"twelve bytes".as_ptr());
            assert_eq!(scope.usage().live_bytes, 13);
            let mut printed = ptr::null_mut();
            let long = "x".repeat(0) + "%300d";
            let format = std::ffi::CString::new(long).expect("no zero");
            asprintf(&raw mut printed, format.as_ptr(), 7 as c_int);
            drop(format);
            assert_eq!(scope.usage().live_bytes, 13 + 301);
            let (mut text, mut length) = (ptr::null_mut(), 0);
            let stream = libc::open_memstream(&raw mut text, &raw mut length);
            libc::fputs(c"a line\nanother\n".as_ptr(), stream);
            libc::fclose(stream);
            assert_eq!(length, 15);
            let stream = libc::fmemopen(text.cast(), length, c"r".as_ptr());
            let (mut line, mut room) = (ptr::null_mut(), 0);
            assert_eq!(libc::getline(&raw mut line, &raw mut room, stream), 7);
            libc::fclose(stream);
            let held = [copy.cast(), printed.cast(), text.cast(), line.cast()];
            let usable = held.map(|block| malloc_usable_size(block) as u64);
            assert_eq!(usable[3], room as u64);
            let usage = scope.usage();
            assert_eq!(usage.live_bytes, usable.iter().sum::<u64>());
            assert_eq!(usage.live_blocks, 4);
            for block in held {
                free(block);
            }
        }
        let usage = scope.usage();
        assert_eq!((usage.live_bytes, usage.live_blocks), (0, 0));
    }

    /// 50,000 blocks of 0 to 99 bytes, of which those of odd sizes stay.
    extern "C" fn small_blocks(_: *mut c_void) -> *mut c_void {
        for size in 0..50_000_usize {
            // SAFETY: the block is freed once.
            unsafe {
                let block = malloc(size % 100);
                if size % 2 == 0 {
                    free(block);
                }
            }
        }
        ptr::null_mut()
    }

    #[cfg(feature = "threads")]
    #[test]
    fn totals_over_threads_of_c_are_exact() {
        let scope = Scope::enter("threads");
        let mut threads = [0; 4];
        // SAFETY: the threads are joined, once each.
        unsafe {
            for thread in &mut threads {
                let (null, none) = (ptr::null(), ptr::null_mut());
                assert_eq!(libc::pthread_create(thread, null, small_blocks, none), 0);
            }
            for thread in threads {
                assert_eq!(libc::pthread_join(thread, ptr::null_mut()), 0);
            }
        }
        let blocks = 4 * 50_000;
        let usage = scope.usage();
        assert_eq!(
            (usage.total_bytes, usage.total_blocks),
            (blocks / 100 * 4_950, blocks)
        );
        assert_eq!(
            (usage.live_bytes, usage.live_blocks),
            (blocks / 100 * 2_500, blocks / 2)
        );
    }

    #[test]
    fn a_block_is_the_scopes_that_allocated_it() {
        let outer = Scope::enter("outer");
        // SAFETY: the blocks are freed once.
        unsafe {
            let block = malloc(321);
            let ((), usage) = measure(|| free(realloc(block, 500)));
            // A block that is resized becomes the inner scope's, as Rust's do.
            assert_figures(&usage, (0, 0), 500, (500, 1));
            let block = malloc(100);
            let ((), usage) = measure(|| free(block));
            assert_figures(&usage, (0, 0), 0, (0, 0));
        }
        assert_eq!(outer.usage().live_bytes, 0);
        assert_eq!(outer.usage().peak_bytes, 500);
    }

    #[test]
    fn a_byte_behind_a_block_is_noticed() {
        let scope = Scope::enter("overrun");
        // SAFETY: the byte behind the block is the allocator's, and mapped. That a program
        // writes there all the same is what is tested.
        unsafe {
            let block = malloc(40);
            block.cast::<u8>().add(40).write(0);
            free(block);
        }
        assert_eq!(scope.usage().overruns, 1);
    }

    #[test]
    fn a_forked_child_counts_on() {
        let scope = Scope::enter("forked");
        // SAFETY: the child goes on with this thread alone, and only allocates and frees.
        unsafe {
            let block = malloc(77);
            let child = libc::fork();
            if child == 0 {
                free(block);
                let own = malloc(1_000);
                let is_right = scope.usage().live_bytes == 1_000;
                free(own);
                libc::_exit(i32::from(!is_right || scope.usage().live_blocks != 0));
            }
            let mut status = 0;
            assert_eq!(libc::waitpid(child, &raw mut status, 0), child);
            assert_eq!(status, 0);
            assert_eq!(scope.usage().live_bytes, 77);
            free(block);
        }
    }

    /// A block from before `main`, when nothing is counted.
    static EARLY: std::sync::atomic::AtomicPtr<c_void> =
        std::sync::atomic::AtomicPtr::new(ptr::null_mut());

    #[used]
    #[unsafe(link_section = ".init_array")]
    static BEFORE_MAIN: extern "C" fn() = before_main;

    extern "C" fn before_main() {
        // SAFETY: C takes any size.
        let block = unsafe { malloc(600) };
        EARLY.store(block, std::sync::atomic::Ordering::Relaxed);
    }

    #[used]
    #[unsafe(link_section = ".fini_array")]
    static BEHIND_MAIN: extern "C" fn() = behind_main;

    /// If this fails, so does the test program.
    extern "C" fn behind_main() {
        // SAFETY: the block is freed once.
        unsafe { free(realloc(malloc(600), 9_000)) };
    }

    #[test]
    fn a_block_from_before_main_is_nobodys() {
        let block = EARLY.swap(ptr::null_mut(), std::sync::atomic::Ordering::Relaxed);
        assert!(!block.is_null());
        // SAFETY: the block is given up once.
        let ((), usage) = measure(|| unsafe { free(realloc(block, 5_000)) });
        assert_figures(&usage, (0, 0), 0, (0, 0));
    }

    #[inline(never)]
    fn keeps(size: usize) {
        // SAFETY: C takes any size. That the block is never freed is what is tested.
        unsafe { malloc(size) };
    }

    #[inline(never)]
    fn keeps_a_copy(size: usize) {
        let text = vec![b'x'; size - 1];
        let text = std::ffi::CString::new(text).expect("no zero");
        // SAFETY: the text ends with a zero. The copy is never freed.
        black_box(unsafe { libc::strdup(text.as_ptr()) });
    }

    /// That `keep` leaves a block of that size behind in each step is found, and where.
    fn assert_found(keep: impl Fn(usize), size: usize, function: &str) {
        let scenario = Scenario::new("leak of C").steps(20).diagnose(true);
        let report = scenario.run(|| (), |(), _| keep(size));
        assert!(report.verdict().is_growing(), "{report}");
        assert_eq!(
            report.growth_bytes(),
            i64::try_from(20 * size).expect("small")
        );
        if cfg!(feature = "diagnosis") {
            let diagnosis = report.diagnosis().expect("it was asked for");
            let [first, ..] = diagnosis.sites() else {
                panic!("no site: {diagnosis:?}");
            };
            assert_eq!(diagnosis.lost_blocks(), 0);
            assert_eq!(first.growth_bytes(), diagnosis.growth_bytes());
            // The wrapper above may stand before it.
            let mut innermost = first.frames().iter().take(2);
            assert!(
                innermost.any(|frame| frame.function().ends_with(function)),
                "{first:?}"
            );
        }
    }

    #[test]
    fn blocks_of_c_that_nobody_frees_grow_at_their_call_site() {
        for size in [64, 4_096, 1 << 20] {
            assert_found(keeps, size, "keeps");
            assert_found(keeps_a_copy, size, "keeps_a_copy");
        }
    }

    #[test]
    fn blocks_of_c_that_are_freed_are_bounded() {
        for size in [64, 4_096, 1 << 20] {
            let report = Scenario::new("sound").steps(20).run(
                || (),
                // SAFETY: the block is freed once.
                |(), _| unsafe { free(malloc(size)) },
            );
            assert!(report.verdict().is_bounded(), "{report}");
            assert_eq!(
                (report.residue_bytes(), report.peak_bytes()),
                (0, size as u64)
            );
        }
    }

    #[cfg(feature = "macros")]
    #[highwater::test(steps = 100, peak = "1 KB")]
    #[should_panic(
        expected = "ceiling passed in `counts_in_a_process_of_its_own`: peak 1,001 B, ceiling 1 KB"
    )]
    fn counts_in_a_process_of_its_own() {
        // SAFETY: the block is freed once.
        unsafe { free(malloc(1_001)) };
    }

    #[cfg(feature = "macros")]
    #[highwater::test(steps = 20)]
    #[should_panic(expected = "memory leak in `leaks_in_a_process_of_its_own`")]
    fn leaks_in_a_process_of_its_own() {
        keeps(64);
    }

    /// Two blocks of C's, the second of which grows. Nothing is left of them without memory,
    /// if the second is not forgotten.
    unsafe fn two_blocks(forgets: bool) {
        // SAFETY: the text ends in a zero; no block is used that is null or was freed.
        unsafe {
            let text = black_box(libc::strdup(c"prices".as_ptr()));
            if text.is_null() {
                return;
            }
            let block = calloc(2, 4);
            let larger = realloc(block, 5_000);
            if !(larger.is_null() && forgets) {
                free(if larger.is_null() { block } else { larger });
            }
            free(text.cast());
        }
    }

    #[test]
    fn each_request_of_c_fails_once() {
        // SAFETY: there is no contract.
        let tried = fail_each_allocation(|| unsafe { two_blocks(false) });
        assert_eq!((tried.allocations(), tried.tried()), (3, 3));
        let failures = |work: fn()| {
            let panic = std::panic::catch_unwind(|| fail_each_allocation(work));
            *panic
                .expect_err("it fails")
                .downcast::<String>()
                .expect("it is formatted")
        };
        // SAFETY: as above.
        let text = failures(|| unsafe { two_blocks(true) });
        let expected = "1 leaks, at allocation 3, a resize to 5,000 B: 8 B in 1 block\n";
        assert!(text.contains(expected), "{text}");
        // SAFETY: it is for the process that it is wrong in: a block is written that is null.
        let text = failures(|| unsafe { free(libc::memset(malloc(10), 1, 10)) });
        let expected = "1 is ended by a signal, at allocation 1, of 10 B: 11 (SIGSEGV)\n";
        assert!(text.contains(expected), "{text}");
    }
}
