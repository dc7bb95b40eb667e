//! A forked child counts on, with the one thread that it has.
//!
//! Of a process that forks, the child has all memory, but no thread other than the
//! one that forked. Left as it is, a lock that another thread held would never be
//! released there, a flush that another thread was in would never end, and ledgers of
//! threads that do not exist would never serve others. So the process is forked while
//! this thread holds the one lock below `alloc/` that scopes need, and the child gives
//! the others' ledgers back. The child's part consists of atomic operations alone: all
//! else is forbidden to a child whose parent has other threads.
//!
//! What a thread of the parent was counting at the very moment of the fork may be lost
//! to the child, up to one flush of it; all else is exact there. Who forks past libc,
//! by a system call, gets none of this.

#[cfg(highwater_unix)]
pub(super) use unix::prepare;

/// Processes do not fork here.
#[cfg(not(highwater_unix))]
pub(super) fn prepare() {}

#[cfg(highwater_unix)]
mod unix {
    use super::super::{ledger, scopes, spawn};
    use crate::alloc::interpose::random::Randomness;
    use crate::alloc::stack_depth;
    use std::cell::UnsafeCell;
    use std::sync::atomic::{
        AtomicI32,
        Ordering::{AcqRel, Acquire, Relaxed, Release},
    };

    /// Whether the functions below are called at a fork; else the process that is about
    /// to have them called, or nothing.
    static STATE: AtomicI32 = AtomicI32::new(NOTHING);
    const NOTHING: libc::pid_t = 0;
    const DONE: libc::pid_t = -1;

    /// Has forks prepared from now on. Called before a scope is opened.
    #[inline]
    pub(in super::super) fn prepare() {
        if STATE.load(Acquire) != DONE {
            register();
        }
    }

    #[cold]
    fn register() {
        // SAFETY: it reads a number.
        let own = unsafe { libc::getpid() };
        loop {
            match STATE.load(Acquire) {
                DONE => return,
                // Another thread is at it. In a child that was forked meanwhile it
                // is not, and the number is another process's.
                process if process == own => std::thread::yield_now(),
                before => {
                    if STATE.compare_exchange(before, own, AcqRel, Relaxed).is_ok() {
                        // Fails without memory; then forks are as they would be
                        // without us.
                        //
                        // SAFETY: the functions are there as long as the program is,
                        // and may be called at any fork.
                        unsafe {
                            libc::pthread_atfork(
                                Some(before_fork),
                                Some(in_parent),
                                Some(in_child),
                            );
                        }
                        STATE.store(DONE, Release);
                    }
                }
            }
        }
    }

    /// The guard of the lock that the forking thread holds.
    struct Held<T>(UnsafeCell<Option<T>>);

    // SAFETY: only the thread that holds the lock touches it.
    unsafe impl<T> Sync for Held<T> {}

    static HELD: Held<scopes::Pause> = Held(UnsafeCell::new(None));

    unsafe extern "C" fn before_fork() {
        let pause = scopes::pause();
        // SAFETY: this thread holds the lock, and nobody else has a reference.
        unsafe { *HELD.0.get() = Some(pause) };
    }

    unsafe extern "C" fn in_parent() {
        // The child took the numbers of a new thread.
        Randomness::of_new_thread();
        go_on();
    }

    unsafe extern "C" fn in_child() {
        // It was registered, since it is called.
        STATE.store(DONE, Relaxed);
        scopes::only_thread_stands_in(ledger::give_back_others());
        spawn::forked();
        stack_depth::forked();
        if let Some(randomness) = Randomness::of_new_thread() {
            randomness.take();
        }
        go_on();
    }

    fn go_on() {
        // SAFETY: `before_fork` took the lock, on this thread or the one that this
        // one was copied from; only the holder touches the guard.
        let pause = unsafe { (*HELD.0.get()).take() };
        drop(pause);
    }
}

#[cfg(all(test, highwater_unix))]
mod tests {
    use super::super::{HeldScope, OpenScope};
    use std::sync::mpsc;

    /// Runs `work` in a forked child; it must not panic there. Returns whether it said
    /// yes.
    fn is_so_in_child(work: impl FnOnce() -> bool) -> bool {
        // SAFETY: the child goes on with this thread alone, and calls nothing but our
        // own code, which is made for it.
        unsafe {
            let child = libc::fork();
            if child == 0 {
                libc::_exit(i32::from(!work()));
            }
            let mut status = 0;
            assert_eq!(libc::waitpid(child, &raw mut status, 0), child);
            status == 0
        }
    }

    #[test]
    fn a_child_has_one_thread_and_all_that_the_others_had_counted() {
        let scope = OpenScope::enter("forked").expect("few are open");
        let held = HeldScope::new(scope);
        let own = std::hint::black_box(Box::new([0_u8; 20]));
        let (say, hear) = mpsc::channel();
        let (end, ended) = mpsc::channel::<()>();
        std::thread::scope(|threads| {
            let held = &held;
            super::super::unscoped(|| {
                threads.spawn(move || {
                    held.run(|| {
                        let block = std::hint::black_box(Box::new([0_u8; 1_000]));
                        say.send(block).expect("it is heard");
                        assert!(ended.recv().is_err());
                    });
                });
            });
            let block = hear.recv().expect("it is said");
            // Read from the record: not from ledgers, which would hide that these are
            // of threads that are not there.
            let is_right = || {
                let told = scope.0.counters.totals();
                let (bytes, blocks) = scope.live();
                scope.0.threads() == 1 && told.live_bytes >= 1_000 && bytes >= 1_020 && blocks >= 2
            };
            assert_eq!(scope.0.threads(), 2);
            assert!(!is_right());
            assert!(is_so_in_child(is_right));
            assert_eq!(scope.0.threads(), 2);
            drop((block, end));
        });
        drop(own);
        scope.leave();
    }
}
