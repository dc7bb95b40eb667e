//! Threads that std did not start, or that call what std calls to enter its own in a
//! list: they belong to the scope that they were started in, and stay there.
//!
//! They are started and asked as C does it, so the tests call the system directly.

#![deny(unsafe_code)]
#![cfg(target_os = "linux")]

use highwater::{Alloc, Scope, Usage};
use std::ffi::{CString, c_int, c_void};
use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::ptr;

#[global_allocator]
static ALLOC: Alloc = Alloc::system();

/// Whether threads are tracked at all.
const TRACKS_THREADS: bool = cfg!(all(
    target_env = "gnu",
    not(target_feature = "crt-static"),
    feature = "threads"
));

/// What each thread here leaves behind.
type Block = [u8; 321];

#[track_caller]
fn assert_tracked(usage: &Usage, blocks: u64) {
    let blocks = if TRACKS_THREADS { blocks } else { 0 };
    assert_eq!(
        usage.live_bytes,
        blocks * size_of::<Block>() as u64,
        "{usage:?}"
    );
}

/// What a thread of C runs: stores a block where it is told to.
#[allow(unsafe_code)]
extern "C" fn leave_a_block(to: *mut c_void) -> *mut c_void {
    let block: Box<Block> = Box::new([0; 321]);
    // SAFETY: the tests pass the address of such an `Option`, and wait.
    unsafe { *to.cast::<Option<Box<Block>>>() = Some(block) };
    ptr::null_mut()
}

/// The same as C11 has it.
extern "C" fn leave_a_block_c11(to: *mut c_void) -> c_int {
    leave_a_block(to);
    7
}

#[test]
#[allow(unsafe_code)]
fn threads_of_c_belong_to_the_scope_too() {
    let scope = Scope::enter("c");
    let mut block: Option<Box<Block>> = None;
    let mut thread = 0;
    // SAFETY: the routine gets the address that it expects; it is joined before the
    // block is looked at.
    unsafe {
        let to = (&raw mut block).cast();
        let created = libc::pthread_create(&raw mut thread, ptr::null(), leave_a_block, to);
        assert_eq!(created, 0);
        assert_eq!(libc::pthread_join(thread, ptr::null_mut()), 0);
    }
    assert!(block.is_some());
    assert_tracked(&scope.usage(), 1);
}

#[test]
#[allow(unsafe_code)]
fn threads_of_c11_belong_to_the_scope_too() {
    use libc::pthread_t;
    type Routine = extern "C" fn(*mut c_void) -> c_int;
    // SAFETY: these are the functions' signatures in C11, where `thrd_t` is what glibc
    // and musl make it.
    unsafe extern "C" {
        fn thrd_create(thread: *mut pthread_t, routine: Routine, to: *mut c_void) -> c_int;
        fn thrd_join(thread: pthread_t, result: *mut c_int) -> c_int;
    }
    let scope = Scope::enter("c11");
    let mut block: Option<Box<Block>> = None;
    let (mut thread, mut result) = (0, 0);
    // SAFETY: as above.
    unsafe {
        let to = (&raw mut block).cast();
        let created = thrd_create(&raw mut thread, leave_a_block_c11, to);
        assert_eq!(created, 0);
        assert_eq!(thrd_join(thread, &raw mut result), 0);
    }
    assert_eq!(result, 7);
    assert!(block.is_some());
    assert_tracked(&scope.usage(), 1);
}

const LIBRARY: &str = r"
#include <pthread.h>
#include <threads.h>

int on_a_thread(void *(*work)(void *), void *argument) {
    pthread_t thread;
    return pthread_create(&thread, 0, work, argument) || pthread_join(thread, 0);
}

int on_a_c11_thread(int (*work)(void *), void *argument) {
    thrd_t thread;
    return thrd_create(&thread, work, argument) || thrd_join(thread, 0);
}
";

/// The library above, compiled; none where there is no compiler for C.
fn library() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (source, library) = (folder.join("threads.c"), folder.join("threads.so"));
    std::fs::write(&source, LIBRARY).expect("the folder is for tests");
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .args(["-lpthread"])
        .status()
        .ok()?;
    assert!(compiled.success(), "cc: {compiled}");
    Some(library)
}

#[test]
#[allow(unsafe_code)]
fn threads_of_a_library_that_is_loaded_later_belong_to_the_scope_too() {
    type Start<R> = unsafe extern "C" fn(extern "C" fn(*mut c_void) -> R, *mut c_void) -> c_int;

    if cfg!(target_feature = "crt-static") {
        eprintln!("NOT TESTED: this program is linked statically, and loads no libraries");
        return;
    }
    let Some(library) = library() else {
        eprintln!("NOT TESTED: `cc` is missing, so there is no library of C to load");
        return;
    };
    let path = CString::new(library.into_os_string().into_encoded_bytes()).expect("a path");
    let mut blocks: [Option<Box<Block>>; 2] = [None, None];
    // SAFETY: the library is the one above: the functions have these types, and wait
    // for the thread.
    let scope = unsafe {
        let library = libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL);
        assert!(!library.is_null());
        let function = |name: &std::ffi::CStr| libc::dlsym(library, name.as_ptr());
        let posix = function(c"on_a_thread");
        let c11 = function(c"on_a_c11_thread");
        assert!(!posix.is_null() && !c11.is_null());
        let posix = std::mem::transmute::<*mut c_void, Start<*mut c_void>>(posix);
        let c11 = std::mem::transmute::<*mut c_void, Start<c_int>>(c11);

        let scope = Scope::enter("loaded");
        assert_eq!(posix(leave_a_block, (&raw mut blocks[0]).cast()), 0);
        assert_eq!(c11(leave_a_block_c11, (&raw mut blocks[1]).cast()), 0);
        scope
    };
    assert!(blocks.iter().all(Option::is_some));
    assert_tracked(&scope.usage(), 2);
}

/// Where both signals are ignored, std lists no thread, and never calls the second of
/// the two functions by which it is followed through that.
#[test]
#[allow(unsafe_code)]
fn a_thread_that_asks_for_its_attributes_stays_in_its_scope() {
    const ROLE: &str = "HIGHWATER_TEST_SIGNALS_ARE_IGNORED";
    if std::env::var_os(ROLE).is_none() {
        let script = "trap '' SEGV BUS; exec \"$0\" --exact --nocapture \"$1\"";
        let name = "a_thread_that_asks_for_its_attributes_stays_in_its_scope";
        let child = Command::new("sh")
            .args(["-c", script])
            .arg(std::env::current_exe().expect("this program has a path"))
            .arg(name)
            .env(ROLE, "1")
            .output()
            .expect("every system has `sh`");
        assert!(child.status.success(), "{child:?}");
        // Fall through: the same with std's handlers in place.
    }
    let scope = Scope::enter("curious");
    let block: Option<Box<Block>> = std::thread::spawn(|| {
        let mut attributes = MaybeUninit::uninit();
        let mut block = None;
        // SAFETY: the function fills the attributes of the thread that calls it, which
        // are given back; the block is stored where it may be.
        unsafe {
            let this = libc::pthread_self();
            assert_eq!(libc::pthread_getattr_np(this, attributes.as_mut_ptr()), 0);
            libc::pthread_attr_destroy(attributes.as_mut_ptr());
            leave_a_block((&raw mut block).cast());
        }
        block
    })
    .join()
    .expect("it does not panic");
    assert!(block.is_some());
    assert_tracked(&scope.usage(), 1);
}
