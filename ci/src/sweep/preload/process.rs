//! The beginning and the end of the process.

use crate::counts::{
    LIVE_BLOCKS, LIVE_BYTES, MAIN, MAIN_BLOCKS, NOBODY, PEAK_BYTES, TOTAL_BLOCKS, TOTAL_BYTES,
};
use crate::output::{self, Output};
use crate::system::*;
use crate::{caller, check, limit, search, stacks};
use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::ptr;
use std::sync::atomic::Ordering::Relaxed;

/// How often the end of the process waits for other threads to end, and how long each time, in
/// microseconds: 50 milliseconds in all.
const WAITS: u32 = 100;
const WAIT: c_uint = 500;
/// The variable that names the file for the figures.
const FILE: &[u8] = b"HIGHWATER_SWEEP_FILE=";
/// The variable that has the main thread count too.
const ALL: &[u8] = b"HIGHWATER_SWEEP_ALL=";
/// The variable with the most live bytes that the process may have.
const LIMIT: &[u8] = b"HIGHWATER_SWEEP_LIMIT=";
/// The variable that asks for call stacks, with the peak that is expected.
const SITES: &[u8] = b"HIGHWATER_SWEEP_SITES=";
/// The variable with the blocks that are expected.
const BLOCKS: &[u8] = b"HIGHWATER_SWEEP_BLOCKS=";
/// The variable that asks for a check instead of figures.
const CHECK: &[u8] = b"HIGHWATER_SWEEP_CHECK=";
const PRELOAD: &[u8] = b"LD_PRELOAD=";

#[used]
#[unsafe(link_section = ".init_array")]
static START: unsafe extern "C" fn(c_int, *mut *mut c_char, *mut *mut c_char) = start;

/// Notes where the figures go, and hides the library from the program and its children.
unsafe extern "C" fn start(_: c_int, _: *mut *mut c_char, environment: *mut *mut c_char) {
    // SAFETY: glibc passes the arguments of `main`, before `main`. The environment's list and its
    // strings may be written to, and have zeros at their ends. `getenv` and `unsetenv` may be the
    // program's own, as a shell's are, and are not called. Other libraries may have started before
    // this one, and one of them a thread: it must not read the environment now, as it must not
    // while the program sets a variable. Before `MAIN` is set, no thread counts, so none writes.
    unsafe {
        let Some(path) = take(environment, FILE) else {
            return;
        };
        output::watch(path);
        let number = |name| take(environment, name).map(|text| decimal(text));
        if let Some(limit) = number(LIMIT) {
            limit::set(limit);
        }
        let blocks = number(BLOCKS).unwrap_or_default();
        if let Some(peak) = number(SITES) {
            stacks::start(peak, blocks);
        }
        let is_check = take(environment, CHECK).is_some();
        let is_all = take(environment, ALL).is_some();
        MAIN.store(if is_all { NOBODY } else { pthread_self() }, Relaxed);
        // Registered before anything of the program, without a library that could be closed: it
        // runs last, behind all destructors.
        __cxa_atexit(end, ptr::null_mut(), ptr::null_mut());
        if let Some(preloaded) = take(environment, PRELOAD) {
            restore(environment, preloaded);
        }
        if is_check {
            check::run();
        }
    }
}

/// Takes the variable whose name and equals sign this is out of the environment; its value.
///
/// # Safety
/// `environment` is a list of strings, ended by null, that nobody else uses.
unsafe fn take(environment: *mut *mut c_char, name: &[u8]) -> Option<*mut c_char> {
    // SAFETY: the list is read up to its null, and a string up to the first byte that is not the
    // name's: its zero at the latest, since no name has one.
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

/// The decimal number in `text`.
///
/// # Safety
/// `text` ends with a zero.
unsafe fn decimal(text: *const c_char) -> usize {
    // SAFETY: the same contract.
    let digits = unsafe { CStr::from_ptr(text) }.to_bytes();
    digits.iter().fold(0_usize, |number, digit| {
        let digit = usize::from(digit.wrapping_sub(b'0'));
        number.saturating_mul(10).saturating_add(digit)
    })
}

/// Puts the libraries before the last one back, if there are any: the tool puts this library
/// behind those of the user.
///
/// # Safety
/// As for [`take`], which took `preloaded` and left room for one entry.
unsafe fn restore(environment: *mut *mut c_char, preloaded: *mut c_char) {
    // SAFETY: the colon stands before the string's end. `take` moved the list's null down by one,
    // so there is room for an entry before a new null. The name stands before the value, in the
    // same string, so the entry begins there.
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
    if !output::stop_watching() {
        return;
    }
    let totals = [&MAIN_BLOCKS, &PEAK_BYTES, &TOTAL_BYTES, &TOTAL_BLOCKS];
    let totals = totals.map(|figure| figure.load(Relaxed));
    // Before glibc frees what the unwinder needs.
    let caller = caller::of_exit((end as *const ()).addr());
    // SAFETY: this was the first function that was registered, so it is the last that `exit` calls.
    let is_alone = unsafe { return_caches() };
    let left = [&LIVE_BYTES, &LIVE_BLOCKS].map(|figure| figure.load(Relaxed));
    let unreachable = match left {
        [_, 0] => Ok([0, 0]),
        // Its registers and its stack can't be read while it runs.
        _ if !is_alone => Err(&b"threads"[..]),
        _ => caller
            .ok_or(&b"stack"[..])
            .and_then(|caller| search::unreachable(&caller)),
    };
    if let Some(mut output) = Output::of_figures() {
        output.word(b"figures");
        totals
            .into_iter()
            .chain(left)
            .for_each(|figure| output.number(figure));
        output.text(b"\nunreachable ");
        match unreachable {
            Ok(figures) => figures.into_iter().for_each(|figure| output.number(figure)),
            Err(reason) => output.word(reason),
        }
        stacks::write(&mut output);
    }
}

/// Has glibc free what it keeps for later, such as the records of threads that have ended, if
/// no other thread is there that it could take it from; whether that is so. Threads that are
/// about to end get some time: a scope in Rust waits for the work of its threads, not for their
/// end.
///
/// # Safety
/// Nothing of the program runs in this thread any more.
unsafe fn return_caches() -> bool {
    // SAFETY: `__libc_freeres` is for tools that look for leaks at the end of a process. It
    // takes no argument. Where it does not exist, the caches stay.
    unsafe {
        let mut waits = 0;
        while !is_only_thread() {
            if waits == WAITS {
                return false;
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
    true
}

/// Whether this process has one thread, by the system's word.
fn is_only_thread() -> bool {
    let mut stat = [0_u8; 1024];
    // SAFETY: the buffer is as long as is said.
    let length = unsafe {
        let file = open(c"/proc/self/stat".as_ptr(), O_RDONLY_CLOEXEC);
        if file < 0 {
            return false;
        }
        let length = read(file, stat.as_mut_ptr().cast(), stat.len());
        close(file);
        length
    };
    let text = usize::try_from(length)
        .ok()
        .and_then(|length| stat.get(..length));
    // The program's name is in brackets, and may have any character. The number of threads is the
    // eighteenth word behind it.
    let mut parts = text.unwrap_or_default().rsplitn(2, |byte| *byte == b')');
    let mut words = parts.next().unwrap_or_default().split(|byte| *byte == b' ');
    words.nth(18) == Some(b"1")
}
