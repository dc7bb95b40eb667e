//! The same random numbers in every run of a program.
//!
//! A hash map's order follows from the numbers that std asks the system for, and with
//! it when the map grows; so a program that is measured twice differs by them alone.
//! All of std, the crate `getrandom` and most of C ask libc's function of that name.
//! The one defined here stands before it in the finished program and passes the call
//! on, until [`answer`] is called: from then on all numbers follow from a fixed seed. In a
//! process of several tests [`AnsweredThread`] does that for the threads of one.
//!
//! What a thread gets depends on nothing but who it is and how much it has asked for.
//! Who it is follows from who started it, and as which of its threads; so the order in
//! which threads run changes nothing. Threads that were there before are known by the
//! order in which they first ask or start another.
//!
//! Not answered: who reads `/dev/urandom`, asks by a system call of its own (the crate
//! `getrandom` before version 0.3, and so `rand` before 0.9), or calls C's `arc4random`.

use super::next::Next;
use libc::{c_int, c_uint, c_void, size_t, ssize_t};
use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::{
    AtomicBool, AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed},
};

/// What the numbers of the thread that calls [`answer`] follow from.
const ROOT_IDENTITY: u64 = 0x6869_6768_7761_7465;

/// The same for threads of which nothing is known, together with their order.
const UNKNOWN_IDENTITY: u64 = 0x756e_6b6e_6f77_6e21;

/// The golden ratio's, as in Steele, Lea and Flood, "Fast splittable pseudorandom
/// number generators" (2014), whose function [`mixed`] is as well.
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

static IS_ANSWERED: AtomicBool = AtomicBool::new(false);

thread_local! {
    static OWN: Cell<Option<Randomness>> = const { Cell::new(None) };
}

/// What a thread is answered from.
#[derive(Clone, Copy)]
pub(in crate::alloc) struct Randomness {
    identity: u64,
    /// Bytes that it was given so far.
    given: u64,
    /// Threads that it has started so far.
    started: u64,
}

/// Answers all requests of this process from now on; the calling thread is the first.
/// For threads that are started later all is the same in every run.
#[allow(dead_code)]
pub(crate) fn answer() {
    if !IS_ANSWERED.swap(true, AcqRel) {
        OWN.set(Some(Randomness::new(ROOT_IDENTITY)));
    }
}

/// Whether requests of this thread are answered.
pub(super) fn is_answered_here() -> bool {
    IS_ANSWERED.load(Acquire) || OWN.get().is_some()
}

/// Answers the requests of this thread, and of the threads that it starts, until it is dropped.
/// Those threads are answered for as long as they live.
#[must_use]
pub(crate) struct AnsweredThread {
    before: Option<Randomness>,
    /// It belongs to this thread.
    _not_send: PhantomData<*const ()>,
}

impl AnsweredThread {
    /// What is given follows from `name`, so that others of this process get other numbers.
    pub(crate) fn begin(name: &str) -> Self {
        let mix = |number: u64, byte: u8| mixed(number.wrapping_add(GAMMA) ^ u64::from(byte));
        let identity = name.bytes().fold(ROOT_IDENTITY, mix);
        Self {
            before: OWN.replace(Some(Randomness::new(identity))),
            _not_send: PhantomData,
        }
    }
}

impl Drop for AnsweredThread {
    fn drop(&mut self) {
        OWN.set(self.before);
    }
}

fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

impl Randomness {
    const fn new(identity: u64) -> Self {
        Self {
            identity,
            given: 0,
            started: 0,
        }
    }

    /// Changes this thread's.
    fn with_own<R>(change: impl FnOnce(&mut Self) -> R) -> R {
        static UNKNOWN: AtomicU64 = AtomicU64::new(0);
        let mut own = OWN.get().unwrap_or_else(|| {
            let order = UNKNOWN.fetch_add(1, Relaxed);
            Self::new(mixed(UNKNOWN_IDENTITY.wrapping_add(order)))
        });
        let result = change(&mut own);
        OWN.set(Some(own));
        result
    }

    /// For the thread that this one starts next.
    pub(in crate::alloc) fn of_new_thread() -> Option<Self> {
        is_answered_here().then(|| {
            Self::with_own(|own| {
                own.started += 1;
                Self::new(mixed(own.identity ^ mixed(own.started.wrapping_mul(GAMMA))))
            })
        })
    }

    /// Makes it this thread's.
    pub(in crate::alloc) fn take(self) {
        OWN.set(Some(self));
    }

    /// The byte `offset` of all that this is for.
    fn byte(&self, offset: u64) -> u8 {
        let word = mixed(
            self.identity
                .wrapping_add((offset / 8 + 1).wrapping_mul(GAMMA)),
        );
        word.to_le_bytes()[(offset % 8) as usize]
    }

    /// Fills `buffer` for this thread.
    ///
    /// # Safety
    /// `length` bytes at `buffer` must be writable.
    unsafe fn fill(buffer: *mut u8, length: usize) {
        let own = Self::with_own(|own| {
            let before = *own;
            own.given = own.given.wrapping_add(length as u64);
            before
        });
        for place in 0..length {
            let byte = own.byte(own.given.wrapping_add(place as u64));
            // SAFETY: the caller promises that this byte is writable.
            unsafe { buffer.add(place).write(byte) };
        }
    }
}

/// Gives random bytes.
///
/// # Safety
/// As for libc's function of that name.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn getrandom(
    buffer: *mut c_void,
    length: size_t,
    flags: c_uint,
) -> ssize_t {
    type Function = unsafe extern "C" fn(*mut c_void, size_t, c_uint) -> ssize_t;
    static NEXT: Next = Next::new(c"getrandom");
    if is_answered_here() {
        // SAFETY: the caller promises the room.
        unsafe { Randomness::fill(buffer.cast(), length) };
        return length as ssize_t;
    }
    // SAFETY: this is the function's signature in glibc.
    if let Some(next) = unsafe { NEXT.function::<Option<Function>>() } {
        // SAFETY: the caller's promises are passed on.
        return unsafe { next(buffer, length, flags) };
    }
    // SAFETY: the same; libc's function does nothing else.
    let given = unsafe { libc::syscall(libc::SYS_getrandom, buffer, length, flags) };
    ssize_t::try_from(given).unwrap_or(-1)
}

/// Gives up to 256 random bytes. In glibc it does not call the symbol above.
///
/// # Safety
/// As for libc's function of that name.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn getentropy(buffer: *mut c_void, length: size_t) -> c_int {
    type Function = unsafe extern "C" fn(*mut c_void, size_t) -> c_int;
    const MOST: size_t = 256;
    static NEXT: Next = Next::new(c"getentropy");
    // SAFETY: this is the function's signature in glibc.
    let next = unsafe { NEXT.function::<Option<Function>>() };
    match next {
        // Too many are refused by libc in its own way.
        //
        // SAFETY: the caller's promises are passed on.
        Some(next) if !is_answered_here() || length > MOST => unsafe { next(buffer, length) },
        _ if length <= MOST => {
            // SAFETY: the caller promises the room.
            unsafe { getrandom(buffer, length, 0) };
            0
        }
        _ => -1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scope::Scope;
    use std::collections::HashSet;
    use std::process::Command;
    use std::sync::mpsc;
    use std::thread;

    /// Says to the process that a test starts what it has to do.
    const ROLE: &str = "HIGHWATER_TEST_ROLE";

    fn is(role: &str) -> bool {
        std::env::var_os(ROLE).is_some_and(|own| own == *role)
    }

    fn from_the_crate() -> u64 {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes).expect("the system has some");
        u64::from_le_bytes(bytes)
    }

    fn from_getentropy() -> u64 {
        let mut bytes = [0; 8];
        // SAFETY: the bytes are ours to write.
        let result = unsafe { libc::getentropy(bytes.as_mut_ptr().cast(), bytes.len()) };
        assert_eq!(result, 0);
        u64::from_le_bytes(bytes)
    }

    /// What a thread that is started now gets, and one that it starts; none of them is
    /// asked before `when` comes.
    fn ask_in_threads(when: mpsc::Receiver<()>) -> thread::JoinHandle<Vec<u64>> {
        thread::spawn(move || {
            when.recv().expect("it is told");
            let set: HashSet<u64> = (0..100).collect();
            let inner = thread::spawn(from_the_crate).join().expect("it answers");
            let mut all = vec![from_the_crate(), from_the_crate(), inner];
            all.extend(set);
            all
        })
    }

    /// What the forked child of this process gets, as far as an exit code can say.
    fn ask_in_child() -> u64 {
        // SAFETY: the child calls nothing that is forbidden there.
        unsafe {
            let child = libc::fork();
            if child == 0 {
                let mut byte = 0_u8;
                getrandom((&raw mut byte).cast(), 1, 0);
                libc::_exit(c_int::from(byte));
            }
            let mut status = 0;
            assert_eq!(libc::waitpid(child, &raw mut status, 0), child);
            libc::WEXITSTATUS(status).unsigned_abs().into()
        }
    }

    /// Writes what this process is answered.
    fn ask() {
        drop(Scope::enter("forks are prepared"));
        if !is("asks without answers") {
            answer();
        }
        let ((start_a, a), (start_b, b)) = (mpsc::channel(), mpsc::channel());
        let (a, b) = (ask_in_threads(a), ask_in_threads(b));
        let [a, b] = if is("asks the other way round") {
            start_b.send(()).expect("it waits");
            let b = b.join().expect("it answers");
            start_a.send(()).expect("it waits");
            [a.join().expect("it answers"), b]
        } else {
            start_a.send(()).expect("it waits");
            let a = a.join().expect("it answers");
            start_b.send(()).expect("it waits");
            [a, b.join().expect("it answers")]
        };
        assert_ne!(a, b);
        let own = [from_the_crate(), from_getentropy(), from_the_crate()];
        assert!(own[0] != own[1] && own[1] != own[2]);
        println!("ANSWERS {own:?} {a:?} {b:?} {}", ask_in_child());
    }

    #[test]
    fn every_process_gets_the_same_answers_in_whatever_order_threads_ask() {
        if std::env::var_os(ROLE).is_some() {
            return ask();
        }
        let name = "every_process_gets_the_same_answers_in_whatever_order_threads_ask";
        let (_, module) = module_path!().split_once("::").expect("a crate, and in it");
        let asked_as = |role: &str| {
            let child = Command::new(std::env::current_exe().expect("it has a path"))
                .args(["--exact", "--nocapture", &format!("{module}::{name}")])
                .env(ROLE, role)
                .output()
                .expect("it can be started");
            assert!(child.status.success(), "{child:?}");
            let output = String::from_utf8(child.stdout).expect("text");
            let answers = output.split_once("ANSWERS ").expect("answers").1;
            answers.lines().next().expect("a line").to_owned()
        };
        let answers = asked_as("asks");
        assert_eq!(asked_as("asks"), answers);
        assert_eq!(asked_as("asks the other way round"), answers);
        assert_ne!(asked_as("asks without answers"), answers);
        assert_ne!(
            asked_as("asks without answers"),
            asked_as("asks without answers")
        );
    }

    #[test]
    fn what_was_given_at_once_is_what_is_given_bit_by_bit() {
        let together: Vec<u8> = (0..40)
            .map(|offset| Randomness::new(5).byte(offset))
            .collect();
        let in_parts = thread::spawn(|| {
            Randomness::new(5).take();
            let mut bytes = [0; 40];
            for part in bytes.chunks_mut(7) {
                // SAFETY: the part is ours to write.
                unsafe { Randomness::fill(part.as_mut_ptr(), part.len()) };
            }
            bytes
        })
        .join()
        .expect("it does not panic");
        assert_eq!(in_parts, *together);
    }
}
