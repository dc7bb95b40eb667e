//! What is called of C.

use std::ffi::{c_char, c_int, c_uint, c_void};

pub(crate) type Work = unsafe extern "C" fn(*mut c_void) -> *mut c_void;
pub(crate) type Step = unsafe extern "C" fn(*mut c_void, *mut c_void) -> c_int;
pub(crate) type End = unsafe extern "C" fn(*mut c_void);

// SAFETY: these are the signatures that glibc documents, or has in its source.
#[link(name = "c")]
unsafe extern "C" {
    pub(crate) fn __libc_malloc(size: usize) -> *mut c_void;
    pub(crate) fn __libc_calloc(count: usize, size: usize) -> *mut c_void;
    pub(crate) fn __libc_realloc(block: *mut c_void, size: usize) -> *mut c_void;
    pub(crate) fn __libc_memalign(alignment: usize, size: usize) -> *mut c_void;
    pub(crate) fn __libc_free(block: *mut c_void);
    pub(crate) fn __errno_location() -> *mut c_int;
    pub(crate) fn __cxa_atexit(end: End, argument: *mut c_void, library: *mut c_void) -> c_int;
    pub(crate) fn abort() -> !;
    pub(crate) fn _exit(code: c_int) -> !;
    pub(crate) fn close(file: c_int) -> c_int;
    pub(crate) fn exit(code: c_int) -> !;
    pub(crate) fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
    pub(crate) fn getpid() -> c_int;
    pub(crate) fn gnu_get_libc_version() -> *const c_char;
    pub(crate) fn mmap(
        address: *mut c_void,
        length: usize,
        access: c_int,
        flags: c_int,
        file: c_int,
        offset: i64,
    ) -> *mut c_void;
    pub(crate) fn munmap(address: *mut c_void, length: usize) -> c_int;
    pub(crate) fn open(path: *const c_char, flags: c_int, ...) -> c_int;
    pub(crate) fn pread(file: c_int, buffer: *mut c_void, length: usize, offset: i64) -> isize;
    pub(crate) fn pthread_create(
        thread: *mut usize,
        attributes: *const c_void,
        work: Work,
        argument: *mut c_void,
    ) -> c_int;
    pub(crate) fn pthread_join(thread: usize, result: *mut *mut c_void) -> c_int;
    pub(crate) fn pthread_self() -> usize;
    pub(crate) fn read(file: c_int, buffer: *mut c_void, length: usize) -> isize;
    pub(crate) fn strlen(text: *const c_char) -> usize;
    pub(crate) fn _Unwind_Backtrace(step: Step, argument: *mut c_void) -> c_int;
    pub(crate) fn _Unwind_FindEnclosingFunction(address: usize) -> *mut c_void;
    pub(crate) fn _Unwind_GetCFA(context: *mut c_void) -> usize;
    pub(crate) fn _Unwind_GetGR(context: *mut c_void, register: c_int) -> usize;
    pub(crate) fn _Unwind_GetIP(context: *mut c_void) -> usize;
    pub(crate) fn usleep(microseconds: c_uint) -> c_int;
    pub(crate) fn write(file: c_int, buffer: *const c_void, length: usize) -> isize;
}

/// The unwinder goes on, or it ends.
pub(crate) const NEXT: c_int = 0;
pub(crate) const ENOUGH: c_int = 5;
pub(crate) const ENOMEM: c_int = 12;
pub(crate) const EINVAL: c_int = 22;
pub(crate) const O_WRONLY_CREAT_TRUNC_CLOEXEC: c_int = 0o1 | 0o100 | 0o1000 | 0o2_000_000;
pub(crate) const O_RDONLY_CLOEXEC: c_int = 0o2_000_000;
pub(crate) const PROT_READ_WRITE: c_int = 1 | 2;
pub(crate) const MAP_PRIVATE_ANONYMOUS_NORESERVE: c_int = 0x2 | 0x20 | 0x4000;
/// Of x86-64.
pub(crate) const PAGE: usize = 4096;
