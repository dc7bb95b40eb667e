//! Who holds memory, where only calls of the system can put an address: in memory that was
//! mapped past every allocator, and in what libc keeps for a program. None of what is held
//! there may be called unreachable. Each test has a process of its own: what another one maps,
//! and the stack of its thread, would be searched as well.

#![deny(unsafe_code)]
#![cfg(all(highwater_holders, highwater_glibc))]

use highwater::{Alloc, Hold, Holder, Report, Scenario};
use std::ffi::{CStr, c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc;

#[global_allocator]
static ALLOC: Alloc = Alloc::system();

const STEPS: u64 = 200;
const BYTES: usize = 1 << 16;

#[repr(C)]
struct Candle {
    _prices: [f64; 4],
}

#[inline(never)]
fn leaked() -> *mut Candle {
    Box::into_raw(Box::new(Candle { _prices: [1.0; 4] }))
}

#[track_caller]
fn holders_of_leaked(report: &Report) -> &[Holder] {
    let diagnosis = report.diagnosis().expect("it grows, on Linux");
    let site = diagnosis.sites().iter().find(|site| {
        let first = site.frames().first();
        first.is_some_and(|frame| frame.function() == "holders::leaked")
    });
    let site = site.unwrap_or_else(|| panic!("{diagnosis}"));
    site.holders().expect("this is Linux")
}

/// Who holds nearly all of what [`leaked`] made.
#[track_caller]
fn first_holder(report: &Report) -> Holder {
    let holders = holders_of_leaked(report);
    let all: u64 = holders.iter().map(Holder::blocks).sum();
    assert!(holders[0].blocks() * 10 >= all * 9, "{holders:?}");
    holders[0].clone()
}

/// A scenario that leaks a block a step, and stores its address in the next word of what
/// `map` returns, which is not told to anybody. It is never unmapped.
fn stored_in(name: &str, map: impl Fn() -> *mut c_void) -> Report {
    let start = map().cast::<usize>().expose_provenance();
    let next = AtomicUsize::new(0);
    let report = Scenario::new(name).steps(STEPS).run(
        || (),
        |(), _| {
            let offset = next.fetch_add(1, Relaxed) * size_of::<usize>();
            assert!(offset < BYTES);
            let word = ptr::with_exposed_provenance_mut::<usize>(start + offset);
            // SAFETY: the mapping has room for the word, and nobody else knows of it.
            #[allow(unsafe_code)]
            unsafe {
                word.write_volatile(leaked().expose_provenance());
            }
        },
    );
    assert!(report.verdict().is_growing(), "{report}");
    report
}

#[allow(unsafe_code)]
fn map(flags: c_int, file: c_int) -> *mut c_void {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a new mapping, wherever the system puts it.
    let start = unsafe { libc::mmap(ptr::null_mut(), BYTES, protection, flags, file, 0) };
    assert_ne!(start, libc::MAP_FAILED);
    start
}

/// A file in memory, open for as long as the process lives.
#[allow(unsafe_code)]
fn memory_file(name: &CStr) -> c_int {
    // SAFETY: the name ends in a zero, and the file is ours.
    unsafe {
        let file = libc::memfd_create(name.as_ptr(), 0);
        assert!(file >= 0);
        assert_eq!(libc::ftruncate(file, 1 << 16), 0);
        file
    }
}

#[highwater::test]
fn private_memory() {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    let report = stored_in("private-memory", || map(flags, -1));
    let holder = first_holder(&report);
    let expected = "held by mapped memory → Box<Candle>";
    assert_eq!(holder.to_string(), expected, "{report}");
}

/// It can still be loaded from there.
#[highwater::test]
fn memory_that_is_only_read_any_more() {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    let start = map(flags, -1).expose_provenance();
    let next = AtomicUsize::new(0);
    let protect = |protection| {
        // SAFETY: a mapping of ours.
        #[allow(unsafe_code)]
        let result =
            unsafe { libc::mprotect(ptr::with_exposed_provenance_mut(start), BYTES, protection) };
        assert_eq!(result, 0);
    };
    let report = Scenario::new("read-only").steps(STEPS).run(
        || (),
        |(), _| {
            protect(libc::PROT_READ | libc::PROT_WRITE);
            let offset = next.fetch_add(1, Relaxed) * size_of::<usize>();
            let word = ptr::with_exposed_provenance_mut::<usize>(start + offset);
            // SAFETY: as above, and it can be written to.
            #[allow(unsafe_code)]
            unsafe {
                word.write_volatile(leaked().expose_provenance());
            }
            protect(libc::PROT_READ);
        },
    );
    assert_eq!(first_holder(&report).hold(), Hold::Held, "{report}");
}

#[highwater::test]
fn a_private_copy_of_a_file() {
    let file = memory_file(c"prices");
    let report = stored_in("private-file", || map(libc::MAP_PRIVATE, file));
    let expected = "held by mapped file memfd:prices → Box<Candle>";
    assert_eq!(first_holder(&report).to_string(), expected, "{report}");
}

#[highwater::test]
fn a_file_in_memory() {
    let file = memory_file(c"orders");
    let report = stored_in("shared-file", || map(libc::MAP_SHARED, file));
    let expected = "held by mapped file memfd:orders → Box<Candle>";
    assert_eq!(first_holder(&report).to_string(), expected, "{report}");
}

#[highwater::test]
fn memory_that_is_shared_with_other_processes() {
    let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
    let report = stored_in("shared-memory", || map(flags, -1));
    let expected = "held by shared memory → Box<Candle>";
    assert_eq!(first_holder(&report).to_string(), expected, "{report}");
}

/// More than can be searched in reasonable time: nobody knows who holds the block.
#[highwater::test]
fn more_memory_than_can_be_searched() {
    const LARGE: usize = 1 << 40;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a new mapping, wherever the system puts it, and only its start is used.
    #[allow(unsafe_code)]
    let start = unsafe { libc::mmap(ptr::null_mut(), LARGE, protection, flags, -1, 0) };
    if start == libc::MAP_FAILED {
        // The system does not promise that much.
        return;
    }
    let report = stored_in("large-memory", || start);
    // SAFETY: nobody else knows of it.
    #[allow(unsafe_code)]
    unsafe {
        libc::munmap(start, LARGE);
    }
    let holder = first_holder(&report);
    assert_eq!(holder.hold(), Hold::Unknown, "{report}");
}

/// A block of libc's own heap, whose address only a static knows.
#[highwater::test]
fn a_block_of_the_c_library() {
    static BLOCK: AtomicUsize = AtomicUsize::new(0);
    let report = stored_in("c-block", || {
        // SAFETY: it takes any size.
        #[allow(unsafe_code)]
        let block = unsafe { libc::calloc(BYTES, 1) };
        BLOCK.store(block.expose_provenance(), Relaxed);
        block
    });
    assert_eq!(first_holder(&report).hold(), Hold::Held, "{report}");
}

/// What a thread has on its other stack, which signals are handled on.
#[highwater::test]
fn the_other_stack_of_a_thread() {
    let (stack, told) = mpsc::channel();
    let (end, ended) = mpsc::channel::<()>();
    let thread = std::thread::spawn(move || {
        let memory = map(libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1);
        let described = libc::stack_t {
            ss_sp: memory,
            ss_flags: 0,
            ss_size: BYTES,
        };
        // SAFETY: the memory is there for as long as the process lives.
        #[allow(unsafe_code)]
        let result = unsafe { libc::sigaltstack(&raw const described, ptr::null_mut()) };
        assert_eq!(result, 0);
        stack.send(memory.expose_provenance()).unwrap();
        let _ = ended.recv();
    });
    let memory = told.recv().unwrap();
    let report = stored_in("other-stack", || ptr::with_exposed_provenance_mut(memory));
    assert_eq!(first_holder(&report).hold(), Hold::Held, "{report}");
    drop(end);
    thread.join().unwrap();
}

/// A list whose start only a key of the thread knows.
#[highwater::test]
fn a_key_of_a_thread() {
    struct Link {
        _candle: *mut Candle,
        _next: *mut c_void,
    }
    let mut key = 0;
    // SAFETY: the key is ours to write.
    #[allow(unsafe_code)]
    let result = unsafe { libc::pthread_key_create(&raw mut key, None) };
    assert_eq!(result, 0);
    let report = Scenario::new("key").steps(STEPS).run(
        || (),
        // SAFETY: the key was made, and its values are read here alone.
        #[allow(unsafe_code)]
        |(), _| unsafe {
            let link = Box::new(Link {
                _candle: leaked(),
                _next: libc::pthread_getspecific(key),
            });
            libc::pthread_setspecific(key, Box::into_raw(link).cast());
        },
    );
    assert_eq!(first_holder(&report).hold(), Hold::Held, "{report}");
}

/// What libc calls at the end, and with what.
#[highwater::test]
fn an_argument_for_the_end_of_the_process() {
    #[allow(unsafe_code)]
    unsafe extern "C" {
        fn on_exit(function: extern "C" fn(c_int, *mut c_void), argument: *mut c_void) -> c_int;
    }
    extern "C" fn ignore(_code: c_int, _argument: *mut c_void) {}
    let report = Scenario::new("on-exit").steps(STEPS).run(
        || (),
        |(), _| {
            // SAFETY: the function takes what it is given.
            #[allow(unsafe_code)]
            let result = unsafe { on_exit(ignore, leaked().cast()) };
            assert_eq!(result, 0);
        },
    );
    // What was on a stack meanwhile may seem to hold some of them.
    let holders = holders_of_leaked(&report);
    let is_known = |holder: &Holder| matches!(holder.hold(), Hold::Held | Hold::Unknown);
    assert!(holders.iter().all(is_known), "{holders:?}");
}

/// The same with nobody who knows the address: that is said.
#[highwater::test]
fn nobody_at_all() {
    let report = Scenario::new("nobody").steps(STEPS).run(
        || (),
        |(), _| {
            leaked();
        },
    );
    let holder = first_holder(&report);
    assert_eq!(holder.hold(), Hold::Lost, "{report}");
}
