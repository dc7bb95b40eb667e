//! Stands in for `interpose` on systems other than Linux with glibc, in programs that glibc
//! is linked into (`+crt-static`), and without the feature `threads`.

/// New threads stand outside every scope until they enter one or work through a handle.
pub(super) mod spawn {
    pub(in crate::alloc) const FOLLOWS_THREADS: bool = false;

    /// There is nothing to learn about them.
    pub(in crate::alloc) fn learn() {}

    /// Nor after a fork.
    // Not needed where processes do not fork.
    #[allow(dead_code)]
    pub(in crate::alloc) fn forked() {}
}

/// Random numbers are the system's.
pub(super) mod random {
    // Not needed where tests are not given processes of their own.
    #[allow(dead_code)]
    pub(crate) fn answer() {}

    /// This thread's random numbers are the system's too.
    pub(crate) struct AnsweredThread;

    impl AnsweredThread {
        pub(crate) fn begin(_: &str) -> Self {
            Self
        }
    }

    /// What a thread would be answered from.
    pub(in crate::alloc) struct Randomness;

    // Not needed where processes do not fork.
    #[allow(dead_code, clippy::unused_self)]
    impl Randomness {
        pub(in crate::alloc) fn of_new_thread() -> Option<Self> {
            None
        }

        pub(in crate::alloc) fn take(self) {}
    }
}
