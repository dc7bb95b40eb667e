//! Stands in for `spawn` where new threads are not followed: they stand outside
//! every scope until they enter one or work through a handle. So it is on systems other
//! than Linux with glibc, in programs that glibc is linked into (`+crt-static`), and
//! without the feature `threads`.

pub(super) const FOLLOWS_THREADS: bool = false;

/// There is nothing to learn about them.
pub(super) fn learn() {}

/// Nor after a fork.
// Not needed where processes do not fork.
#[allow(dead_code)]
pub(super) fn forked() {}
