//! The counting library that `cargo highwater sweep` preloads into test binaries.
//!
//! The tool compiles this file on its own, without dependencies; it is no module of the tool.
//! It defines C's `malloc` family and forwards to glibc's, so it sees what a dynamically linked
//! program allocates, Rust's `System` and C libraries alike. It counts requested bytes: each
//! block is eight bytes longer than requested, and the last eight bytes of its usable area, the
//! footer, hold the requested size and a check. A block without a valid footer is foreign: glibc
//! gave it out by another way. It is passed on and not counted.
//!
//! Nothing here allocates, takes a lock or panics. When the process ends by `exit` or by a return from
//! `main`, the figures are written to the file that the environment names.

#![deny(unsafe_op_in_unsafe_fn)]

use std::ffi::{c_char, c_int, c_uint, c_void};
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicU64, AtomicUsize, Ordering::Relaxed};

type End = unsafe extern "C" fn(*mut c_void);

// SAFETY: these are the signatures that glibc documents, or has in its source.
#[link(name = "c")]
unsafe extern "C" {
    fn __libc_malloc(size: usize) -> *mut c_void;
    fn __libc_calloc(count: usize, size: usize) -> *mut c_void;
    fn __libc_realloc(block: *mut c_void, size: usize) -> *mut c_void;
    fn __libc_memalign(alignment: usize, size: usize) -> *mut c_void;
    fn __libc_free(block: *mut c_void);
    fn __errno_location() -> *mut c_int;
    fn __cxa_atexit(end: End, argument: *mut c_void, library: *mut c_void) -> c_int;
    fn close(file: c_int) -> c_int;
    fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
    fn getpid() -> c_int;
    fn open(path: *const c_char, flags: c_int, ...) -> c_int;
    fn pthread_self() -> usize;
    fn read(file: c_int, buffer: *mut c_void, length: usize) -> isize;
    fn strlen(text: *const c_char) -> usize;
    fn usleep(microseconds: c_uint) -> c_int;
    fn write(file: c_int, buffer: *const c_void, length: usize) -> isize;
}

const ENOMEM: c_int = 12;
const EINVAL: c_int = 22;
const O_WRONLY_CREAT_TRUNC_CLOEXEC: c_int = 0o1 | 0o100 | 0o1000 | 0o2_000_000;
const O_RDONLY_CLOEXEC: c_int = 0o2_000_000;
/// Of x86-64.
const PAGE: usize = 4096;
/// How often the end of the process waits for other threads to end, and how long each time, in
/// microseconds: 50 milliseconds in all.
const WAITS: u32 = 100;
const WAIT: c_uint = 500;
/// The variable that names the file for the figures.
const FILE: &[u8] = b"HIGHWATER_SWEEP_FILE=";
/// The variable that has the main thread count too.
const ALL: &[u8] = b"HIGHWATER_SWEEP_ALL=";
const PRELOAD: &[u8] = b"LD_PRELOAD=";

// Of all threads that count.
static LIVE_BYTES: AtomicUsize = AtomicUsize::new(0);
static LIVE_BLOCKS: AtomicUsize = AtomicUsize::new(0);
static PEAK_BYTES: AtomicUsize = AtomicUsize::new(0);
static TOTAL_BYTES: AtomicUsize = AtomicUsize::new(0);
static TOTAL_BLOCKS: AtomicUsize = AtomicUsize::new(0);
/// The blocks of the main thread, by which the tool sees whether the program can be seen.
static MAIN_BLOCKS: AtomicUsize = AtomicUsize::new(0);
/// The main thread, or [`NOBODY`] if it counts too; 0 before [`start`], when nothing counts.
static MAIN: AtomicUsize = AtomicUsize::new(0);
/// No thread's number, which is an address.
const NOBODY: usize = 1;

/// Whether this thread's allocations count.
fn is_counted() -> bool {
    let main = MAIN.load(Relaxed);
    // SAFETY: it takes nothing and always answers.
    main != 0 && main != unsafe { pthread_self() }
}

/// Adds to what is live, and raises the peak.
fn rise(bytes: usize) {
    let live = LIVE_BYTES.fetch_add(bytes, Relaxed).wrapping_add(bytes);
    PEAK_BYTES.fetch_max(live, Relaxed);
    TOTAL_BYTES.fetch_add(bytes, Relaxed);
}

// ---- Blocks ----

/// Bytes behind each block.
const FOOTER: usize = 8;
/// Bits of the footer that hold the size; no program on x86-64 has as many bytes.
const SIZE_BITS: u32 = 47;
/// The bit that says that the block counts; those above it are a check.
const COUNTED: u64 = 1 << SIZE_BITS;

/// What is known of a block of ours.
#[derive(Clone, Copy, PartialEq)]
struct Block {
    size: usize,
    is_counted: bool,
}

/// The usable bytes of a block of glibc's.
///
/// # Safety
/// glibc's `malloc` family gave `block` out, and nobody has freed it.
unsafe fn usable(block: *mut c_void) -> usize {
    // SAFETY: the eight bytes before a block are its chunk's header, aligned. Another thread may
    // write its lowest bit there when it allocates or frees the chunk before, hence the atomic.
    let header = unsafe { AtomicU64::from_ptr(block.cast::<u64>().sub(1)) }.load(Relaxed) as usize;
    let is_mapped = header & 2 != 0;
    (header & !7).wrapping_sub(if is_mapped { 16 } else { 8 })
}

/// Where the footer of a block with so many usable bytes is.
///
/// # Safety
/// `block` has `usable` usable bytes, and they are no fewer than eight.
unsafe fn footer(block: *mut c_void, usable: usize) -> *mut u64 {
    // SAFETY: by the contract it is in the block. It is aligned: blocks and chunks are, by 16,
    // and so are the usable bytes, by 8.
    unsafe { block.cast::<u8>().add(usable - FOOTER).cast() }
}

/// What the footer of this block reads. The upper bits depend on the address.
fn mark(block: *mut c_void, known: Block) -> u64 {
    let check = (block as u64 ^ 0x6869_6768_7761_7465).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let counted = if known.is_counted { COUNTED } else { 0 };
    check & !(COUNTED | (COUNTED - 1)) | counted | known.size as u64
}

/// Writes the footer. Does not count.
///
/// # Safety
/// As for [`usable`], and the block was allocated for its size and [`FOOTER`] bytes more.
unsafe fn seal(block: *mut c_void, known: Block) {
    // SAFETY: by the contract there are eight bytes behind the requested ones.
    unsafe { footer(block, usable(block)).write_volatile(mark(block, known)) }
}

/// What is known of a block; none if it is foreign.
///
/// # Safety
/// As for [`usable`].
unsafe fn known(block: *mut c_void) -> Option<Block> {
    // SAFETY: the same contract.
    let usable = unsafe { usable(block) };
    let most = usable.checked_sub(FOOTER)?;
    // SAFETY: the checked subtraction found eight bytes. In a foreign block nobody may have
    // written them; a volatile read of memory that is mapped takes what is there.
    let found = unsafe { footer(block, usable).read_volatile() };
    let known = Block {
        size: (found & (COUNTED - 1)) as usize,
        is_counted: found & COUNTED != 0,
    };
    (found == mark(block, known) && known.size <= most).then_some(known)
}

/// Removes the footer, so that a later foreign block in the same place is not taken for ours.
///
/// # Safety
/// As for [`usable`], and the block has a footer.
unsafe fn unseal(block: *mut c_void) {
    // SAFETY: the block has a footer.
    unsafe { footer(block, usable(block)).write_volatile(0) }
}

/// Counts a new block, if there is one, and hands it on.
///
/// # Safety
/// `block` is null or as for [`seal`].
unsafe fn counted(block: *mut c_void, size: usize) -> *mut c_void {
    if block.is_null() {
        return block;
    }
    let is_counted = is_counted();
    // SAFETY: the same contract.
    unsafe { seal(block, Block { size, is_counted }) };
    if is_counted {
        rise(size);
        LIVE_BLOCKS.fetch_add(1, Relaxed);
        TOTAL_BLOCKS.fetch_add(1, Relaxed);
    } else {
        MAIN_BLOCKS.fetch_add(1, Relaxed);
    }
    block
}

fn fail(error: c_int) -> *mut c_void {
    // SAFETY: it points to this thread's `errno`.
    unsafe { *__errno_location() = error };
    ptr::null_mut()
}

// ---- The family, under C's contract. A size near `usize::MAX` saturates; glibc refuses it. ----

#[unsafe(no_mangle)]
pub unsafe extern "C" fn malloc(size: usize) -> *mut c_void {
    // SAFETY: glibc takes any size, and the block is new.
    unsafe { counted(__libc_malloc(size.saturating_add(FOOTER)), size) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn calloc(count: usize, size: usize) -> *mut c_void {
    let Some(size) = count.checked_mul(size) else {
        return fail(ENOMEM);
    };
    // SAFETY: glibc takes any size, and the block is new.
    unsafe { counted(__libc_calloc(1, size.saturating_add(FOOTER)), size) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn free(block: *mut c_void) {
    if block.is_null() {
        return;
    }
    // SAFETY: the caller got the block from this family or from glibc, and gives it up.
    unsafe {
        if let Some(known) = known(block) {
            unseal(block);
            if known.is_counted {
                // Before the memory can be another's.
                LIVE_BYTES.fetch_sub(known.size, Relaxed);
                LIVE_BLOCKS.fetch_sub(1, Relaxed);
            }
        }
        __libc_free(block);
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn realloc(block: *mut c_void, size: usize) -> *mut c_void {
    // SAFETY: the caller got the block from this family or from glibc. If it fails, the block is
    // as it was, and gets its footer back.
    unsafe {
        if block.is_null() {
            return malloc(size);
        }
        let Some(before) = known(block) else {
            return __libc_realloc(block, size);
        };
        if size == 0 {
            // glibc frees.
            free(block);
            return ptr::null_mut();
        }
        unseal(block);
        let moved = __libc_realloc(block, size.saturating_add(FOOTER));
        if moved.is_null() {
            seal(block, before);
            return moved;
        }
        seal(moved, Block { size, ..before });
        match size.checked_sub(before.size) {
            _ if !before.is_counted => {}
            Some(more) => rise(more),
            None => _ = LIVE_BYTES.fetch_sub(before.size - size, Relaxed),
        }
        moved
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn reallocarray(
    block: *mut c_void,
    count: usize,
    size: usize,
) -> *mut c_void {
    match count.checked_mul(size) {
        // SAFETY: the same contract.
        Some(size) => unsafe { realloc(block, size) },
        None => fail(ENOMEM),
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn memalign(alignment: usize, size: usize) -> *mut c_void {
    // SAFETY: glibc checks the alignment and takes any size, and the block is new.
    unsafe {
        counted(
            __libc_memalign(alignment, size.saturating_add(FOOTER)),
            size,
        )
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn aligned_alloc(alignment: usize, size: usize) -> *mut c_void {
    // SAFETY: the same contract.
    unsafe { memalign(alignment, size) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn posix_memalign(
    block: *mut *mut c_void,
    alignment: usize,
    size: usize,
) -> c_int {
    if !alignment.is_power_of_two() || alignment < size_of::<*mut c_void>() {
        return EINVAL;
    }
    // SAFETY: the caller gave a place for the result.
    unsafe {
        let new = memalign(alignment, size);
        if new.is_null() {
            return ENOMEM;
        }
        block.write(new);
    }
    0
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn valloc(size: usize) -> *mut c_void {
    // SAFETY: the same contract.
    unsafe { memalign(PAGE, size) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn pvalloc(size: usize) -> *mut c_void {
    match size.checked_next_multiple_of(PAGE) {
        // SAFETY: the same contract. Whole pages are what the caller may use.
        Some(size) => unsafe { memalign(PAGE, size) },
        None => fail(ENOMEM),
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn malloc_usable_size(block: *mut c_void) -> usize {
    if block.is_null() {
        return 0;
    }
    // SAFETY: the caller got the block from this family or from glibc.
    unsafe {
        let footer = if known(block).is_some() { FOOTER } else { 0 };
        usable(block).wrapping_sub(footer)
    }
}

// ---- The beginning and the end of the process ----

/// The process that was started with this library. Its forked children are not it.
static PROCESS: AtomicI32 = AtomicI32::new(0);
/// The file for the figures, ended by a zero.
static mut PATH: [u8; PAGE] = [0; PAGE];

#[used]
#[unsafe(link_section = ".init_array")]
static START: unsafe extern "C" fn(c_int, *mut *mut c_char, *mut *mut c_char) = start;

/// Notes where the figures go, and hides the library from the program and its children.
unsafe extern "C" fn start(_: c_int, _: *mut *mut c_char, environment: *mut *mut c_char) {
    // SAFETY: glibc passes the arguments of `main`. The process has one thread so far, so the
    // environment and `PATH` are ours. Its strings may be written to. `getenv` and `unsetenv`
    // may be the program's own, as a shell's are, and are not called.
    unsafe {
        let Some(path) = take(environment, FILE) else {
            return;
        };
        let length = strlen(path);
        if length < PAGE {
            ptr::copy_nonoverlapping(path.cast::<u8>(), (&raw mut PATH).cast::<u8>(), length);
        }
        PROCESS.store(getpid(), Relaxed);
        let is_all = take(environment, ALL).is_some();
        MAIN.store(if is_all { NOBODY } else { pthread_self() }, Relaxed);
        // Registered before anything of the program, without a library that could be closed: it
        // runs last, behind all destructors.
        __cxa_atexit(end, ptr::null_mut(), ptr::null_mut());
        if let Some(preloaded) = take(environment, PRELOAD) {
            restore(environment, preloaded);
        }
    }
}

/// Takes the variable whose name and equals sign this is out of the environment; its value.
///
/// # Safety
/// `environment` is a list of strings, ended by null, that nobody else uses.
unsafe fn take(environment: *mut *mut c_char, name: &[u8]) -> Option<*mut c_char> {
    // SAFETY: neither the list nor a string is read beyond its end.
    unsafe {
        let mut entry = environment;
        while !(*entry).is_null() {
            let matching =
                |at: &usize| name.get(*at) == Some(&(*entry).add(*at).cast::<u8>().read());
            if (0..name.len()).take_while(matching).count() == name.len() {
                let value = (*entry).add(name.len());
                while !(*entry).is_null() {
                    *entry = *entry.add(1);
                    entry = entry.add(1);
                }
                return Some(value);
            }
            entry = entry.add(1);
        }
        None
    }
}

/// Puts the libraries before the last one back, if there are any: the tool puts this library
/// behind those of the user.
///
/// # Safety
/// As for [`take`], which took `preloaded` and left room for one entry.
unsafe fn restore(environment: *mut *mut c_char, preloaded: *mut c_char) {
    // SAFETY: neither the list nor the string is left, and the name stands before the value.
    unsafe {
        let colon = (0..strlen(preloaded))
            .rev()
            .find(|at| *preloaded.add(*at) == b':' as c_char);
        if let Some(colon) = colon {
            *preloaded.add(colon) = 0;
            let mut last = environment;
            while !(*last).is_null() {
                last = last.add(1);
            }
            *last = preloaded.sub(PRELOAD.len());
            *last.add(1) = ptr::null_mut();
        }
    }
}

/// Writes the figures.
unsafe extern "C" fn end(_: *mut c_void) {
    // SAFETY: nobody writes to `PATH` any more, and it ends with a zero.
    unsafe {
        if PROCESS.swap(0, Relaxed) != getpid() {
            return;
        }
        let totals = [&MAIN_BLOCKS, &PEAK_BYTES, &TOTAL_BYTES, &TOTAL_BLOCKS];
        let totals = totals.map(|figure| figure.load(Relaxed));
        return_caches();
        let left = [&LIVE_BYTES, &LIVE_BLOCKS].map(|figure| figure.load(Relaxed));
        // Decimal numbers with a space behind each, from the last digit to the first.
        let mut text = [b' '; 6 * 21];
        let mut start = text.len();
        for mut rest in left.into_iter().rev().chain(totals.into_iter().rev()) {
            start -= 1;
            loop {
                start -= 1;
                text[start] = b'0' + (rest % 10) as u8;
                rest /= 10;
                if rest == 0 {
                    break;
                }
            }
        }
        let path = (&raw const PATH).cast::<c_char>();
        let file = open(path, O_WRONLY_CREAT_TRUNC_CLOEXEC, 0o600 as c_int);
        if file >= 0 {
            write(file, text[start..].as_ptr().cast(), text.len() - start);
            close(file);
        }
    }
}

/// Has glibc free what it keeps for later, such as the records of threads that have ended, if
/// no other thread is there that it could take it from. Threads that are about to end get some
/// time: a scope in Rust waits for the work of its threads, not for their end.
///
/// # Safety
/// Nothing of the program runs in this thread any more.
unsafe fn return_caches() {
    // SAFETY: `__libc_freeres` is for tools that look for leaks at the end of a process. It
    // takes no argument. Where it does not exist, the caches stay.
    unsafe {
        let mut waits = 0;
        while !is_only_thread() {
            if waits == WAITS {
                return;
            }
            waits += 1;
            usleep(WAIT);
        }
        let function = dlsym(ptr::null_mut(), c"__libc_freeres".as_ptr());
        if !function.is_null() {
            let function: unsafe extern "C" fn() = std::mem::transmute(function);
            function();
        }
    }
}

/// Whether this process has one thread, by the system's word.
fn is_only_thread() -> bool {
    let mut status = [0_u8; 2048];
    // SAFETY: the buffer is as long as is said.
    let length = unsafe {
        let file = open(c"/proc/self/status".as_ptr(), O_RDONLY_CLOEXEC);
        if file < 0 {
            return false;
        }
        let length = read(file, status.as_mut_ptr().cast(), status.len());
        close(file);
        length
    };
    let text = usize::try_from(length)
        .ok()
        .and_then(|length| status.get(..length));
    let line = b"\nThreads:\t1\n";
    text.is_some_and(|text| text.windows(line.len()).any(|window| window == line))
}
